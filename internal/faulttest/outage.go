package faulttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// outage is what exists when the server becomes unavailable, and so must fail from then on.
type outage struct {
	manager *core.Manager
	store   store.Store
	cookie  string                 // of a session that exists
	record  store.Record           // that is stored
	pending map[Action]*core.Scope // requests that have begun, in sessions of their own
}

// newOutage prepares for an outage while the server is still available.
func newOutage(t *testing.T, f *fixture) *outage {
	t.Helper()
	o := &outage{
		manager: f.manager, store: f.store, cookie: startSession(t, f.manager),
		pending: make(map[Action]*core.Scope),
	}
	for _, action := range writeActions() {
		o.pending[action] = mustBegin(t, f.manager, startSession(t, f.manager))
	}
	rec := store.Record{
		Key: testserver.Name(), Subject: "somebody", Data: []byte("data"),
		Expires: time.Now().Add(time.Hour),
	}
	var err error
	if o.record, err = f.store.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	return o
}

// check sends every kind of request concurrently. All must fail without setting a cookie,
// except those that need no session.
func (o *outage) check(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	expect := func(what string, request func() error) {
		all.Go(func() {
			Promptly(t, func() {
				err := request()
				if !isUnavailable(err) || strings.Contains(err.Error(), WrongPassword) {
					t.Errorf("%s during an outage = %v, want a 503", what, err)
				}
			})
		})
	}
	for range 3 {
		expect("a visit with a cookie", func() error {
			_, err := beginRequest(t.Context(), o.manager, o.cookie)
			return err
		})
	}
	for _, action := range []Action{{actionMark, "new"}, {actionLogin, "somebody"}} {
		expect("a first "+action.Name, func() error {
			return (&browser{manager: o.manager}).visit(t.Context(), action.do)
		})
	}
	for action, sc := range o.pending {
		expect("a late "+action.Name, func() error {
			if err := action.do(sc.Get()); err != nil {
				return err
			}
			_, err := endRequest(sc)
			return err
		})
	}
	all.Go(func() { CallsFail(t, o.store, o.record, 3) })
	all.Wait()
	b := browser{manager: o.manager}
	if err := b.visit(t.Context(), Action{Name: actionRead}.do); err != nil || b.cookie != "" {
		t.Errorf("reading without a cookie = %v, want no store call", err)
	}
}

// CallsFail makes every call of a store several times concurrently, with a deadline, while the
// server does not respond. Each must fail, and not with an error that says something about a
// record. The record rec is stored and may be changed.
func CallsFail(t *testing.T, s store.Store, rec store.Record, times int) {
	t.Helper()
	var all sync.WaitGroup
	for method, call := range Calls(s, rec) {
		for range times {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				Promptly(t, func() {
					err := call(ctx)
					if !isFailure(err) || strings.Contains(err.Error(), WrongPassword) {
						t.Errorf("%s during an outage = %v, want a failure", method, err)
					}
				})
			})
		}
	}
	all.Wait()
}

// Calls returns all calls of a store by name. The record rec must be stored.
func Calls(s store.Store, rec store.Record) map[string]func(ctx context.Context) error {
	fresh := rec
	fresh.Key, fresh.Version = testserver.Name(), 0
	all := map[string]func(ctx context.Context) error{
		callLoad: func(ctx context.Context) error {
			_, err := s.Load(ctx, rec.Key)
			return err
		},
		"absent": func(ctx context.Context) error {
			_, err := s.Load(ctx, fresh.Key)
			return err
		},
		callSave: func(ctx context.Context) error {
			_, err := s.Save(ctx, rec)
			return err
		},
		"create": func(ctx context.Context) error {
			_, err := s.Save(ctx, fresh)
			return err
		},
		callDelete: func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
	}
	addOptionalCalls(all, s, rec)
	return all
}

// addOptionalCalls adds the calls of optional interfaces that the store implements.
func addOptionalCalls(
	all map[string]func(ctx context.Context) error, s store.Store, rec store.Record,
) {
	later := rec
	later.Expires = rec.Expires.Add(time.Hour)
	if s, ok := s.(store.Toucher); ok {
		all[callTouch] = func(ctx context.Context) error { return s.Touch(ctx, later) }
	}
	if s, ok := s.(store.Indexer); ok {
		all[callBySubject] = func(ctx context.Context) error {
			_, err := s.BySubject(ctx, "somebody")
			return err
		}
	}
	if s, ok := s.(store.SubjectPager); ok {
		all[callSubjectKeys] = func(ctx context.Context) error {
			_, _, err := s.SubjectKeys(ctx, "somebody", "", 10)
			return err
		}
	}
	if s, ok := s.(store.Lister); ok {
		all[callList] = func(ctx context.Context) error {
			_, _, err := s.List(ctx, "", "", 10)
			return err
		}
	}
	if s, ok := s.(interface {
		Purge(ctx context.Context, limit int) (int, error)
	}); ok {
		all["Purge"] = func(ctx context.Context) error {
			_, err := s.Purge(ctx, 10)
			return err
		}
	}
	if s, ok := s.(interface {
		Migrate(ctx context.Context) error
	}); ok {
		all["Migrate"] = s.Migrate
	}
}

// isFailure reports whether err says that something is broken, and nothing about a record.
func isFailure(err error) bool {
	for _, answer := range []error{
		store.ErrNotFound, store.ErrConflict, store.ErrTooLarge, store.ErrFull,
	} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return err != nil
}
