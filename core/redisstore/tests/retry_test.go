package tests_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// lossy is a store behind a proxy that loses replies, and another one that sees the server as it is.
type lossy struct {
	proxy  *testserver.Proxy
	store  *redisstore.Store
	direct *redisstore.Store
	raw    redis.UniversalClient
}

// newLossy makes a store whose client waits before it sends again, so that tests can do something in between.
func newLossy(t *testing.T) *lossy {
	t.Helper()
	server := testserver.Shared(t, testserver.Redis{})
	proxy := server.Proxy(t)
	client := redis.NewClient(&redis.Options{
		Addr: proxy.Addr(), ContextTimeoutEnabled: true,
		MinRetryBackoff: 300 * time.Millisecond, MaxRetryBackoff: 300 * time.Millisecond,
	})
	closing(t, client)
	l := &lossy{proxy: proxy, store: newStore(t, client)}
	l.raw, l.direct = place{Where: server.URL()}.open(t)
	// From here on the server knows the scripts, so that what is lost is the reply of the script itself.
	mustSave(t, l.store, record(key("warm")))
	return l
}

// losing makes a call whose reply is lost, and calls meanwhile before the client sends it again.
func (l *lossy) losing(t *testing.T, match string, call func(ctx context.Context) error, meanwhile func()) error {
	t.Helper()
	lost := l.proxy.SwallowReply(match)
	result := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		result <- call(ctx)
	}()
	select {
	case <-lost:
	case <-time.After(15 * time.Second):
		t.Fatal("no reply was lost")
	}
	l.proxy.BlackHole() // what is sent again has to wait
	meanwhile()
	l.proxy.Heal()
	return <-result
}

// TestLostReplyIsSuccess is about the client's own retry: it must not meet its first attempt as somebody else's change.
func TestLostReplyIsSuccess(t *testing.T) {
	t.Parallel()
	l := newLossy(t)
	for name, subject := range map[string]string{"anonymous": "", "signed in": key("subject")} {
		rec := recordFor(key("lost"), subject)
		save := func(ctx context.Context) error {
			saved, err := l.store.Save(ctx, rec)
			if err == nil {
				rec = saved
			}
			return err
		}
		for _, data := range []string{"created", "replaced", "replaced again"} {
			rec.Data = []byte(data + rec.Key)
			if err := l.losing(t, data+rec.Key, save, func() {}); err != nil {
				t.Fatalf("%s, %s: Save whose reply was lost = %v, want success", name, data, err)
			}
			if got, err := l.direct.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version || string(got.Data) != data+rec.Key {
				t.Errorf("%s, %s: Load = version %d %q, %v, want version %d", name, data, got.Version, got.Data, err, rec.Version)
			}
		}
		if err := l.losing(t, rec.Key, func(ctx context.Context) error { return l.store.Touch(ctx, later(rec)) }, func() {}); err != nil {
			t.Errorf("%s: Touch whose reply was lost = %v, want success", name, err)
		}
		if err := l.losing(t, rec.Key, func(ctx context.Context) error { return l.store.Delete(ctx, rec.Key) }, func() {}); err != nil {
			t.Errorf("%s: Delete whose reply was lost = %v, want success", name, err)
		}
	}
}

// TestR1RetryDoesNotRevive sends a create again after somebody has deleted what the first attempt stored.
func TestR1RetryDoesNotRevive(t *testing.T) {
	t.Parallel()
	l := newLossy(t)
	rec := recordFor(key("revived"), key("subject"))
	rec.Data = []byte("marks " + rec.Key)
	err := l.losing(t, string(rec.Data),
		func(ctx context.Context) error { _, err := l.store.Save(ctx, rec); return err },
		func() { mustDelete(t, l.direct, rec.Key) })
	if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save of what has been deleted since = %v, want a failure", err)
	}
	if got, err := l.direct.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = version %d, %v: the retry has brought the session back", got.Version, err)
	}
	belongs(t, l.direct, rec.Subject)

	// It is no obstacle to another record under the key.
	again := mustSave(t, l.direct, rec)
	again.Data = []byte("marks the replaced " + rec.Key)
	err = l.losing(t, string(again.Data),
		func(ctx context.Context) error { _, err := l.store.Save(ctx, again); return err },
		func() { mustDelete(t, l.direct, rec.Key) })
	if err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("Save of what has been deleted since = %v, want a failure", err)
	}
	if _, err := l.direct.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v: the retry has brought the session back", err)
	}
}

// TestLostReplyThenChanged has somebody change what the first attempt stored. A conflict would make the caller apply its
// change twice.
func TestLostReplyThenChanged(t *testing.T) {
	t.Parallel()
	l := newLossy(t)
	for _, created := range []bool{false, true} {
		rec := record(key("changed"))
		if created {
			rec = mustSave(t, l.direct, rec)
		}
		rec.Data = []byte("marks " + rec.Key)
		err := l.losing(t, string(rec.Data),
			func(ctx context.Context) error { _, err := l.store.Save(ctx, rec); return err },
			func() {
				stored, err := l.direct.Load(t.Context(), rec.Key)
				if err != nil || !bytes.Equal(stored.Data, rec.Data) {
					t.Errorf("Load = %q, %v, want what the first attempt stored", stored.Data, err)
				}
				stored.Data = append([]byte("more "), rec.Data...)
				mustSave(t, l.direct, stored)
			})
		if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Save that was stored and changed since = %v, want an error that leaves it open", err)
		}
	}
}

// TestConflictAfterFirstAttempt makes sure that an ordinary conflict is one, also when the server has lost the scripts.
func TestConflictAfterFirstAttempt(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{})
	client, s := place{Where: server.URL()}.open(t)
	for range 2 {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		stale := mustSave(t, s, record(key("conflict")))
		current := mustSave(t, s, stale)
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := s.Save(t.Context(), stale)
		if !errors.Is(err, store.ErrConflict) || got.Version != current.Version || !bytes.Equal(got.Data, current.Data) {
			t.Errorf("Save of a stale record = version %d, %v, want ErrConflict and version %d", got.Version, err, current.Version)
		}
	}
}

// TestDeletedLeavesVersionOnly looks at what a deleted session leaves behind, and for how long.
func TestDeletedLeavesVersionOnly(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	rec := mustSave(t, s, recordFor(key("deleted"), key("subject")))
	for range 2 {
		mustDelete(t, s, rec.Key)
		want := fmt.Sprintf("cloakroom:%016x", rec.Version)
		if left, err := client.Get(t.Context(), rec.Key).Result(); err != nil || left != want {
			t.Errorf("a deleted session has left %q, %v, want its version alone: %q", left, err, want)
		}
		if ttl := client.PTTL(t.Context(), rec.Key).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("it lasts %v, want a minute at most", ttl)
		}
	}
	mustDelete(t, s, key("never", "there"))
	rec.Expires = time.Time{}
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save of a deleted record = %v, want ErrNotFound", err)
	}
	rec.Version = 0
	rec = mustSave(t, s, rec)
	if ttl := client.PTTL(t.Context(), rec.Key).Val(); ttl != -1 {
		t.Errorf("the permanent session created after it lasts %v", ttl)
	}
	mustDelete(t, s, rec.Key)
}
