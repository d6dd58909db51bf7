package tests_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The tests of this file break servers, each its own.

// rig is a store on a server that will be broken, by way of a proxy.
type rig struct {
	server *testserver.Server
	proxy  *testserver.Proxy
	store  *memcachedstore.Store
	loses  bool // the fault makes the server forget everything
}

// broken runs a test on a rig, and checks that the store recovers and nothing is left.
func broken(t *testing.T, loses bool, test func(r *rig)) {
	t.Helper()
	server := testserver.Start(t, testserver.Memcached{})
	r := &rig{server: server, proxy: server.Proxy(t), loses: loses}
	r.store = open(t, memcachedstore.Options{Servers: []string{r.proxy.Addr()}})
	test(r)
	r.proxy.Heal()
	r.recovers(t)
	if _, open := r.proxy.Connections(); open > memcachedstore.DefaultMaxConns {
		t.Errorf("%d connections are open", open)
	}
	if err := r.store.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	eventually(t, "connections are open after Close", func() bool { _, open := r.proxy.Connections(); return open == 0 })
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func (r *rig) recovers(t *testing.T) {
	t.Helper()
	eventually(t, "the store does not recover", func() bool {
		return within(t, 2*time.Second, func(ctx context.Context) error {
			_, err := r.store.Load(ctx, "absent")
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}) == nil
	})
	rec := mustSave(t, r.store, record(testserver.Name()))
	wants(t, r.store, rec)
	if err := r.store.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete after recovery = %v", err)
	}
}

// writer replaces one record again and again through faults. It knows what may be stored at any time: what was
// acknowledged last, or what was tried since without an answer.
type writer struct {
	*rig
	key          string
	rec          store.Record // as acknowledged last, or loaded since
	tried, acked int
	failed       int
	doubt        bool // a write without an answer may still arrive
}

// step replaces the record once. After an error it loads what is stored now.
func (w *writer) step(t *testing.T) {
	t.Helper()
	next := w.rec
	w.tried++
	next.Data = strconv.AppendInt(nil, int64(w.tried), 10)
	err := within(t, time.Second, func(ctx context.Context) (err error) {
		next, err = w.store.Save(ctx, next)
		return err
	})
	if err == nil {
		w.rec, w.acked, w.doubt = next, w.tried, false
		return
	}
	w.failed++
	switch {
	case errors.Is(err, store.ErrNotFound) && !w.loses:
		t.Errorf("%s: Save = %v, but nobody has deleted it", w.key, err)
	case errors.Is(err, store.ErrConflict) && !w.doubt:
		t.Errorf("%s: Save = %v, but nobody else writes it", w.key, err)
	}
	w.doubt = failure(err)
	w.resume(t)
}

// resume loads the record, as soon as that works, and compares it with what is known.
func (w *writer) resume(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		var rec store.Record
		err := within(t, time.Second, func(ctx context.Context) (err error) {
			rec, err = w.store.Load(ctx, w.key)
			return err
		})
		switch {
		case errors.Is(err, store.ErrNotFound):
			if !w.loses {
				t.Errorf("%s: the record is gone", w.key)
			}
			w.rec = store.Record{Key: w.key}
			return
		case err != nil:
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if n, err := strconv.Atoi(string(rec.Data)); err != nil || n < w.acked || n > w.tried {
			t.Errorf("%s: stored is %q, acknowledged up to %d and tried up to %d", w.key, rec.Data, w.acked, w.tried)
		}
		w.rec = rec
		return
	}
}

// work writes until over, and a while longer, in the end with success.
func (w *writer) work(t *testing.T, over *atomic.Bool, warm func()) {
	t.Helper()
	for i := 0; !over.Load() || i < 20 || w.acked != w.tried; i++ {
		if w.step(t); i == 20 {
			warm()
		}
	}
}

// writeThrough has eight writers at work while fault does its worst, and until each has written on after it.
func (r *rig) writeThrough(t *testing.T, fault func()) {
	t.Helper()
	var writers []*writer
	for n := range 8 {
		w := &writer{rig: r, key: fmt.Sprint("writer", n)}
		w.rec = mustSave(t, r.store, store.Record{Key: w.key, Data: []byte("0")})
		writers = append(writers, w)
	}
	dead := r.buried(t)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(writers))
	for _, w := range writers {
		done.Go(func() { w.work(t, &over, warm.Done) })
	}
	warm.Wait()
	fault()
	over.Store(true)
	done.Wait()
	failed := 0
	for _, w := range writers {
		w.resume(t)
		if w.rec.Version == 0 || string(w.rec.Data) != strconv.Itoa(w.acked) {
			t.Errorf("%s: stored is %q in the end, want %d, which was acknowledged last", w.key, w.rec.Data, w.acked)
		}
		failed += w.failed
	}
	t.Logf("%d calls failed in between", failed)
	r.staysBuried(t, dead)
}

// buried creates records and deletes them.
func (r *rig) buried(t *testing.T) (dead []store.Record) {
	t.Helper()
	for n := range 10 {
		rec := mustSave(t, r.store, record(fmt.Sprint("dead", n)))
		dead = append(dead, rec, mustSave(t, r.store, rec))
		if err := r.store.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
	}
	return dead
}

// staysBuried checks that no fault has revived a deleted record, nor can a save of it.
func (r *rig) staysBuried(t *testing.T, dead []store.Record) {
	t.Helper()
	for _, rec := range dead {
		if _, err := r.store.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Save of the deleted %s = %v, want ErrNotFound", rec.Key, err)
		}
		wantsNone(t, r.store, rec.Key)
	}
}

// callsFail makes every call n times, all at once, with a deadline that the server lets pass. None may succeed, or answer as if the server had.
func callsFail(t *testing.T, s *memcachedstore.Store, rec store.Record, n int) {
	t.Helper()
	later := rec
	later.Expires = later.Expires.Add(time.Hour)
	calls := []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err },
		func(ctx context.Context) error { _, err := s.Save(ctx, rec); return err },
		func(ctx context.Context) error { _, err := s.Save(ctx, record("new")); return err },
		func(ctx context.Context) error { return s.Touch(ctx, later) },
		func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
	}
	crowd(n*len(calls), func(i int) {
		err := within(t, 300*time.Millisecond, calls[i%len(calls)])
		if !failure(err) {
			t.Errorf("call %d while nothing answers = %v, want a failure", i%len(calls), err)
		}
	})
}

func TestO5Killed(t *testing.T) {
	t.Parallel()
	broken(t, true, func(r *rig) {
		r.writeThrough(t, func() {
			for range 3 {
				r.server.Kill(t)
				promptly(t, func() { callsFail(t, r.store, record("k"), 1) })
				r.server.Restart(t)
				r.recovers(t)
			}
		})
	})
}

func TestO5Paused(t *testing.T) {
	t.Parallel()
	broken(t, false, func(r *rig) {
		rec := mustSave(t, r.store, record("known"))
		r.writeThrough(t, func() {
			r.server.Pause(t)
			start := time.Now()
			promptly(t, func() { callsFail(t, r.store, rec, 4) })
			time.Sleep(10*time.Second - time.Since(start))
			r.server.Resume(t)
		})
	})
}

// TestO5CutReplies ends connections in the middle of answers while eight write.
func TestO5CutReplies(t *testing.T) {
	t.Parallel()
	broken(t, false, func(r *rig) {
		r.writeThrough(t, func() {
			for n := range 100 {
				select {
				case <-r.proxy.CutAfter(n):
				case <-time.After(time.Minute):
					t.Fatal("nobody reads")
				}
			}
		})
	})
}

func TestO5Resets(t *testing.T) {
	t.Parallel()
	broken(t, false, func(r *rig) {
		r.writeThrough(t, func() {
			for range 50 {
				r.proxy.Reset()
				time.Sleep(5 * time.Millisecond) // until most are at writing again
			}
		})
	})
}

func TestO5SwallowedReplies(t *testing.T) {
	t.Parallel()
	broken(t, false, func(r *rig) {
		r.writeThrough(t, func() {
			for range 50 {
				select {
				case <-r.proxy.SwallowReply("ms "):
				case <-time.After(time.Minute):
					t.Fatal("nobody writes")
				}
			}
		})
	})
}

func TestO5Slow(t *testing.T) {
	t.Parallel()
	broken(t, false, func(r *rig) {
		rec := mustSave(t, r.store, record("slow"))
		r.proxy.Delay(200 * time.Millisecond)
		wants(t, r.store, rec)
		rec = mustSave(t, r.store, rec)
		err := within(t, 20*time.Millisecond, func(ctx context.Context) error { _, err := r.store.Load(ctx, rec.Key); return err })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Load with a deadline shorter than the server takes = %v, want the context's error", err)
		}
		r.proxy.Heal()
		wants(t, r.store, rec)
	})
}

// TestO1OneServerDown has one of two servers down: its sessions fail, are not missing, and those of the other are served.
func TestO1OneServerDown(t *testing.T) {
	t.Parallel()
	first, second := testserver.Start(t, testserver.Memcached{}), testserver.Start(t, testserver.Memcached{Threads: 2})
	s := open(t, memcachedstore.Options{Servers: []string{first.Addr(), second.Addr()}})
	for n := range 40 {
		mustSave(t, s, record(fmt.Sprint("k", n)))
	}
	first.Kill(t)
	served := 0
	for n := range 40 {
		switch _, err := s.Load(t.Context(), fmt.Sprint("k", n)); {
		case err == nil:
			served++
		case !failure(err):
			t.Errorf("Load while the server is down = %v, want a failure", err)
		}
	}
	if served == 0 || served == 40 {
		t.Errorf("%d of 40 sessions were served, want about half", served)
	}
}
