package tests_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// traffic notes what a client sends.
type traffic struct {
	mu  sync.Mutex
	all [][]any
}

func (c *traffic) note(cmds ...redis.Cmder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range cmds {
		c.all = append(c.all, cmd.Args())
	}
}

func (*traffic) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *traffic) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.note(cmd)
		return next(ctx, cmd)
	}
}

func (c *traffic) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.note(cmds...)
		return next(ctx, cmds)
	}
}

// with returns how many commands have that name, and those arguments in the end.
func (c *traffic) with(name string, arguments ...any) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, args := range c.all {
		if args[0] == name && fmt.Sprintf("%q", args[max(len(args)-len(arguments), 1):]) == fmt.Sprintf("%q", arguments) {
			n++
		}
	}
	return n
}

// TestCountManyWithoutTheirData counts over several pages of SCAN, among keys that hold no session, and asks for no data.
func TestCountManyWithoutTheirData(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(testing.TB) place{"single": single, "cluster": cluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := at(t).open(t)
			prefix := fmt.Sprintf("count-%s-%d:", name, time.Now().UnixNano())
			const many, deleted = 3000, 40
			records := createMany(t, s, prefix, many)
			for _, rec := range records[:deleted] {
				if err := s.Delete(t.Context(), rec.Key); err != nil {
					t.Fatal(err)
				}
			}
			litter(t, client, prefix)
			seen := &traffic{}
			client.AddHook(seen)
			n, err := s.Count(t.Context(), prefix)
			if err != nil || n != many-deleted {
				t.Errorf("Count = %d, %v, want %d", n, err, many-deleted)
			}
			if got := seen.with("get"); got != 0 {
				t.Errorf("%d commands asked for the data of a session", got)
			}
			if got := seen.with("getrange", 0, 43); got < many {
				t.Errorf("%d commands asked for a header, want one for each of %d sessions: the test has seen too little", got, many)
			}
		})
	}
}

// createMany creates n records and deletes them in the end.
func createMany(t *testing.T, s *redisstore.Store, prefix string, n int) []store.Record {
	t.Helper()
	const workers = 16
	records := make([]store.Record, n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				rec, err := s.Save(t.Context(), store.Record{Key: fmt.Sprint(prefix, i), Data: []byte("data"), Expires: time.Now().Add(time.Hour)})
				if err != nil {
					t.Error(err)
				}
				records[i] = rec
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, rec := range records {
			_ = s.Delete(context.WithoutCancel(t.Context()), rec.Key)
		}
	})
	return records
}

// litter leaves keys that begin like those of sessions and hold none.
func litter(t *testing.T, client redis.UniversalClient, prefix string) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{
		client.Set(ctx, prefix+"string", "v", time.Minute).Err(),
		client.Set(ctx, prefix+"damaged", "cloakroom:no hexadecimal:0000000000000000:0:data", time.Minute).Err(),
		client.HSet(ctx, prefix+"hash", "cloakroom", "1").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, name := range []string{"string", "damaged", "hash"} {
			_ = client.Unlink(context.WithoutCancel(ctx), prefix+name).Err()
		}
	})
}
