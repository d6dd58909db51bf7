package bench

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"
)

// tape is the floor for a contender with Redis: the commands that its requests have sent, sent again by a client and
// nothing else, with the database as it was. It has a database of its own.
type tape struct {
	use     string
	manner  manner
	besides *trial // what sends a request before each that is played, nil if none is sent
	client  *redis.Client
	before  map[string]string // the database as it was, each key dumped
	after   map[string]string // and as the commands have left it
	played  [][][]any         // the commands of each request
	figures []figure
}

// record lets a contender carry out as many requests as a slot is to have.
func record(ctx context.Context, c *contender, u *useCase, w world, requests int) (*tape, error) {
	out := &tape{use: u.name, manner: manners()[0], client: newClient(w)}
	if err := out.client.FlushDB(ctx).Err(); err != nil {
		return out, err
	}
	wire, err := newWire(ctx, w.redis)
	if err != nil {
		return out, err
	}
	defer wire.close()
	w.redis = wire.addr()
	t, err := newTrial(ctx, c, *u, w)
	if err != nil {
		return out, err
	}
	defer t.close()
	if out.before, err = out.dump(ctx); err != nil {
		return out, err
	}
	wire.take()
	for range requests {
		if err := t.send(1); err != nil {
			return out, err
		}
		commands, _ := wire.take()
		out.played = append(out.played, arguments(commands))
	}
	out.after, err = out.dump(ctx)
	return out, err
}

func arguments(commands [][]string) [][]any {
	out := make([][]any, len(commands))
	for i, command := range commands {
		for _, arg := range command {
			out[i] = append(out[i], arg)
		}
	}
	return out
}

// dump returns each key as it is stored.
func (t *tape) dump(ctx context.Context) (map[string]string, error) {
	keys, err := t.client.Keys(ctx, "*").Result()
	out := make(map[string]string, len(keys))
	for _, key := range keys {
		if out[key], err = t.client.Dump(ctx, key).Result(); err != nil {
			return nil, err
		}
	}
	return out, err
}

// rewind brings the database back to where the tape begins.
func (t *tape) rewind(ctx context.Context) error {
	err := t.client.FlushDB(ctx).Err()
	for key, value := range t.before {
		if err == nil {
			err = t.client.Restore(ctx, key, time.Hour, value).Err()
		}
	}
	return err
}

// manner is how the client sends a command of a tape.
type manner struct {
	name string
	send func(ctx context.Context, c *redis.Client, command []any) error
}

// plain sends a command as it is.
func plain(ctx context.Context, c *redis.Client, command []any) error {
	return c.Do(ctx, command...).Err()
}

// bounded sends a command with what this library promises of each call, that it ends in time or with its request.
func bounded(ctx context.Context, c *redis.Client, command []any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return plain(ctx, c, command)
}

// The manners in which the bare client plays a tape. The last is what a store for Redis would take whose own code took no time.
const (
	asIs      = "bare client"
	inTime    = "with a deadline for each command"
	withOther = "and in turn with a request to the memory store"
)

func manners() []manner { return []manner{{asIs, plain}, {inTime, bounded}, {withOther, bounded}} }

// in returns the tape to be played in another manner, besides a trial or nothing. It shares the database, which each slot
// rewinds.
func (t *tape) in(m manner, besides *trial) *tape {
	other := *t
	other.manner, other.besides, other.figures = m, besides, nil
	return &other
}

// play sends the commands of one request.
func (t *tape) play(ctx context.Context, request int) error {
	if t.besides != nil {
		if err := t.besides.send(1); err != nil {
			return err
		}
	}
	for _, command := range t.played[request] {
		if err := t.manner.send(ctx, t.client, command); err != nil {
			return err
		}
	}
	return nil
}

func (t *tape) calibrate(time.Duration) error { return nil }

// run plays the whole tape.
func (t *tape) run(ctx context.Context) error {
	if err := t.rewind(ctx); err != nil {
		return err
	}
	return t.playAll(ctx)
}

func (t *tape) playAll(ctx context.Context) error {
	for i := range t.played {
		if err := t.play(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// slot measures the whole tape.
func (t *tape) slot(ctx context.Context) error {
	if err := t.rewind(ctx); err != nil {
		return err
	}
	f, err := measure(len(t.played), func() error { return t.playAll(ctx) })
	t.figures = append(t.figures, f)
	return err
}

// check proves that the commands have done what they did when they were recorded.
func (t *tape) check(ctx context.Context) error {
	now, err := t.dump(ctx)
	if err == nil && !maps.Equal(now, t.after) {
		err = fmt.Errorf("case %s: the commands played again, %s, have another outcome", t.use, t.manner.name)
	}
	return err
}
