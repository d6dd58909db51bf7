package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestUpdateMayNotSave calls everything that saves in the function of an update, when it runs first and when the commit runs
// it again, which would wait for itself.
func TestUpdateMayNotSave(t *testing.T) {
	t.Parallel()
	for name, save := range map[string]func(ctx context.Context, s *Session) error{
		"Save":   func(ctx context.Context, s *Session) error { return s.Save(ctx) },
		"Commit": func(ctx context.Context, s *Session) error { _, err := s.commitEarly(ctx); return err },
		"TakeOnce": func(ctx context.Context, s *Session) error {
			_, _, err := note.TakeOnce(ctx, s)
			return err
		},
		"Once": func(ctx context.Context, s *Session) error {
			return Once(ctx, s, "lease", time.Minute, func() error { t.Error("the work runs"); return nil })
		},
		"KeepAlive":  func(ctx context.Context, s *Session) error { return s.KeepAlive(ctx) },
		"SignIn":     func(ctx context.Context, s *Session) error { return s.SignIn(ctx, "bob", SignIn{}) },
		"ActAs":      func(ctx context.Context, s *Session) error { return s.ActAs(ctx, "bob") },
		"StopActing": func(ctx context.Context, s *Session) error { return s.StopActing(ctx) },
		"Confirm":    func(ctx context.Context, s *Session) error { return s.Confirm(ctx, Auth{Level: 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, newTestManager(t, Options{}))
			c.request(func(s *Session) {
				want(t, s.Login("ann"), nil)
				want(t, visits.Set(s, 1), nil)
				want(t, note.Set(s, "kept"), nil)
			})
			s, runs := c.load(), 0
			visits.Update(s, func(n int) int {
				runs++
				want(t, save(t.Context(), s), errInsideUpdate)
				return n + 1
			})
			c.clone().request(set(t, 10))
			finishInTime(t, s)
			equal(t, "runs", runs, 2)
			c.request(func(s *Session) {
				equal(t, "visits", visits.Get(s), 11)
				equal(t, "note", note.Get(s), "kept")
				equal(t, "subject", s.Subject(), "ann")
				equal(t, "level", s.Auth().Level, 0)
				if _, there := Key[Lease]("lease").Lookup(s); there {
					t.Error("the lease is stored")
				}
			})
		})
	}
}

// TestUpdateBesideSave saves in another goroutine of the request while the function of an update runs.
func TestUpdateBesideSave(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	visits.Update(s, func(n int) int {
		saved := make(chan error)
		go func() { saved <- s.Save(t.Context()) }()
		want(t, <-saved, nil)
		return n + 1
	})
	want(t, s.Save(t.Context()), nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

// TestUpdateChangesItself has functions that change the value which they are to return. That comes to an end.
func TestUpdateChangesItself(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	visits.Update(s, func(n int) int { increment(s); return n + 1 })
	_, err := s.finish(t.Context())
	if err == nil || !strings.Contains(err.Error(), `Update of "visits"`) || errors.Is(err, ErrStore) {
		t.Errorf("the commit = %v, want an error that names the value", err)
	}
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}
