package tests_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// rig is a store on a server of its own, to be broken, by way of a proxy.
type rig struct {
	server *testserver.Server
	proxy  *testserver.Proxy
	client *redis.Client
	store  *redisstore.Store
}

// durable is a server that keeps what it has acknowledged.
func durable() testserver.Redis { return testserver.Redis{AppendOnly: true} }

func newRig(t *testing.T, spec testserver.Redis) *rig {
	t.Helper()
	server := testserver.Start(t, spec)
	proxy := server.Proxy(t)
	o, err := redis.ParseURL(proxy.Through(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled, o.PoolSize = true, 16
	client := redis.NewClient(o)
	closing(t, client)
	return &rig{server, proxy, client, newStore(t, client)}
}

// end checks that the store works again, and that nothing stays open.
func (r *rig) end(t *testing.T) {
	t.Helper()
	r.proxy.Heal()
	recovers(t, r.store)
	if err := r.client.Close(); err != nil {
		t.Errorf("closing the client: %v", err)
	}
	eventually(t, "connections are open after the client was closed", func() bool {
		runtime.GC() // the client forgets, but does not close, a connection whose greeting got no answer
		_, open := r.proxy.Connections()
		return open == 0
	})
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func recovers(t *testing.T, s *redisstore.Store) {
	t.Helper()
	name := key("recovers")
	eventually(t, "the store does not recover", func() bool {
		err := within(t, 5*time.Second, func(ctx context.Context) error { _, err := s.Load(ctx, name); return err })
		return errors.Is(err, store.ErrNotFound)
	})
	rec := mustSave(t, s, recordFor(name, name))
	belongs(t, s, name, rec.Key)
	mustDelete(t, s, rec.Key)
}

// promptly runs calls that have a short deadline. One that hangs ends the test.
func promptly(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(9 * time.Second): // many times every deadline in these tests, and shorter than the fault
		t.Fatalf("a call hangs past its deadline\n%s", stacks())
	}
}

// callsFail makes every call, several at a time, with a deadline that the server lets pass.
func callsFail(t *testing.T, s *redisstore.Store, rec store.Record) {
	t.Helper()
	calls := map[string]func(ctx context.Context) error{
		"Load":      func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err },
		"absent":    func(ctx context.Context) error { _, err := s.Load(ctx, "nothing"); return err },
		"Save":      func(ctx context.Context) error { _, err := s.Save(ctx, rec); return err },
		"create":    func(ctx context.Context) error { _, err := s.Save(ctx, record("new")); return err },
		"Touch":     func(ctx context.Context) error { return s.Touch(ctx, later(rec)) },
		"Delete":    func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
		"BySubject": func(ctx context.Context) error { _, err := s.BySubject(ctx, "somebody"); return err },
		"List":      func(ctx context.Context) error { _, _, err := s.List(ctx, "", "", 10); return err },
	}
	var wg sync.WaitGroup
	for method, call := range calls {
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if err := call(ctx); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
					t.Errorf("%s while nothing answers = %v, want a failure", method, err)
				}
			})
		}
	}
	wg.Wait()
}

// writer replaces one record again and again through faults. It knows what may be stored at any time: what was
// acknowledged last, or what was tried since without an answer.
type writer struct {
	store  store.Store
	rec    store.Record // as acknowledged last, or loaded since
	tried  int          // the highest number tried
	acked  int          // the highest number acknowledged
	failed int
	lossy  bool // the server may lose what it has acknowledged
}

// step replaces the record once. After an error it loads what is stored now.
func (w *writer) step(t *testing.T) {
	t.Helper()
	next := w.rec
	w.tried++
	next.Data = strconv.AppendInt(nil, int64(w.tried), 10)
	err := within(t, time.Second, func(ctx context.Context) error {
		saved, err := w.store.Save(ctx, next)
		if err == nil {
			w.rec, w.acked = saved, w.tried
		}
		return err
	})
	if err == nil {
		return
	}
	w.failed++
	if errors.Is(err, store.ErrNotFound) && !w.lossy {
		t.Errorf("%s: Save = %v, but nobody has deleted it", w.rec.Key, err)
	}
	w.resume(t)
}

// resume loads the record, as soon as that works, and compares it with what is known.
func (w *writer) resume(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		var rec store.Record
		err := within(t, time.Second, func(ctx context.Context) (err error) { rec, err = w.store.Load(ctx, w.rec.Key); return err })
		switch {
		case errors.Is(err, store.ErrNotFound):
			t.Errorf("%s: the record is gone", w.rec.Key)
			return
		case err != nil:
			time.Sleep(10 * time.Millisecond)
			continue
		}
		n, err := strconv.Atoi(string(rec.Data))
		if err != nil || n > w.tried || n < w.acked && !w.lossy {
			t.Errorf("%s: stored is %q, acknowledged up to %d and tried up to %d", w.rec.Key, rec.Data, w.acked, w.tried)
		}
		w.rec = rec
		return
	}
}

// writeThrough has eight writers at work while fault does its worst, and until each has written on after it.
func writeThrough(t *testing.T, s *redisstore.Store, lossy bool, fault func()) {
	t.Helper()
	writers := make([]*writer, 8)
	for n := range writers {
		rec := recordFor(key("writer", n), "somebody")
		rec.Data = []byte("0")
		writers[n] = &writer{store: s, rec: mustSave(t, s, rec), lossy: lossy}
	}
	dead, old := buried(t, s)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(writers))
	for _, w := range writers {
		done.Go(func() {
			for i := 0; !over.Load() || w.acked != w.tried || i < 20; i++ {
				if i == 20 {
					warm.Done()
				}
				w.step(t)
				if t.Failed() {
					break
				}
			}
			if w.tried < 20 {
				warm.Done()
			}
		})
	}
	warm.Wait()
	fault()
	over.Store(true)
	done.Wait()
	failed := 0
	for _, w := range writers {
		w.resume(t)
		failed += w.failed
	}
	if t.Logf("%d calls failed in between", failed); failed == 0 {
		t.Error("no call failed, so nothing was tested")
	}
	if !lossy {
		staysBuried(t, s, append(dead, old...))
	}
}

// buried creates records and deletes them.
func buried(t *testing.T, s *redisstore.Store) (dead, old []store.Record) {
	t.Helper()
	for n := range 10 {
		rec := mustSave(t, s, record(key("dead", n)))
		old = append(old, rec)
		dead = append(dead, mustSave(t, s, rec))
		mustDelete(t, s, rec.Key)
	}
	return dead, old
}

// staysBuried checks that no fault has revived a deleted record, nor can a save of it.
func staysBuried(t *testing.T, s *redisstore.Store, records []store.Record) {
	t.Helper()
	for _, rec := range records {
		if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Save of the deleted %s = %v, want ErrNotFound", rec.Key, err)
		}
		if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load of the deleted %s = %v, want ErrNotFound", rec.Key, err)
		}
	}
}

// TestNothingIsLeft is not parallel, so that goroutines can be counted.
func TestNothingIsLeft(t *testing.T) {
	server := testserver.Start(t, durable())
	proxy := server.Proxy(t)
	before := runtime.NumGoroutine()
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), ContextTimeoutEnabled: true, PoolSize: 16})
	r := &rig{server, proxy, client, newStore(t, client)}
	rec := mustSave(t, r.store, recordFor("known", "somebody"))
	for _, fault := range []func(){
		func() { server.Pause(t); promptly(t, func() { callsFail(t, r.store, rec) }); server.Resume(t) },
		func() { proxy.BlackHole(); promptly(t, func() { callsFail(t, r.store, rec) }); proxy.Heal() },
		func() { server.Kill(t); promptly(t, func() { callsFail(t, r.store, rec) }); server.Restart(t) },
	} {
		fault()
		recovers(t, r.store)
	}
	if stats := client.PoolStats(); stats.TotalConns > 16 {
		t.Errorf("%d connections are open, want 16 at most", stats.TotalConns)
	}
	r.end(t)
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestO5Killed(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]testserver.Redis{"Redis": durable(), "Valkey": {Valkey: true, AppendOnly: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, spec)
			writeThrough(t, r.store, false, func() {
				for range 3 {
					r.server.Kill(t)
					time.Sleep(1500 * time.Millisecond) // longer than calls wait for it
					r.server.Restart(t)
					recovers(t, r.store)
				}
			})
			r.end(t)
		})
	}
}

func TestO5Paused(t *testing.T) {
	t.Parallel()
	r := newRig(t, durable())
	rec := mustSave(t, r.store, recordFor("known", "somebody"))
	writeThrough(t, r.store, false, func() {
		r.server.Pause(t)
		start := time.Now()
		promptly(t, func() { callsFail(t, r.store, rec) })
		time.Sleep(10*time.Second - time.Since(start))
		r.server.Resume(t)
	})
	r.end(t)
}

func TestO5BlackHole(t *testing.T) {
	t.Parallel()
	r := newRig(t, testserver.Redis{})
	rec := mustSave(t, r.store, recordFor("known", "somebody"))
	r.proxy.BlackHole()
	promptly(t, func() { callsFail(t, r.store, rec) })
	r.end(t)
}

// TestO5Refused has every connection ended as soon as it is made.
func TestO5Refused(t *testing.T) {
	t.Parallel()
	r := newRig(t, testserver.Redis{})
	rec := mustSave(t, r.store, recordFor("known", "somebody"))
	r.proxy.Drop()
	promptly(t, func() { callsFail(t, r.store, rec) })
	r.end(t)
}

// TestO5CutReply ends the connection after each few bytes of replies in turn. The client does not send again, so that
// calls fail and partial replies are seen.
func TestO5CutReply(t *testing.T) {
	t.Parallel()
	r := newRig(t, testserver.Redis{})
	client := redis.NewClient(&redis.Options{Addr: r.proxy.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	closing(t, client)
	writeThrough(t, newStore(t, client), false, func() {
		for n := 1; n < 60; n += 3 {
			select {
			case <-r.proxy.CutAfter(n):
				time.Sleep(20 * time.Millisecond) // until most are at writing again
			case <-time.After(time.Minute):
				t.Fatal("nobody reads")
			}
		}
	})
	_ = client.Close()
	r.end(t)
}

func TestO5Slow(t *testing.T) {
	t.Parallel()
	r := newRig(t, testserver.Redis{})
	rec := mustSave(t, r.store, record("slow"))
	r.proxy.Delay(200 * time.Millisecond)
	load := func(ctx context.Context) error { _, err := r.store.Load(ctx, rec.Key); return err }
	if err := within(t, 20*time.Second, load); err != nil {
		t.Errorf("Load from a slow server = %v, want success", err)
	}
	if err := within(t, 20*time.Millisecond, load); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load with a deadline shorter than the server takes = %v, want a failure", err)
	}
	r.end(t)
}

// TestO5WrongPassword is turned away, with an error that does not tell the password.
func TestO5WrongPassword(t *testing.T) {
	t.Parallel()
	const wrong = "not-the-password"
	r := newRig(t, testserver.Redis{User: "app", Password: "the-password"})
	client := redis.NewClient(&redis.Options{Addr: r.proxy.Addr(), Username: "app", Password: wrong, ContextTimeoutEnabled: true})
	closing(t, client)
	s := newStore(t, client)
	promptly(t, func() { callsFail(t, s, record("known")) })
	_, err := s.Load(t.Context(), "known")
	if err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), wrong) {
		t.Errorf("Load = %v, want a failure without the password", err)
	}
	_ = client.Close()
	r.end(t)
}

// fill writes until the server refuses or n records are written.
func fill(t *testing.T, s *redisstore.Store, n int) error {
	t.Helper()
	for i := range n {
		rec := record(fmt.Sprint("fill:", i))
		rec.Data = make([]byte, 16<<10)
		if _, err := s.Save(t.Context(), rec); err != nil {
			return err
		}
	}
	return nil
}

// TestFull has a server without memory that may evict nothing: an error, and what is stored stays and can be ended.
func TestFull(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]testserver.Redis{"Redis": {}, "Valkey": {Valkey: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, spec)
			rec := mustSave(t, r.store, recordFor("kept", "somebody"))
			moved := mustSave(t, r.store, recordFor("moved", "somebody"))
			moved.Subject = "else"
			mustSave(t, r.store, moved)
			r.memory(t, "1") // less than it has taken
			for _, subject := range []string{"", "somebody", "new"} {
				next := rec
				next.Subject, next.Data = subject, []byte("changed")
				if _, err := r.store.Save(t.Context(), next); !errors.Is(err, store.ErrFull) {
					t.Errorf("Save without memory = %v, want ErrFull", err)
				}
				if _, err := r.store.Save(t.Context(), recordFor("new", subject)); !errors.Is(err, store.ErrFull) {
					t.Errorf("Save of a new record without memory = %v, want ErrFull", err)
				}
			}
			rec.Expires = rec.Expires.Add(time.Hour)
			if err := r.store.Touch(t.Context(), rec); err != nil {
				t.Errorf("Touch without memory = %v, want success", err)
			}
			got, err := r.store.Load(t.Context(), rec.Key)
			if err != nil || got.Version != rec.Version || !bytes.Equal(got.Data, rec.Data) || got.Expires.Before(rec.Expires) {
				t.Errorf("Load = %+v, %v, want the record as it was, touched", got, err)
			}
			belongs(t, r.store, "somebody", rec.Key)
			mustDelete(t, r.store, rec.Key)
			if _, err := r.store.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load after Delete without memory = %v, want ErrNotFound", err)
			}
			r.memory(t, "0")
			r.end(t)
		})
	}
}

func (r *rig) memory(t *testing.T, limit string) {
	t.Helper()
	if err := r.client.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestEviction has a server that makes room: an evicted session is just gone, and the index does without it.
func TestEviction(t *testing.T) {
	t.Parallel()
	r := newRig(t, testserver.Redis{MaxMemory: "6mb", Policy: "allkeys-lru"})
	var first []store.Record
	for i := range 20 {
		first = append(first, mustSave(t, r.store, recordFor(fmt.Sprint("first:", i), "somebody")))
	}
	// The index is in use, which keeps it from being evicted; see docs.
	gone := func() bool {
		for _, rec := range first {
			if _, err := r.store.Load(t.Context(), rec.Key); errors.Is(err, store.ErrNotFound) {
				return true
			}
		}
		return false
	}
	for range 100 {
		if err := fill(t, r.store, 500); err != nil {
			t.Fatalf("Save = %v, want success by eviction", err)
		}
		if gone() {
			break
		}
	}
	left := 0
	for _, rec := range first {
		_, err := r.store.Load(t.Context(), rec.Key)
		if errors.Is(err, store.ErrNotFound) {
			if _, err := r.store.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Save of an evicted record = %v, want ErrNotFound", err)
			}
			continue
		}
		if left++; err != nil {
			t.Errorf("Load = %v", err)
		}
	}
	if left == len(first) {
		t.Error("nothing was evicted")
	}
	if found, err := r.store.BySubject(t.Context(), "somebody"); err != nil || len(found) > left {
		t.Errorf("BySubject = %d records, %v, want %d at most", len(found), err, left)
	}
	r.end(t)
}
