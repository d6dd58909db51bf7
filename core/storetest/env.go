package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core/store"
)

// env is the environment of one case: its test, its store, and keys and subjects that no other
// case uses.
type env struct {
	testing.TB
	*Config
	rule   string
	unique string          // prefix of all keys and subjects of this case
	ctx    context.Context //nolint:containedctx // the context of one test case
	store  store.Store
	second store.Store // same as store if there is no second handle

	mu   sync.Mutex
	keys []string // to delete at the end
}

func newEnv(tb testing.TB, rule string, config *Config) *env {
	tb.Helper()
	var random [8]byte
	_, _ = rand.Read(random[:])
	e := &env{
		TB: tb, Config: config, rule: rule, ctx: tb.Context(),
		unique: "storetest:" + hex.EncodeToString(random[:]) + ":",
	}
	e.store = config.New(tb)
	e.second = e.store
	if config.Second != nil {
		e.second = config.Second(tb, e.store)
	}
	tb.Cleanup(e.cleanUp)
	return e
}

// cleanUp deletes what the case stored. Some of it never expires, and the server may be
// shared.
func (e *env) cleanUp() {
	ctx := context.WithoutCancel(e.ctx)
	for _, key := range e.keys {
		func() {
			defer func() { _ = recover() }() // The case has already reported the panic.
			_ = e.store.Delete(ctx, key)
		}()
	}
}

// Errorf reports a failure together with the rule that the store breaks.
func (e *env) Errorf(format string, args ...any) {
	e.Helper()
	e.TB.Errorf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// Fatalf is like Errorf but ends the case.
func (e *env) Fatalf(format string, args ...any) {
	e.Helper()
	e.TB.Fatalf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// handle returns the first handle for even i and the second for odd i.
func (e *env) handle(i int) store.Store {
	if i%2 == 0 {
		return e.store
	}
	return e.second
}

// name returns a key or subject that no other case and no other run uses.
func (e *env) name(name string) string {
	name = e.unique + name
	e.track(name)
	return name
}

// track remembers a key to delete at the end.
func (e *env) track(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = append(e.keys, key)
}

// abbreviate cuts long values for messages.
func abbreviate(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%s... (%d bytes)", s[:100], len(s))
	}
	return s
}
