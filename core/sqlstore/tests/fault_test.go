package tests_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The tests of this file break servers, each its own. They do not run in parallel with others, so that what they leave
// behind can be counted.

// backend is a kind of server.
type backend struct {
	name, driver string
	dialect      sqlstore.Dialect
	start        func(tb testing.TB) *testserver.Server
}

func backends() []backend {
	return []backend{
		{"PostgreSQL", "pgx", sqlstore.PostgreSQL, func(tb testing.TB) *testserver.Server {
			tb.Helper()
			return testserver.Start(tb, testserver.Postgres{})
		}},
		{"MariaDB", "mysql", sqlstore.MySQL, func(tb testing.TB) *testserver.Server {
			tb.Helper()
			return testserver.Start(tb, testserver.MariaDB{})
		}},
	}
}

// rig is a store on a server that will be broken, by way of a proxy.
type rig struct {
	server  *testserver.Server
	proxy   *testserver.Proxy
	db      *sql.DB
	store   *sqlstore.Store
	backend backend
	dsn     string
}

// broken runs a test on a rig for each kind of server, and checks that nothing is left of it.
func broken(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			server := b.start(t)
			proxy := server.Proxy(t)
			dsn := server.Database(t)
			before := runtime.NumGoroutine()
			db, err := sql.Open(b.driver, proxy.Through(dsn))
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(16)
			options := quiet(b.dialect)
			options.PurgeInterval = 50 * time.Millisecond
			s, err := sqlstore.New(db, options)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, &rig{server, proxy, db, s, b, dsn})
			proxy.Heal()
			recovers(t, s)
			nothingLeft(t, s, db, proxy, before)
		})
	}
}

// nothingLeft closes all and waits until connections and goroutines are gone.
func nothingLeft(t *testing.T, s *sqlstore.Store, db *sql.DB, proxy *testserver.Proxy, before int) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	eventually(t, "connections are in use after everything has ended", func() bool { return db.Stats().InUse == 0 })
	if n := db.Stats().OpenConnections; n > 16 {
		t.Errorf("%d connections are open, want 16 at most", n)
	}
	if err := db.Close(); err != nil {
		t.Errorf("closing the database: %v", err)
	}
	eventually(t, "connections are open after the database was closed", func() bool {
		_, open := proxy.Connections()
		return open == 0
	})
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}

// eventually waits for what must come soon, or fails.
func eventually(t *testing.T, failure string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%s\n%s", failure, stacks[:runtime.Stack(stacks, true)])
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func recovers(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	eventually(t, "the store does not recover", func() bool {
		_, err := within(t, 5*time.Second, func(ctx context.Context) (store.Record, error) { return s.Load(ctx, "recovers") })
		return errors.Is(err, store.ErrNotFound)
	})
	rec, err := s.Save(t.Context(), record("recovers"))
	if err != nil {
		t.Fatalf("Save after recovery = %v", err)
	}
	if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version {
		t.Fatalf("Load after recovery = %v, %v", got, err)
	}
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete after recovery = %v", err)
	}
}

// within makes a call with a deadline.
func within(t *testing.T, d time.Duration, f func(ctx context.Context) (store.Record, error)) (store.Record, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return f(ctx)
}

// promptly runs calls that have a short deadline. One that hangs ends the test.
func promptly(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(9 * time.Second): // many times every deadline in these tests, and shorter than the fault
		stacks := make([]byte, 1<<20)
		t.Fatalf("a call hangs past its deadline\n%s", stacks[:runtime.Stack(stacks, true)])
	}
}

// writer replaces one record again and again through faults. It knows what may be stored at any time: what was
// acknowledged last, or what was tried since without an answer.
type writer struct {
	*rig
	key    string
	rec    store.Record // as acknowledged last, or loaded since
	tried  int          // the highest number tried
	acked  int          // the highest number acknowledged
	failed int
}

// step replaces the record once. After an error it loads what is stored now.
func (w *writer) step(t *testing.T) {
	t.Helper()
	next := w.rec
	w.tried++
	next.Data = strconv.AppendInt(nil, int64(w.tried), 10)
	saved, err := within(t, time.Second, func(ctx context.Context) (store.Record, error) { return w.store.Save(ctx, next) })
	if err == nil {
		w.rec, w.acked = saved, w.tried
		return
	}
	w.failed++
	if errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: Save = %v, but nobody has deleted it", w.key, err)
	}
	w.resume(t)
}

// resume loads the record, as soon as that works, and compares it with what is known.
func (w *writer) resume(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		rec, err := within(t, time.Second, func(ctx context.Context) (store.Record, error) { return w.store.Load(ctx, w.key) })
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: the record is gone", w.key)
			return
		}
		if err != nil {
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

// writeThrough has eight writers at work while fault does its worst, and until each has written on after it.
func writeThrough(t *testing.T, r *rig, fault func()) {
	t.Helper()
	var writers []*writer
	for n := range 8 {
		w := &writer{rig: r, key: fmt.Sprint("writer", n)}
		rec, err := r.store.Save(t.Context(), store.Record{Key: w.key, Data: []byte("0")})
		if err != nil {
			t.Fatal(err)
		}
		w.rec = rec
		writers = append(writers, w)
	}
	dead, old := buried(t, r)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(writers))
	for _, w := range writers {
		done.Go(func() {
			for i := 0; !over.Load() || i < 20; i++ {
				if w.step(t); i == 20 {
					warm.Done()
				}
				if over.Load() && w.acked == w.tried && i >= 20 {
					break
				}
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
	staysBuried(t, r, dead, old)
}

// buried creates records and deletes them.
func buried(t *testing.T, r *rig) (dead, old []store.Record) {
	t.Helper()
	for n := range 10 {
		rec, err := r.store.Save(t.Context(), record(fmt.Sprint("dead", n)))
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.store.Save(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.store.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
		dead, old = append(dead, again), append(old, rec)
	}
	return dead, old
}

// staysBuried checks that no fault has revived a deleted record, nor can a save of it.
func staysBuried(t *testing.T, r *rig, all ...[]store.Record) {
	t.Helper()
	for _, records := range all {
		for _, rec := range records {
			if _, err := r.store.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Save of the deleted %s = %v, want ErrNotFound", rec.Key, err)
			}
			if _, err := r.store.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load of the deleted %s = %v, want ErrNotFound", rec.Key, err)
			}
		}
	}
}

func TestO5Killed(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		writeThrough(t, r, func() {
			for range 3 {
				r.server.Kill(t)
				time.Sleep(100 * time.Millisecond) // some calls meet a server that is not there
				r.server.Restart(t)
				recovers(t, r.store)
			}
		})
	})
}

func TestO5Paused(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		rec, err := r.store.Save(t.Context(), record("known"))
		if err != nil {
			t.Fatal(err)
		}
		writeThrough(t, r, func() {
			r.server.Pause(t)
			start := time.Now()
			promptly(t, func() { callsFail(t, r.store, rec) })
			time.Sleep(10*time.Second - time.Since(start))
			r.server.Resume(t)
		})
	})
}

// callsFail makes every call, several at a time, with a deadline that the server lets pass.
func callsFail(t *testing.T, s *sqlstore.Store, rec store.Record) {
	t.Helper()
	calls := map[string]func(ctx context.Context) error{
		"Load":      func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err },
		"Save":      func(ctx context.Context) error { _, err := s.Save(ctx, rec); return err },
		"create":    func(ctx context.Context) error { _, err := s.Save(ctx, record("new")); return err },
		"Touch":     func(ctx context.Context) error { return s.Touch(ctx, later(rec)) },
		"Delete":    func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
		"BySubject": func(ctx context.Context) error { _, err := s.BySubject(ctx, "somebody"); return err },
		"List":      func(ctx context.Context) error { _, _, err := s.List(ctx, "", "", 10); return err },
		"Purge":     func(ctx context.Context) error { _, err := s.Purge(ctx, 10); return err },
		"Migrate":   s.Migrate,
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

func TestO5BlackHole(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		rec, err := r.store.Save(t.Context(), record("known"))
		if err != nil {
			t.Fatal(err)
		}
		r.proxy.BlackHole()
		promptly(t, func() { callsFail(t, r.store, rec) })
		r.proxy.Heal()
	})
}

// TestO5CutReply ends the connection after each byte of the reply to a save in turn.
func TestO5CutReply(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.db.SetMaxIdleConns(1)
		writeThrough(t, r, func() {
			for n := 1; n < 60; n += 3 {
				select {
				case <-r.proxy.CutAfter(n):
					time.Sleep(20 * time.Millisecond) // until most are at writing again
				case <-time.After(time.Minute):
					t.Fatal("nobody reads")
				}
			}
		})
	})
}

// TestO5LostReply lets a save through and loses its reply: the answer is an error or success, but not that somebody else
// was faster.
func TestO5LostReply(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		for i := range 5 {
			rec, err := r.store.Save(t.Context(), record(fmt.Sprint("lost", i)))
			if err != nil {
				t.Fatal(err)
			}
			next := rec
			next.Data = []byte("marked bytes")
			lost := r.proxy.SwallowReply("marked bytes")
			_, err = within(t, 2*time.Second, func(ctx context.Context) (store.Record, error) { return r.store.Save(ctx, next) })
			if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("Save whose reply was lost = %v, but it was stored", err)
			}
			select {
			case <-lost:
			case <-time.After(10 * time.Second):
				t.Fatal("no reply was lost")
			}
			if got, err := r.store.Load(t.Context(), rec.Key); err != nil || string(got.Data) != "marked bytes" {
				t.Errorf("Load = %q, %v, want what was saved", got.Data, err)
			}
		}
	})
}

func TestO5Slow(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		rec, err := r.store.Save(t.Context(), record("slow"))
		if err != nil {
			t.Fatal(err)
		}
		r.proxy.Delay(200 * time.Millisecond)
		if _, err := within(t, 20*time.Second, func(ctx context.Context) (store.Record, error) { return r.store.Load(ctx, rec.Key) }); err != nil {
			t.Errorf("Load from a slow server = %v, want success", err)
		}
		_, err = within(t, 20*time.Millisecond, func(ctx context.Context) (store.Record, error) { return r.store.Load(ctx, rec.Key) })
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load with a deadline shorter than the server takes = %v, want a failure", err)
		}
	})
}

// TestO5WrongPassword is turned away, with an error that does not tell the password.
func TestO5WrongPassword(t *testing.T) {
	broken(t, func(t *testing.T, r *rig) {
		t.Helper()
		const wrong = "not-the-password"
		dsn := strings.ReplaceAll(r.dsn, r.server.Password(), wrong)
		dsn = strings.ReplaceAll(dsn, url.QueryEscape(r.server.Password()), wrong)
		db := openDB(t, r.backend.driver, r.proxy.Through(dsn))
		s, err := sqlstore.New(db, quiet(r.backend.dialect))
		if err != nil {
			t.Fatal(err)
		}
		promptly(t, func() { callsFail(t, s, record("known")) })
		_, err = s.Load(t.Context(), "known")
		if err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), wrong) {
			t.Errorf("Load = %v, want a failure without the password", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		_ = db.Close()
	})
}
