package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// env is what a case works with: its test, its store and names nobody else uses.
type env struct {
	testing.TB
	*Config
	rule   string
	unique string
	ctx    context.Context //nolint:containedctx // the context of one test case
	store  store.Store
	second store.Store // the same as store, unless there is a second handle

	mu   sync.Mutex
	keys []string // to be deleted in the end
}

func newEnv(tb testing.TB, c *testCase, config *Config) *env {
	tb.Helper()
	var random [8]byte
	_, _ = rand.Read(random[:])
	e := &env{TB: tb, Config: config, rule: c.rule, ctx: tb.Context(), unique: "storetest:" + hex.EncodeToString(random[:]) + ":"}
	e.store = config.New(tb)
	e.second = e.store
	if config.Second != nil {
		e.second = config.Second(tb, e.store)
	}
	tb.Cleanup(e.cleanUp)
	return e
}

// cleanUp deletes what the case stored. Some of it is permanent, and the server may be shared.
func (e *env) cleanUp() {
	ctx := context.WithoutCancel(e.ctx)
	for _, key := range e.keys {
		func() {
			defer func() { _ = recover() }() // the case has reported it
			_ = e.store.Delete(ctx, key)
		}()
	}
}

// Errorf reports a failure together with the rule that is broken.
func (e *env) Errorf(format string, args ...any) {
	e.Helper()
	e.TB.Errorf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// Fatalf is Errorf and ends the case.
func (e *env) Fatalf(format string, args ...any) {
	e.Helper()
	e.TB.Fatalf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// handle returns one of the two handles, in turns.
func (e *env) handle(i int) store.Store {
	if i%2 == 0 {
		return e.store
	}
	return e.second
}

// name returns a key or a subject that no other case and no other run uses.
func (e *env) name(name string) string {
	name = e.unique + name
	e.track(name)
	return name
}

func (e *env) track(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = append(e.keys, key)
}

// record returns a record to create. It outlives every case.
func (e *env) record(name string) store.Record {
	return store.Record{Key: e.name(name), Data: []byte("data of " + name), Expires: time.Now().Add(time.Hour)}
}

// save stores rec and returns what the store says is stored now.
func (e *env) save(rec store.Record) store.Record {
	e.Helper()
	saved, err := e.store.Save(e.ctx, rec)
	if err != nil {
		e.Fatalf("Save(key %q, version %d) = %v, want success", short(rec.Key), rec.Version, err)
	}
	if saved.Version == 0 || saved.Version == rec.Version {
		e.Errorf("Save(key %q, version %d) returned version %d, want a new one that is not 0", short(rec.Key), rec.Version, saved.Version)
	}
	rec.Version = saved.Version
	e.same("Save", saved, rec)
	return rec
}

// create is save for a new record of that name.
func (e *env) create(name string) store.Record {
	e.Helper()
	return e.save(e.record(name))
}

// stored checks that the store has exactly this record, version included.
func (e *env) stored(want store.Record) {
	e.Helper()
	got, err := e.second.Load(e.ctx, want.Key)
	if err != nil {
		e.Fatalf("Load(%q) = %v, want the record", short(want.Key), err)
	}
	e.same("Load", got, want)
}

// same compares what a method returned with what was saved.
func (e *env) same(method string, got, want store.Record) {
	e.Helper()
	if diff := e.diff(&got, &want); diff != "" {
		e.Errorf("%s returned another record than was saved under %q: %s", method, short(want.Key), diff)
	}
}

func (e *env) diff(got, want *store.Record) string {
	switch {
	case got.Key != want.Key:
		return fmt.Sprintf("Key %q", short(got.Key))
	case got.Version != want.Version:
		return fmt.Sprintf("Version %d, want %d", got.Version, want.Version)
	case got.Subject != want.Subject:
		return fmt.Sprintf("Subject %q, want %q", short(got.Subject), short(want.Subject))
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Sprintf("Data %q, want %q", short(string(got.Data)), short(string(want.Data)))
	case !e.sameExpiry(got.Expires, want.Expires):
		return fmt.Sprintf("Expires %v, want %v or up to %v later", got.Expires, want.Expires, e.Resolution)
	}
	return ""
}

func (e *env) sameExpiry(got, want time.Time) bool {
	if want.IsZero() || got.IsZero() {
		return want.IsZero() == got.IsZero()
	}
	return !got.Before(want) && got.Sub(want) <= e.Resolution
}

// gone checks that there is no record under key.
func (e *env) gone(key string) {
	e.Helper()
	rec, err := e.second.Load(e.ctx, key)
	e.is(err, store.ErrNotFound, "Load(%q)", short(key))
	if rec.Version != 0 || len(rec.Data) != 0 {
		e.Errorf("Load(%q) returned a record (version %d, %d bytes) together with the error", short(key), rec.Version, len(rec.Data))
	}
}

// is checks which error a call returned.
func (e *env) is(err, want error, format string, args ...any) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s = %v, want %v", fmt.Sprintf(format, args...), err, want)
	}
}

// refused checks that the store does not save rec, with the error want.
func (e *env) refused(rec store.Record, want error) {
	e.Helper()
	got, err := e.store.Save(e.ctx, rec)
	e.is(err, want, "Save(key %q, version %d)", short(rec.Key), rec.Version)
	if got.Version != 0 && errors.Is(err, store.ErrNotFound) {
		e.Errorf("Save(key %q, version %d) returned a record together with ErrNotFound", short(rec.Key), rec.Version)
	}
}

// toucher returns the store's Toucher, or skips the case.
func (e *env) toucher() store.Toucher {
	e.Helper()
	s, ok := e.store.(store.Toucher)
	if !ok {
		e.Skip("the store has no Touch: the manager saves the whole record instead")
	}
	if err := s.Touch(e.ctx, store.Record{Key: e.name("probe"), Version: 1, Expires: time.Now().Add(time.Hour)}); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Touch answers errors.ErrUnsupported")
	}
	return s
}

// indexer returns the store's Indexer, or skips the case.
func (e *env) indexer() store.Indexer {
	e.Helper()
	s, ok := e.store.(store.Indexer)
	if !ok {
		e.Skip("the store has no BySubject: the manager answers errors.ErrUnsupported to whatever needs it")
	}
	if _, err := s.BySubject(e.ctx, e.name("probe")); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's BySubject answers errors.ErrUnsupported")
	}
	return s
}

// lister returns the store's Lister, or skips the case.
func (e *env) lister() store.Lister {
	e.Helper()
	s, ok := e.store.(store.Lister)
	if !ok {
		e.Skip("the store has no List: the manager answers errors.ErrUnsupported to whatever needs it")
	}
	if _, _, err := s.List(e.ctx, e.name("probe"), "", 1); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's List answers errors.ErrUnsupported")
	}
	return s
}

// together calls f in n goroutines that start at once, and waits for them.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// rounds returns how often a race is repeated: each time is another chance for a store without the defence to show it.
func rounds() int {
	if testing.Short() {
		return 5
	}
	return 25
}

// short cuts long values for messages.
func short(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%s... (%d bytes)", s[:100], len(s))
	}
	return s
}

// extended returns rec as a touch hands it to the store to move its expiry.
func extended(rec store.Record, expires time.Time) store.Record {
	rec.Expires = expires
	return rec
}
