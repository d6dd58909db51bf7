package tests_test

import (
	"context"
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

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestFaults breaks servers, each test its own, all at once but at no time with other tests, so that what they leave behind
// can be counted.
func TestFaults(t *testing.T) {
	if testserver.Shared(t, testserver.Mongo{}).External() {
		t.Skip("the server is not ours to break")
	}
	before := runtime.NumGoroutine()
	t.Run("O5", func(t *testing.T) {
		for name, test := range map[string]func(t *testing.T, r *rig){
			"Killed": killed, "Down": down, "Paused": paused, "BlackHole": blackHole, "CutReply": cutReply, "LostReply": lostReply,
			"Slow": slow, "PurgeGoesOn": purgeGoesOn,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				broken(t, test)
			})
		}
	})
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}

// rig is a store on a server that will be broken, by way of a proxy.
type rig struct {
	server *testserver.Server
	proxy  *testserver.Proxy
	client *mongo.Client
	store  *mongostore.Store

	collection *mongo.Collection
	log        *syncBuffer
}

// broken runs a test on a rig and checks that nothing is left of it.
func broken(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	server := testserver.Start(t, testserver.Mongo{})
	proxy := server.Proxy(t)
	url := newDatabase(t, server)
	client, err := mongo.Connect(options.Client().ApplyURI(proxy.Through(url)))
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	collection := client.Database(database(t, url)).Collection("sessions")
	s, err := mongostore.New(collection, mongostore.Options{PurgeInterval: 50 * time.Millisecond, PurgeTimeout: time.Second, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &rig{server, proxy, client, s, collection, log}
	test(t, r)
	proxy.Heal()
	recovers(t, s)
	r.nothingLeft(t)
}

// nothingLeft closes all and waits until the connections are gone.
func (r *rig) nothingLeft(t *testing.T) {
	t.Helper()
	if err := r.store.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	disconnect(t, r.client)
	eventually(t, "connections are open after the client was disconnected", func() bool {
		_, open := r.proxy.Connections()
		return open == 0
	})
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
	t.Fatalf("%s\n%s", failure, stacks())
}

func stacks() []byte {
	all := make([]byte, 1<<20)
	return all[:runtime.Stack(all, true)]
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func recovers(t *testing.T, s *mongostore.Store) {
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
		t.Fatalf("a call hangs past its deadline\n%s", stacks())
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
	const enough = 20
	dead := buried(t, r.store)
	writers := newWriters(t, r)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(writers))
	for _, w := range writers {
		done.Go(func() {
			for i := 0; t.Context().Err() == nil && (i < enough || !over.Load() || w.acked < w.tried); i++ {
				if i == enough {
					warm.Done()
				}
				w.step(t)
			}
			for range enough {
				w.step(t)
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
	staysBuried(t, r.store, dead)
}

func newWriters(t *testing.T, r *rig) (all []*writer) {
	t.Helper()
	for n := range 8 {
		rec, err := r.store.Save(t.Context(), store.Record{Key: fmt.Sprint("writer", n), Data: []byte("0")})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &writer{rig: r, key: rec.Key, rec: rec})
	}
	return all
}

// buried creates records and deletes them. It returns two editions of each.
func buried(t *testing.T, s *mongostore.Store) (dead []store.Record) {
	t.Helper()
	for n := range 10 {
		first, err := s.Save(t.Context(), record(fmt.Sprint("dead", n)))
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Save(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), first.Key); err != nil {
			t.Fatal(err)
		}
		dead = append(dead, first, second)
	}
	return dead
}

// staysBuried checks that no fault has revived a deleted record, nor can a save of it.
func staysBuried(t *testing.T, s *mongostore.Store, dead []store.Record) {
	t.Helper()
	for _, rec := range dead {
		if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Save of the deleted %s = %v, want ErrNotFound", rec.Key, err)
		}
		if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load of the deleted %s = %v, want ErrNotFound", rec.Key, err)
		}
	}
}

// calls are all calls there are, as a request would make them.
func calls(s *mongostore.Store, rec store.Record) map[string]func(ctx context.Context) error {
	later := rec
	later.Expires = rec.Expires.Add(time.Hour)
	return map[string]func(ctx context.Context) error{
		"Load":      func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err },
		"Save":      func(ctx context.Context) error { _, err := s.Save(ctx, rec); return err },
		"create":    func(ctx context.Context) error { _, err := s.Save(ctx, record("new")); return err },
		"Touch":     func(ctx context.Context) error { return s.Touch(ctx, later) },
		"Delete":    func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
		"BySubject": func(ctx context.Context) error { _, err := s.BySubject(ctx, "somebody"); return err },
		"List":      func(ctx context.Context) error { _, _, err := s.List(ctx, "", "", 10); return err },
		"Purge":     func(ctx context.Context) error { _, err := s.Purge(ctx, 10); return err },
		"Migrate":   s.Migrate,
	}
}

// callsFail makes every call, several at a time, with a deadline that the server lets pass.
func callsFail(t *testing.T, s *mongostore.Store, rec store.Record) {
	t.Helper()
	var wg sync.WaitGroup
	for method, call := range calls(s, rec) {
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				err := call(ctx)
				for _, not := range []error{nil, store.ErrNotFound, store.ErrConflict} {
					if errors.Is(err, not) {
						t.Errorf("%s while nothing answers = %v, want a failure", method, err)
					}
				}
			})
		}
	}
	wg.Wait()
}

func killed(t *testing.T, r *rig) {
	t.Helper()
	writeThrough(t, r, func() {
		for range 3 {
			r.server.Kill(t)
			time.Sleep(100 * time.Millisecond) // some calls meet a server that is not there
			r.server.Restart(t)
			recovers(t, r.store)
		}
	})
}

func down(t *testing.T, r *rig) {
	t.Helper()
	r.server.Kill(t)
	promptly(t, func() { callsFail(t, r.store, record("known")) })
	r.server.Restart(t)
}

func paused(t *testing.T, r *rig) {
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
}

func blackHole(t *testing.T, r *rig) {
	t.Helper()
	rec, err := r.store.Save(t.Context(), record("known"))
	if err != nil {
		t.Fatal(err)
	}
	r.proxy.BlackHole()
	promptly(t, func() { callsFail(t, r.store, rec) })
	r.proxy.Heal()
}

// cutReply ends the connection within the replies to saves, after more bytes each time.
func cutReply(t *testing.T, r *rig) {
	t.Helper()
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
}

// lostReply lets a save through and loses its reply: the answer is an error or success, but not that somebody else
// was faster.
func lostReply(t *testing.T, r *rig) {
	t.Helper()
	for i := range 5 {
		rec, err := r.store.Save(t.Context(), record(fmt.Sprint("lost", i)))
		if err != nil {
			t.Fatal(err)
		}
		rec.Data = []byte("marked bytes")
		lost := r.proxy.SwallowReply("marked bytes")
		_, err = within(t, 2*time.Second, func(ctx context.Context) (store.Record, error) { return r.store.Save(ctx, rec) })
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Save whose reply was lost = %v, but it was stored", err)
		}
		wait(t, lost, "no reply was lost")
		if got, err := r.store.Load(t.Context(), rec.Key); err != nil || string(got.Data) != "marked bytes" {
			t.Errorf("Load = %q, %v, want what was saved", got.Data, err)
		}
	}
}

func wait(t *testing.T, event <-chan struct{}, failure string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(10 * time.Second):
		t.Fatal(failure)
	}
}

// purgeGoesOn has the store's own purge meet a server that is away, and then one that is back.
func purgeGoesOn(t *testing.T, r *rig) {
	t.Helper()
	r.proxy.Drop()
	eventually(t, "the purge did not fail", func() bool { return strings.Contains(r.log.String(), "purge of expired sessions failed") })
	r.proxy.Heal()
	recovers(t, r.store)
	expireSome(t, r.collection, 3)
	eventually(t, "the purge does not go on", func() bool { return count(t, r.collection) == 0 })
}

func slow(t *testing.T, r *rig) {
	t.Helper()
	rec, err := r.store.Save(t.Context(), record("slow"))
	if err != nil {
		t.Fatal(err)
	}
	r.proxy.Delay(200 * time.Millisecond)
	load := func(ctx context.Context) (store.Record, error) { return r.store.Load(ctx, rec.Key) }
	if _, err := within(t, 20*time.Second, load); err != nil {
		t.Errorf("Load from a slow server = %v, want success", err)
	}
	if _, err := within(t, 20*time.Millisecond, load); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load with a deadline shorter than the server takes = %v, want a failure", err)
	}
}

// TestO5WrongPassword is turned away, with an error that does not tell the password.
func TestO5WrongPassword(t *testing.T) {
	t.Parallel()
	const wrong = "not-the-password"
	u, err := url.Parse(testserver.Shared(t, testserver.Mongo{}).URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("nobody", wrong)
	collection := connect(t, options.Client().ApplyURI(u.String())).Database("faults").Collection("sessions")
	s := newStore(t, collection, quiet())
	var wg sync.WaitGroup
	for method, call := range calls(s, record("known")) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := call(ctx)
			if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || strings.Contains(err.Error(), wrong) {
				t.Errorf("%s = %v, want a failure without the password", method, err)
			}
		})
	}
	wg.Wait()
}
