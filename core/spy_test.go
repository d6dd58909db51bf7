package core

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// spy counts the calls of a store, and can run a function before each. It has none of the
// optional interfaces, and no Instant method.
type spy struct {
	store Store

	mu     sync.Mutex
	calls  []string                                        // each as operation and key
	saved  []Record                                        // the arguments of Save
	before func(ctx context.Context, op, key string) error // see onCall
}

func (s *spy) record(ctx context.Context, op, key string) error {
	s.mu.Lock()
	s.calls = append(s.calls, op+" "+key)
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, op, key)
}

func (s *spy) Load(ctx context.Context, key string) (Record, error) {
	if err := s.record(ctx, "load", key); err != nil {
		return Record{}, err
	}
	rec, err := s.store.Load(ctx, key)
	return rec, err
}

func (s *spy) Save(ctx context.Context, rec Record) (Record, error) {
	s.mu.Lock()
	s.saved = append(s.saved, rec)
	s.mu.Unlock()
	if err := s.record(ctx, "save", rec.Key); err != nil {
		return Record{}, err
	}
	out, err := s.store.Save(ctx, rec)
	return out, err
}

func (s *spy) Delete(ctx context.Context, key string) error {
	if err := s.record(ctx, "delete", key); err != nil {
		return err
	}
	err := s.store.Delete(ctx, key)
	return err
}

// count returns the number of calls of an operation, or of all operations if op is "".
func (s *spy) count(op string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		if strings.HasPrefix(call, op) {
			n++
		}
	}
	return n
}

// reset sets the counts to zero.
func (s *spy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.saved = nil, nil
}

// onCall sets what runs before each call. Its error takes the place of the call.
func (s *spy) onCall(before func(ctx context.Context, op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// failOn makes an operation fail until onCall is called.
func (s *spy) failOn(op string, err error) {
	s.onCall(func(_ context.Context, got, _ string) error {
		if got == op {
			return err
		}
		return nil
	})
}

// failFirstSave makes the next save fail, without the store.
func (s *spy) failFirstSave() {
	failed := false
	s.onCall(func(_ context.Context, op, _ string) error {
		if op != "save" || failed {
			return nil
		}
		failed = true
		return errDown
	})
}

// beforeSave runs f before the next save.
func (s *spy) beforeSave(f func()) {
	var done atomic.Bool // It is not a sync.Once, because f may save as well.
	s.onCall(func(_ context.Context, got, _ string) error {
		if got == "save" && done.CompareAndSwap(false, true) {
			f()
		}
		return nil
	})
}

// recordCount returns the number of stored records.
// recordCount counts the records of sessions, which revocations are not.
func (s *spy) recordCount() int {
	recs, _, err := s.store.(Lister).List(context.Background(), "", "", 1000)
	if err != nil {
		panic(err)
	}
	return len(slices.DeleteFunc(recs, isRevocation))
}

// isRevocation reports whether a record says when the sessions of a subject were revoked.
func isRevocation(rec Record) bool {
	id, err := uuid.Parse(rec.Key[strings.LastIndex(rec.Key, ":")+1:])
	return err == nil && id.Version() == 8
}

// stored returns the record under key, and fails the test if there is none.
func (s *spy) stored(tb testing.TB, key string) Record {
	tb.Helper()
	rec, err := s.store.Load(tb.Context(), key)
	if err != nil {
		tb.Fatalf("stored record: %v", err)
	}
	return rec
}

// wantRecords fails the test unless the store has as many sessions, and as many marks of sessions
// that have ended.
func wantRecords(tb testing.TB, what string, store Store, sessions, marks int) {
	tb.Helper()
	if s, ok := store.(*spy); ok {
		store = s.store
	}
	recs, _, err := store.(Lister).List(tb.Context(), "", "", 1000)
	want(tb, err, nil)
	recs = slices.DeleteFunc(recs, isRevocation)
	ended := 0
	for i := range recs {
		if snap, err := decodeRecord(recs[i]); err == nil && snap.HasEnded() {
			ended++
			equal(tb, what+": subject of a mark", recs[i].Subject+snap.Subject(), "")
			equal(tb, what+": values of a mark", snap.Len(), 0)
		}
	}
	equal(tb, what+": sessions", len(recs)-ended, sessions)
	equal(tb, what+": marks", ended, marks)
}

func newSpy() *spy { return &spy{store: memstore.New(memstore.Options{})} }

// touchSpy is a spy with Touch.
type touchSpy struct{ *spy }

func (s touchSpy) Touch(ctx context.Context, rec Record) error {
	if err := s.record(ctx, "touch", rec.Key); err != nil {
		return err
	}
	return s.store.(Toucher).Touch(ctx, rec)
}

func newTouchSpy() touchSpy { return touchSpy{newSpy()} }

// fullSpy is a spy with all optional interfaces, and no Instant method.
type fullSpy struct{ touchSpy }

func (s fullSpy) BySubject(ctx context.Context, subject string) ([]Record, error) {
	if err := s.record(ctx, "by subject", subject); err != nil {
		return nil, err
	}
	return s.store.(Indexer).BySubject(ctx, subject)
}

func (s fullSpy) List(ctx context.Context, prefix, cursor string, limit int) ([]Record, string, error) {
	if err := s.record(ctx, "list", prefix); err != nil {
		return nil, "", err
	}
	return s.store.(Lister).List(ctx, prefix, cursor, limit)
}

func (s fullSpy) Count(ctx context.Context, prefix string) (int, error) {
	if err := s.record(ctx, "count", prefix); err != nil {
		return 0, err
	}
	return s.store.(Counter).Count(ctx, prefix)
}

func newFullSpy() fullSpy { return fullSpy{newTouchSpy()} }

// damageRecord overwrites the data of a stored record with bytes that do not decode.
func damageRecord(tb testing.TB, store Store, key string) {
	tb.Helper()
	rec, err := store.Load(tb.Context(), key)
	want(tb, err, nil)
	rec.Data = []byte{9, 9, 9}
	_, err = store.Save(tb.Context(), rec)
	want(tb, err, nil)
}

// stores returns constructors of the three kinds of stores that the manager treats differently.
func stores() map[string]func() Store {
	return map[string]func() Store{
		"memory":          func() Store { return memstore.New(memstore.Options{}) },
		"without Instant": func() Store { return newTouchSpy() },
		"without Toucher": func() Store { return newSpy() },
	}
}

// eachStore runs a test with each kind of store.
func eachStore(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open())
		})
	}
}

// eachStoreInBubble runs a test with each kind of store, in a synctest bubble with its own
// clock.
func eachStoreInBubble(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, open, test)
		})
	}
}

// inBubble runs a test in a synctest bubble, in which it makes the store as well.
func inBubble[S any](t *testing.T, open func() S, test func(t *testing.T, store S)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, open()) })
}

// eachIndexedInBubble runs a test with each kind of store that has an index, in a synctest
// bubble with its own clock.
func eachIndexedInBubble(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range map[string]func() Store{
		"memory":          func() Store { return memstore.New(memstore.Options{}) },
		"without Instant": func() Store { return newFullSpy() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, open, test)
		})
	}
}
