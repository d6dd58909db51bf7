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

// down is what is there when the server goes away, and what must fail from then on.
type down struct {
	manager *core.Manager
	store   store.Store
	cookie  string               // of a session that is alive
	record  store.Record         // that is stored
	late    map[Deed]*core.Scope // requests that have arrived in sessions of their own
}

// newOutage prepares for an outage, while the server is there.
func newOutage(t *testing.T, r *rig) *down {
	t.Helper()
	d := &down{manager: r.manager, store: r.store, cookie: enter(t, r.manager), late: make(map[Deed]*core.Scope)}
	for _, deed := range writes() {
		d.late[deed] = mustArrive(t, r.manager, enter(t, r.manager))
	}
	rec := store.Record{Key: testserver.Name(), Subject: "somebody", Data: []byte("data"), Expires: time.Now().Add(time.Hour)}
	var err error
	if d.record, err = r.store.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	return d
}

// check makes every kind of request, all at once: all fail but those that need no session, and none sets a cookie.
func (d *down) check(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	expect := func(what string, request func() error) {
		all.Go(func() {
			Promptly(t, func() {
				if err := request(); !outage(err) || strings.Contains(err.Error(), WrongPassword) {
					t.Errorf("%s during an outage = %v, want a 503", what, err)
				}
			})
		})
	}
	for range 3 {
		expect("a visit with a cookie", func() error { _, err := arrive(t.Context(), d.manager, d.cookie); return err })
	}
	for _, deed := range []Deed{{doMark, "new"}, {doLogin, "somebody"}} {
		expect("a first "+deed.Do, func() error { return (&browser{manager: d.manager}).visit(t.Context(), deed.act) })
	}
	for deed, sc := range d.late {
		expect("a late "+deed.Do, func() error {
			if err := deed.act(sc.Get()); err != nil {
				return err
			}
			_, err := leave(sc)
			return err
		})
	}
	all.Go(func() { CallsFail(t, d.store, d.record, 3) })
	all.Wait()
	stranger := browser{manager: d.manager}
	if err := stranger.visit(t.Context(), Deed{Do: doRead}.act); err != nil || stranger.cookie != "" {
		t.Errorf("a stranger who only reads = %v, want no store call", err)
	}
}

// CallsFail makes every call of a store several times, all at once, with a deadline that the server lets pass. None may
// succeed, or answer as if it knew about the record. The record is one that may be changed.
func CallsFail(t *testing.T, s store.Store, rec store.Record, times int) {
	t.Helper()
	var all sync.WaitGroup
	for method, call := range Calls(s, rec) {
		for range times {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				Promptly(t, func() {
					if err := call(ctx); !failure(err) || strings.Contains(err.Error(), WrongPassword) {
						t.Errorf("%s during an outage = %v, want a failure", method, err)
					}
				})
			})
		}
	}
	all.Wait()
}

// Calls are all that a store can do, by name, with a record that is stored.
func Calls(s store.Store, rec store.Record) map[string]func(ctx context.Context) error {
	fresh, later := rec, rec
	fresh.Key, fresh.Version = testserver.Name(), 0
	later.Expires = rec.Expires.Add(time.Hour)
	all := map[string]func(ctx context.Context) error{
		callLoad:   func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err },
		"absent":   func(ctx context.Context) error { _, err := s.Load(ctx, fresh.Key); return err },
		callSave:   func(ctx context.Context) error { _, err := s.Save(ctx, rec); return err },
		"create":   func(ctx context.Context) error { _, err := s.Save(ctx, fresh); return err },
		callDelete: func(ctx context.Context) error { return s.Delete(ctx, "nothing") },
	}
	if s, ok := s.(store.Toucher); ok {
		all[callTouch] = func(ctx context.Context) error { return s.Touch(ctx, later) }
	}
	if s, ok := s.(store.Indexer); ok {
		all[callBySubject] = func(ctx context.Context) error { _, err := s.BySubject(ctx, "somebody"); return err }
	}
	if s, ok := s.(store.Lister); ok {
		all[callList] = func(ctx context.Context) error { _, _, err := s.List(ctx, "", "", 10); return err }
	}
	if s, ok := s.(interface {
		Purge(ctx context.Context, limit int) (int, error)
	}); ok {
		all["Purge"] = func(ctx context.Context) error { _, err := s.Purge(ctx, 10); return err }
	}
	if s, ok := s.(interface {
		Migrate(ctx context.Context) error
	}); ok {
		all["Migrate"] = s.Migrate
	}
	return all
}

// failure reports whether err says that something is broken, and does not pretend to know about the record.
func failure(err error) bool {
	for _, answer := range []error{store.ErrNotFound, store.ErrConflict, store.ErrTooLarge, store.ErrFull} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return err != nil
}
