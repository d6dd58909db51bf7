package bench

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"
)

// replay measures the commands that a subject's requests sent to Redis, sent again by a client
// and nothing else. That is the least time that any store for Redis can take with these
// commands. Each slot begins with the database as it was, so a replay needs a database of its
// own.
type replay struct {
	use         string
	mode        replayMode
	interleaved *benchmark // sends one request before each that is replayed; may be nil
	client      *redis.Client
	initial     map[string]string // the dump of each key before the commands
	final       map[string]string // the dump of each key after them
	requests    [][][]any         // the commands of each request
	samples     []sample
}

// recordReplay records the commands of a subject in a use case, for the given number of
// requests.
func recordReplay(
	ctx context.Context, s *subject, u *useCase, env environment, requests int,
) (*replay, error) {
	out := &replay{use: u.name, mode: replayModes()[0], client: newClient(env)}
	if err := out.client.FlushDB(ctx).Err(); err != nil {
		return out, err
	}
	proxy, err := newRedisProxy(ctx, env.redis)
	if err != nil {
		return out, err
	}
	defer proxy.close()
	env.redis = proxy.addr()
	b, err := newBenchmark(ctx, s, *u, env)
	if err != nil {
		return out, err
	}
	defer b.close()
	if out.initial, err = out.dump(ctx); err != nil {
		return out, err
	}
	proxy.take()
	for range requests {
		if err := b.send(1); err != nil {
			return out, err
		}
		commands, _ := proxy.take()
		out.requests = append(out.requests, arguments(commands))
	}
	out.final, err = out.dump(ctx)
	return out, err
}

// arguments converts commands to what the client's Do takes.
func arguments(commands [][]string) [][]any {
	out := make([][]any, len(commands))
	for i, command := range commands {
		for _, arg := range command {
			out[i] = append(out[i], arg)
		}
	}
	return out
}

// dump returns the dump of each key.
func (r *replay) dump(ctx context.Context) (map[string]string, error) {
	keys, err := r.client.Keys(ctx, "*").Result()
	out := make(map[string]string, len(keys))
	for _, key := range keys {
		if out[key], err = r.client.Dump(ctx, key).Result(); err != nil {
			return nil, err
		}
	}
	return out, err
}

// restore resets the database to its initial content. Profiles leave it out by its name: see
// redisPurpose.
func (r *replay) restore(ctx context.Context) error {
	err := r.client.FlushDB(ctx).Err()
	for key, value := range r.initial {
		if err == nil {
			err = r.client.Restore(ctx, key, time.Hour, value).Err()
		}
	}
	return err
}

// replayMode is how the client sends a command.
type replayMode struct {
	name string
	send func(ctx context.Context, c *redis.Client, command []any) error
}

// sendPlain sends a command with the context as it is.
func sendPlain(ctx context.Context, c *redis.Client, command []any) error {
	return c.Do(ctx, command...).Err()
}

// sendWithDeadline sends a command as Cloakroom's store does: the call ends at a deadline or
// when the request ends.
func sendWithDeadline(ctx context.Context, c *redis.Client, command []any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return sendPlain(ctx, c, command)
}

// The names of the replay modes.
const (
	replayPlain       = "bare client"
	replayDeadline    = "with a deadline for each command"
	replayInterleaved = "and in turn with a request to the memory store"
)

// replayModes returns all modes. The last one takes as long as a store for Redis whose own
// code takes no time.
func replayModes() []replayMode {
	return []replayMode{
		{replayPlain, sendPlain},
		{replayDeadline, sendWithDeadline},
		{replayInterleaved, sendWithDeadline},
	}
}

// withMode returns a replay of the same commands in another mode, interleaved with the
// requests of a benchmark unless that is nil. The two share the database.
func (r *replay) withMode(m replayMode, interleaved *benchmark) *replay {
	other := *r
	other.mode, other.interleaved, other.samples = m, interleaved, nil
	return &other
}

// send sends the commands of one request.
func (r *replay) send(ctx context.Context, request int) error {
	if r.interleaved != nil {
		if err := r.interleaved.send(1); err != nil {
			return err
		}
	}
	for _, command := range r.requests[request] {
		if err := r.mode.send(ctx, r.client, command); err != nil {
			return err
		}
	}
	return nil
}

// sendAll sends the commands of all requests.
func (r *replay) sendAll(ctx context.Context) error {
	for i := range r.requests {
		if err := r.send(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// restoreAndSend restores the database and sends the commands of all requests.
func (r *replay) restoreAndSend(ctx context.Context) error {
	if err := r.restore(ctx); err != nil {
		return err
	}
	return r.sendAll(ctx)
}

// calibrate does nothing: a slot always sends the commands of all requests.
func (r *replay) calibrate(time.Duration) error { return nil }

// measureSlot restores the database and measures all requests.
func (r *replay) measureSlot(ctx context.Context) error {
	if err := r.restore(ctx); err != nil {
		return err
	}
	s, err := measure(len(r.requests), func() error { return r.sendAll(ctx) })
	r.samples = append(r.samples, s)
	return err
}

// check verifies that the commands had the same effect as when they were recorded.
func (r *replay) check(ctx context.Context) error {
	now, err := r.dump(ctx)
	if err == nil && !maps.Equal(now, r.final) {
		const text = "case %s: the replayed commands (%s) have another outcome"
		err = fmt.Errorf(text, r.use, r.mode.name)
	}
	return err
}
