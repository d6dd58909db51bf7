package redisstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// replyError is an error that the server has returned.
type replyError string

func (e replyError) Error() string { return string(e) }

func (replyError) RedisError() {}

func TestEvictionWatch(t *testing.T) {
	t.Parallel()
	evicts, now := replyError("EVICTS allkeys-lru"), time.Unix(1000, 0)
	w := &evictionWatch{}
	looks := func(when string, at time.Time, want string) {
		t.Helper()
		if got := w.onSave(at); got != want {
			t.Errorf("%s: onSave = %q, want %q", when, got, want)
		}
		if got := w.onRead(); got != "1" {
			t.Errorf("%s: onRead = %q, want a look each time", when, got)
		}
	}
	looks("at first", now, "1")
	w.note("1", errors.New("outage"), now)
	looks("after a failure", now, "1")
	w.note("", nil, now)
	looks("after a script that has not looked", now, "1")
	w.note("1", nil, now)
	looks("after a look", now.Add(lookInterval-1), "")
	looks("an interval later", now.Add(lookInterval), "1")
	w.note("1", evicts, now)
	looks("after a look that has found something", now, "1")
	w.note("", errors.New("outage"), now)
	looks("after that and a failure", now, "1")
	w.note("1", nil, now)
	w.note("", evicts, now)
	looks("after another script has found something", now, "1")
	if w = (&evictionWatch{accepted: true}); w.onSave(now) != "" || w.onRead() != "" {
		t.Error("something looks although eviction is accepted")
	}
}

func TestEvictionRisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		says []string
	}{
		{nil, nil},
		{errors.New("EVICTS allkeys-lru"), nil},
		{replyError("ERR something else"), nil},
		{replyError("LOADING the data set"), nil},
		{replyError("EVICTS volatile-lfu"), []string{"maxmemory-policy to noeviction instead of volatile-lfu", "AcceptEviction"}},
		{replyError("ERR EVICTS allkeys-lru"), []string{"noeviction instead of allkeys-lru"}},
		{replyError("NOINFO NOPERM no permission"), []string{"INFO", "(NOPERM no permission)", "AcceptEviction"}},
	} {
		got := evictionRisk(c.err)
		if (got == nil) != (c.says == nil) {
			t.Errorf("evictionRisk(%v) = %v", c.err, got)
		}
		for _, want := range c.says {
			if got != nil && !strings.Contains(got.Error(), want) {
				t.Errorf("evictionRisk(%v) = %v, want a sentence with %q", c.err, got, want)
			}
		}
	}
}

// TestNewOfUnreachableServers has servers that nobody reaches: New succeeds, and does not wait for long.
func TestNewOfUnreachableServers(t *testing.T) {
	t.Parallel()
	stalled := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	refused := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){"stalled": stalled, "refused": refused} {
		for kind, client := range map[string]redis.UniversalClient{
			"single":  redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, Dialer: dial}),
			"cluster": redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"a:1"}, ContextTimeoutEnabled: true, Dialer: dial}),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				if s, err := New(client, Options{}); s == nil || err != nil {
					t.Errorf("New = %v, want success", err)
				}
				if took := time.Since(start); took > 2*startTimeout {
					t.Errorf("New took %v", took)
				}
				_ = client.Close()
			})
		}
	}
}
