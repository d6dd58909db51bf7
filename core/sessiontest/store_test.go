package sessiontest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/core/store"
)

// bare is a store with nothing optional, which heeds contexts.
type bare struct{ good *memstore.Store }

func (s *bare) Load(ctx context.Context, key string) (store.Record, error) {
	if ctx.Err() != nil {
		return store.Record{}, ctx.Err()
	}
	return s.good.Load(ctx, key)
}

func (s *bare) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if ctx.Err() != nil {
		return store.Record{}, ctx.Err()
	}
	return s.good.Save(ctx, rec)
}

func (s *bare) Delete(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.good.Delete(ctx, key)
}

// indexless is a store that has the method and answers that it cannot, without looking at the context.
type indexless struct{ *bare }

func (*indexless) BySubject(context.Context, string) ([]store.Record, error) {
	return nil, errors.ErrUnsupported
}

// purgeable is a memory store that says it has purged as much as it was asked to.
type purgeable struct{ *memstore.Store }

func (purgeable) Purge(_ context.Context, limit int) (int, error) { return limit, nil }

// whole returns a store with everything optional.
func whole() *sessiontest.Store {
	return sessiontest.NewStore(purgeable{memstore.New(memstore.Options{})})
}

// operation is a call of one of a store's methods, for a record that is there.
type operation struct {
	op   sessiontest.Op
	call func(ctx context.Context, s *sessiontest.Store, rec store.Record) error
}

func operations() []operation {
	return []operation{
		{sessiontest.Load, func(ctx context.Context, s *sessiontest.Store, rec store.Record) error {
			got, err := s.Load(ctx, rec.Key)
			return leftover(got.Version != 0, err)
		}},
		{sessiontest.Save, func(ctx context.Context, s *sessiontest.Store, rec store.Record) error {
			got, err := s.Save(ctx, rec)
			return leftover(got.Version != 0, err)
		}},
		{sessiontest.Touch, func(ctx context.Context, s *sessiontest.Store, rec store.Record) error { return s.Touch(ctx, rec) }},
		{sessiontest.BySubject, func(ctx context.Context, s *sessiontest.Store, rec store.Record) error {
			got, err := s.BySubject(ctx, rec.Subject)
			return leftover(got != nil, err)
		}},
		{sessiontest.List, func(ctx context.Context, s *sessiontest.Store, _ store.Record) error {
			got, next, err := s.List(ctx, "", "", 1)
			return leftover(got != nil || next != "", err)
		}},
		{sessiontest.Count, func(ctx context.Context, s *sessiontest.Store, _ store.Record) error {
			got, err := s.Count(ctx, "")
			return leftover(got != 0, err)
		}},
		{sessiontest.Purge, func(ctx context.Context, s *sessiontest.Store, _ store.Record) error {
			got, err := s.Purge(ctx, 7)
			return leftover(got == 7, err)
		}},
		{sessiontest.Delete, func(ctx context.Context, s *sessiontest.Store, rec store.Record) error { return s.Delete(ctx, rec.Key) }},
	}
}

var errLeftover = errors.New("a result came together with an error, or no result without one")

// leftover checks that a call has a result or an error, and not both.
func leftover(result bool, err error) error {
	if result == (err != nil) {
		return errors.Join(err, errLeftover)
	}
	return err
}

func record(t *testing.T, s *sessiontest.Store) store.Record {
	t.Helper()
	rec, err := s.Save(t.Context(), store.Record{Key: "k", Subject: "s", Data: []byte("data"), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestFaultsOfEachOperation(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd")
	for _, o := range operations() {
		t.Run(string(o.op), func(t *testing.T) {
			t.Parallel()
			s := whole()
			rec := record(t, s)
			before := s.Calls(o.op)
			s.Fail(sessiontest.Fault{On: o.op, Times: 2})
			s.Fail(sessiontest.Fault{On: o.op, Times: 1, Err: errOdd})
			for i, want := range []error{sessiontest.ErrDown, sessiontest.ErrDown, errOdd, nil} {
				if err := o.call(t.Context(), s, rec); !errors.Is(err, want) || errors.Is(err, errLeftover) {
					t.Errorf("call %d = %v, want %v", i, err, want)
				}
			}
			if n := s.Calls(o.op) - before; n != 4 {
				t.Errorf("%d calls were counted, want 4", n)
			}
		})
	}
}

func TestFaultLeavesOtherOperationsAlone(t *testing.T) {
	t.Parallel()
	for _, faulty := range operations() {
		s := whole()
		rec := record(t, s)
		s.Fail(sessiontest.Fault{On: faulty.op})
		for _, o := range operations() {
			err := o.call(t.Context(), s, rec)
			if o.op == sessiontest.Save && err == nil {
				rec, _ = s.Load(t.Context(), rec.Key)
			}
			if (o.op == faulty.op) != errors.Is(err, sessiontest.ErrDown) {
				t.Errorf("with a fault on %s: %s = %v", faulty.op, o.op, err)
			}
		}
	}
}

func TestFaultOnAllUntilHealed(t *testing.T) {
	t.Parallel()
	s := whole()
	rec := record(t, s)
	s.Fail(sessiontest.Fault{})
	for range 3 {
		for _, o := range operations() {
			if err := o.call(t.Context(), s, rec); !errors.Is(err, sessiontest.ErrDown) || errors.Is(err, errLeftover) {
				t.Errorf("%s = %v, want ErrDown", o.op, err)
			}
		}
	}
	if got, want := s.Calls(), 1+3*len(operations()); got != want {
		t.Errorf("%d calls were counted, want %d", got, want)
	}
	if got := s.Calls(sessiontest.Load, sessiontest.Save); got != 7 {
		t.Errorf("%d loads and saves were counted, want 7", got)
	}
	s.Heal()
	if _, err := s.Load(t.Context(), rec.Key); err != nil {
		t.Errorf("healed: Load = %v; a call that failed was carried out", err)
	}
}

func TestFaultAfterItIsDone(t *testing.T) {
	t.Parallel()
	s := sessiontest.NewStore(nil)
	rec := record(t, s)
	s.Fail(sessiontest.Fault{On: sessiontest.Delete, Done: true})
	if err := s.Delete(t.Context(), rec.Key); !errors.Is(err, sessiontest.ErrDown) {
		t.Errorf("Delete = %v, want ErrDown", err)
	}
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound: the deletion was to be carried out", err)
	}
	s.Fail(sessiontest.Fault{On: sessiontest.Save, Done: true})
	if saved, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) || saved.Version != 0 {
		t.Errorf("Save = %+v, %v: what the store says of itself comes first", saved, err)
	}
	rec.Version = 0
	if saved, err := s.Save(t.Context(), rec); !errors.Is(err, sessiontest.ErrDown) || saved.Version != 0 {
		t.Errorf("Save = version %d, %v, want ErrDown and no record", saved.Version, err)
	}
	if _, err := s.Load(t.Context(), rec.Key); err != nil {
		t.Errorf("Load = %v, want the record that was saved nevertheless", err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	for _, o := range operations() {
		synctest.Test(t, func(t *testing.T) {
			s := whole()
			rec := record(t, s)
			start := time.Now()
			s.Fail(sessiontest.Fault{On: o.op, Delay: time.Minute})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := o.call(ctx, s, rec); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("%s = %v after %v, want the end of its context after a second", o.op, err, time.Since(start))
			}
			start = time.Now()
			if err := o.call(t.Context(), s, rec); err != nil || time.Since(start) != time.Minute {
				t.Errorf("%s = %v after %v, want success after a minute", o.op, err, time.Since(start))
			}
		})
	}
}

func TestDelayThenError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, start := sessiontest.NewStore(nil), time.Now()
		s.Fail(sessiontest.Fault{Delay: time.Minute, Err: errors.New("odd")})
		if _, err := s.Load(t.Context(), "k"); err == nil || err.Error() != "odd" || time.Since(start) != time.Minute {
			t.Errorf("Load = %v after %v", err, time.Since(start))
		}
	})
}

func TestDelayOfWhatIsDoneAndLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sessiontest.NewStore(nil)
		rec, start := record(t, s), time.Now()
		s.Fail(sessiontest.Fault{On: sessiontest.Delete, Times: 1, Delay: time.Minute, Done: true})
		if err := s.Delete(t.Context(), rec.Key); !errors.Is(err, sessiontest.ErrDown) || time.Since(start) != time.Minute {
			t.Errorf("Delete = %v after %v, want ErrDown after a minute", err, time.Since(start))
		}
		if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load = %v, want ErrNotFound", err)
		}
	})
}

// TestStallIsBounded has a store that never answers: the manager's own deadline ends it.
func TestStallIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sessiontest.NewStore(nil)
		m := manager(t, core.Options{Store: s, StoreTimeout: 3 * time.Second})
		cookie := sessiontest.Cookie(t, m, signIn)
		s.Fail(sessiontest.Fault{Delay: time.Hour})
		start := time.Now()
		var sc core.Scope
		err := sc.Open(t.Context(), nil, m, nil, cookie.Name+"="+cookie.Value)
		if !errors.Is(err, core.ErrStore) || time.Since(start) != 3*time.Second {
			t.Errorf("Open = %v after %v, want ErrStore after 3 s", err, time.Since(start))
		}
	})
}

func TestOptionalInterfaces(t *testing.T) {
	t.Parallel()
	s := sessiontest.NewStore(&bare{memstore.New(memstore.Options{})})
	rec := record(t, s)
	s.Fail(sessiontest.Fault{}) // which is not what they are to say
	for _, o := range operations() {
		optional := o.op != sessiontest.Load && o.op != sessiontest.Save && o.op != sessiontest.Delete
		if err := o.call(t.Context(), s, rec); errors.Is(err, errors.ErrUnsupported) != optional {
			t.Errorf("%s = %v on a store without it", o.op, err)
		}
	}
	if _, instant := any(s).(store.Instant); instant {
		t.Error("a store that may wait says that it never does")
	}
}

// TestManagerPurgesThroughIt has a manager find the store in front of one that is to be purged.
func TestManagerPurgesThroughIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := whole()
		m := manager(t, core.Options{Store: s, PurgeInterval: time.Minute})
		s.Fail(sessiontest.Fault{On: sessiontest.Purge})
		time.Sleep(time.Hour)
		if s.Calls(sessiontest.Purge) < 40 || m.Stats().StoreFailures != uint64(s.Calls(sessiontest.Purge)) {
			t.Errorf("%d purges and %d failures in an hour, want one each minute or so", s.Calls(sessiontest.Purge), m.Stats().StoreFailures)
		}
	})
}

// TestIndexIsAskedFor has the manager find out through the store in between that there is no index.
func TestIndexIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		inner core.Store
		want  error
	}{
		{nil, nil},
		{&bare{memstore.New(memstore.Options{})}, errors.ErrUnsupported},
		{&indexless{&bare{memstore.New(memstore.Options{})}}, errors.ErrUnsupported},
	} {
		_, err := core.NewManager(core.Options{Store: sessiontest.NewStore(c.inner), MaxSessions: 1, PurgeInterval: -1})
		if !errors.Is(err, c.want) {
			t.Errorf("over %T: NewManager = %v, want %v", c.inner, err, c.want)
		}
	}
}

func TestStoreIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	const workers, calls, faults = 8, 200, 300
	s := sessiontest.NewStore(nil)
	rec := record(t, s)
	s.Fail(sessiontest.Fault{On: sessiontest.Load, Times: faults})
	var wg sync.WaitGroup
	var failed [workers]int
	for w := range workers {
		wg.Go(func() {
			for range calls {
				if _, err := s.Load(t.Context(), rec.Key); err != nil {
					failed[w]++
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range failed {
		sum += n
	}
	if sum != faults || s.Calls(sessiontest.Load) != workers*calls {
		t.Errorf("%d of %d loads failed, want %d of %d", sum, s.Calls(sessiontest.Load), faults, workers*calls)
	}
}
