package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

const moment = 2 * time.Second

// Each kind of backend that needs no server passes, including faults.
func TestShortRun(t *testing.T) {
	t.Parallel()
	for _, k := range storeKinds()[:2] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := k.open(t)
			s, err := newStress(1, b.stores)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // can be repeated
			injector := &faultInjector{stress: s, backend: b, tb: t, random: random}
			err = s.run(t.Context(), moment, injector.run)
			t.Logf("\n%s", s.summary())
			if err := errors.Join(err, b.close()); err != nil {
				t.Fatal(err)
			}
			if n := len(s.history.Sessions()); n == 0 || s.requests.Load() == 0 {
				t.Errorf("%d sessions and %d requests", n, s.requests.Load())
			}
		})
	}
}

// faulty is a store with a fault.
type faulty struct {
	*memstore.Store
	load   func(s *memstore.Store, key string) (store.Record, error)
	save   func(s *memstore.Store, rec store.Record) (store.Record, error)
	remove func(s *memstore.Store, key string) error
	touch  func(s *memstore.Store, rec store.Record) error
}

func (f *faulty) Load(ctx context.Context, key string) (store.Record, error) {
	if f.load != nil {
		return f.load(f.Store, key)
	}
	return f.Store.Load(ctx, key)
}

func (f *faulty) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if f.save != nil {
		return f.save(f.Store, rec)
	}
	return f.Store.Save(ctx, rec)
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if f.remove != nil {
		return f.remove(f.Store, key)
	}
	return f.Store.Delete(ctx, key)
}

func (f *faulty) Touch(ctx context.Context, rec store.Record) error {
	if f.touch != nil {
		return f.touch(f.Store, rec)
	}
	return f.Store.Touch(ctx, rec)
}

// sometimes is true now and then.
func sometimes() func() bool {
	var mu sync.Mutex
	n := 0
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		n++
		return n > 200 && n%50 == 0
	}
}

// isMark reports whether a record is the mark of a session that has ended, which no other record
// of a run expires like.
func isMark(rec store.Record) bool {
	left := time.Until(rec.Expires)
	return left > markTime && left <= markTime+graceTime
}

// Each fault of a store ends a run with the trace of a session.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	ctx := context.Background() //nolint:usetesting // The stores below outlive no test, and have no context of their own.
	now := sometimes
	faults := map[string]struct {
		store *faulty
		want  string
	}{
		"saves whatever the version": {&faulty{save: func(s *memstore.Store, rec store.Record) (store.Record, error) {
			if current, err := s.Load(ctx, rec.Key); err == nil {
				rec.Version = current.Version
			}
			return s.Save(ctx, rec)
		}}, "is lost"},
		"ends nothing": {&faulty{save: func(s *memstore.Store, rec store.Record) (store.Record, error) {
			if isMark(rec) {
				return rec, nil
			}
			return s.Save(ctx, rec)
		}}, "dead before it came"},
		"forgets what has ended": {&faulty{save: func(s *memstore.Store, rec store.Record) (store.Record, error) {
			if isMark(rec) {
				return rec, s.Delete(ctx, rec.Key)
			}
			return s.Save(ctx, rec)
		}}, "taken for a stranger"},
		"an outage is an absence": {&faulty{load: func() func(*memstore.Store, string) (store.Record, error) {
			out := now()
			return func(s *memstore.Store, key string) (store.Record, error) {
				if out() {
					return store.Record{}, store.ErrNotFound
				}
				return s.Load(ctx, key)
			}
		}()}, "nothing has ended the session"},
		"forgets what it acknowledged": {&faulty{save: func() func(*memstore.Store, store.Record) (store.Record, error) {
			lose := now()
			return func(s *memstore.Store, rec store.Record) (store.Record, error) {
				if rec.Version != 0 && lose() {
					return rec, nil
				}
				return s.Save(ctx, rec)
			}
		}()}, "lost"},
		"saves and calls it a conflict": {&faulty{save: func() func(*memstore.Store, store.Record) (store.Record, error) {
			lie := now()
			return func(s *memstore.Store, rec store.Record) (store.Record, error) {
				saved, err := s.Save(ctx, rec)
				if rec.Version != 0 && err == nil && lie() {
					return store.Record{}, store.ErrConflict
				}
				return saved, err
			}
		}()}, "applied twice"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault.store.Store = memstore.New(memstore.Options{})
			s, err := newStress(1, []store.Store{fault.store, fault.store})
			if err != nil {
				t.Fatal(err)
			}
			err = s.run(t.Context(), 10*moment, func(ctx context.Context) { <-ctx.Done() })
			if !model.IsViolation(err) || !strings.Contains(err.Error(), " comes with ") {
				t.Fatalf("run = %v, want the trace of a session", err)
			}
			if text, _, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(text, fault.want) {
				t.Logf("found as: %s", text) // What is found first depends on the order of requests.
			}
		})
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	if all, err := selectKinds(""); err != nil || len(all) != len(storeKinds()) {
		t.Errorf("no name chooses %d stores, %v", len(all), err)
	}
	if two, err := selectKinds("redis,memory"); err != nil || len(two) != 2 || two[0].name != "redis" {
		t.Errorf("two names choose %v, %v", two, err)
	}
	if _, err := selectKinds("nonsense"); err == nil {
		t.Error("an unknown name is accepted")
	}
}
