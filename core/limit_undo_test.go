package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// If the store fails at any step of a login, nobody is signed in, not even by the middleware's
// commit, and the client's cookie is still valid. The handler may try again.
func TestLimitWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	steps := map[string]func(op string, n int) bool{ // whether the nth call of an operation fails
		"by subject":       func(op string, n int) bool { return op == "by subject" && n == 1 },
		"by subject again": func(op string, n int) bool { return op == "by subject" && n == 2 },
		"save":             func(op string, n int) bool { return op == "save" && n <= 2 }, // It is made once more.
		"the end of another": func(op string, n int) bool {
			return op == "save" && n == 2
		},
	}
	for _, limit := range limitPolicies() {
		for step, fails := range steps {
			for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
				for _, again := range []bool{false, true} {
					if limit == RefuseLogin && step == "the end of another" {
						continue // None is ended.
					}
					name := limit.String() + ", " + name + ", fails at " + step
					failLogin(t, name, limit, before, fails, again)
				}
			}
		}
	}
}

// failLogin signs ann in while the store fails, and then ends the request, which may try again.
func failLogin(
	t *testing.T, name string, limit LimitPolicy, before func(s *Session), fails func(op string, n int) bool,
	again bool,
) {
	t.Helper()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit})
	c := newClient(t, m)
	c.request(before)
	records, others := store.recordCount(), 0
	if limit != RefuseLogin {
		newSignedIn(t, m, "ann")
		others = 1
	}
	cookie := c.cookie
	s := c.load()
	want(t, note.Set(s, "kept"), nil)
	want(t, s.Login("ann"), nil)
	store.reset()
	store.onCall(func(_ context.Context, op, _ string) error {
		if fails(op, store.count(op)) {
			return errDown
		}
		return nil
	})
	_, err := s.commit(t.Context())
	store.onCall(nil)
	if !errors.Is(err, ErrStore) {
		t.Errorf("%s: error is %v", name, err)
	}
	wantRecords(t, name, store.spy, records+others, 0)
	equal(t, name+": subject of the request", s.Subject(), "")
	equal(t, name+": note of the request", note.Get(s), "")
	equal(t, name+": IsNew", c.load().IsNew(), cookie == "")
	equal(t, name+": subject", c.load().Subject(), "")
	equal(t, name+": others", liveSessions(t, m), others)
	if !again {
		equal(t, name+": cookie of the failed response", c.respond(s).SetCookie, "")
		wantRecords(t, name+", response", store.spy, records+others, 0)
		equal(t, name+": subject after the response", c.load().Subject(), "")
		equal(t, name+": visits after the response", visits.Get(c.load()), records)
		return
	}
	want(t, note.Set(s, "kept"), nil)
	want(t, s.Login("ann"), nil)
	c.respond(s)
	equal(t, name+": subject of the next try", c.load().Subject(), "ann")
	equal(t, name+": note", note.Get(c.load()), "kept")
	equal(t, name+": visits", visits.Get(c.load()), records)
	wantRecords(t, name+", next try", store.spy, 1, others)
	equal(t, name+": sessions", liveSessions(t, m), 1)
}

// rivalLogin returns a client that signs ann in from another process just before the next save.
func rivalLogin(tb testing.TB, store fullSpy, o *Options) *client {
	tb.Helper()
	c := newClient(tb, newTestManager(tb, *o))
	store.beforeSave(func() {
		other := *o
		other.MaxSessions, other.OnLimit = 0, EvictOldest // The other process is a step ahead.
		fast := newClient(tb, newTestManager(tb, other))
		fast.request(signInAs(tb, "ann"))
		c.cookie = fast.cookie
	})
	return c
}

// If another process takes the last place at the same time, the login is undone: a session that
// began with it is deleted, and any other is as it was before.
func TestUndoneLogin(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
		m := newTestManager(t, o)
		c := newClient(t, m)
		c.request(before)
		stored := store.recordCount()
		s := c.load()
		increment(s)
		want(t, s.Login("ann"), nil)
		id := s.ID()
		other := rivalLogin(t, store, &o)
		_, err := s.commit(t.Context())
		want(t, err, ErrLimit)
		store.onCall(nil)
		equal(t, name+": the other", other.load().Subject(), "ann")
		equal(t, name+": records", store.recordCount(), stored+1)
		equal(t, name+": subject in the request", s.Subject(), "")
		equal(t, name+": logins told", m.Stats().Logins, 0)
		equal(t, name+": the id is that of before", s.ID() == id, stored == 1) // An id that was deleted is not used again.
		store.reset()
		c.respond(s)
		equal(t, name+": calls of the next commit", store.count(""), 0)
		got := c.load()
		equal(t, name+": subject", got.Subject(), "")
		equal(t, name+": visits", visits.Get(got), stored)
		equal(t, name+": sessions", liveSessions(t, m), 1)
	}
}

// R3: a session that is ended while its login is undone stays ended.
func TestR3UndoneLoginDoesNotRevive(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
	m := newTestManager(t, o)
	c := newClient(t, m)
	c.request(set(t, 1))
	s := c.load()
	want(t, s.Login("ann"), nil)
	rivalLogin(t, store, &o)
	first := store.before
	saves := 0
	store.onCall(func(ctx context.Context, op, key string) error {
		if op == "save" && key == "session:"+c.ticket().ID.String() {
			if saves++; saves == 2 {
				want(t, store.store.Delete(ctx, key), nil)
			}
		}
		return first(ctx, op, key)
	})
	want(t, s.Save(t.Context()), ErrGone)
	store.onCall(nil)
	equal(t, "saves", saves, 2)
	equal(t, "cookie", c.clone().respond(s).SetCookie, "")
	equal(t, "IsNew", c.load().IsNew(), true)
}

// If the store fails while a login is undone, the request fails, and the client is not signed
// in.
func TestUndoLoginFails(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
		c := newClient(t, newTestManager(t, o))
		c.request(before)
		s := c.load()
		want(t, s.Login("ann"), nil)
		rivalLogin(t, store, &o)
		first := store.before
		listed := 0
		store.onCall(func(ctx context.Context, op, key string) error {
			if op == "by subject" {
				listed++
			}
			if listed == 2 && (op == "save" || op == "delete") {
				return errDown
			}
			return first(ctx, op, key)
		})
		_, err := s.commit(t.Context())
		want(t, err, ErrStore)
		store.onCall(nil)
		equal(t, name+": subject", c.load().Subject(), "")
	}
}

// If the session is ended or replaced from outside while its login is undone, it is not
// restored.
func TestUndoLoginOfAnEndedSession(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(ctx context.Context, store Store, key string) error{
		"deleted": func(ctx context.Context, store Store, key string) error { return store.Delete(ctx, key) },
		"ended": func(ctx context.Context, store Store, key string) error {
			elsewhere := newTestManager(t, Options{Store: store}) //nolint:contextcheck // It is another request.
			return elsewhere.RevokeByID(ctx, strings.TrimPrefix(key, "session:"))
		},
		"replaced": func(ctx context.Context, store Store, key string) error {
			rec, err := store.Load(ctx, key)
			want(t, err, nil)
			_, err = store.Save(ctx, rec)
			return err
		},
	} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1})
		oldest := newSignedIn(t, m, "ann")
		c := newClient(t, m)
		c.request(set(t, 1))
		s := c.load()
		key, evicted := "session:"+s.ID(), "session:"+oldest.id()
		want(t, s.Login("ann"), nil)
		reached := false
		store.onCall(func(ctx context.Context, op, got string) error {
			if op != "save" || got != evicted { // the end of the oldest
				return nil
			}
			reached = true
			want(t, meanwhile(ctx, store.store, key), nil)
			return errDown
		})
		want(t, s.Save(t.Context()), ErrGone)
		store.onCall(nil)
		equal(t, name+": the limit was reached", reached, true)
		equal(t, name+": cookie", c.clone().respond(s).SetCookie, "")
		equal(t, name+": IsNew", c.load().IsNew(), true)
		equal(t, name+": subject", c.load().Subject(), "")
		equal(t, name+": the oldest", oldest.load().Subject(), "ann")
	}
}

// R3: a session that is in the index of another subject until its login is undone does not
// escape RevokeAll for its former subject.
func TestR3UndoneLoginDoesNotEscapeRevokeAll(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]LimitPolicy{"refused": RefuseLogin, "failed": EvictOldest} {
		store := newFullSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit}), "bob")
		elsewhere := newTestManager(t, Options{Store: store.store})
		s := c.load()
		want(t, s.Login("ann"), nil)
		listed := 0
		store.onCall(func(ctx context.Context, op, _ string) error {
			if op != "by subject" {
				return nil
			}
			if listed++; listed != 2 {
				return nil
			}
			_, err := elsewhere.RevokeAll(ctx, "bob")
			want(t, err, nil)
			if limit == RefuseLogin {
				newSignedIn(t, elsewhere, "ann") //nolint:contextcheck // It is another request, with its own context.
				return nil
			}
			return errDown
		})
		_, _ = s.commit(t.Context())
		store.onCall(nil)
		equal(t, name+": bob is signed in", c.load().Subject(), "")
	}
}

// A login that fails at its deadline is undone under another deadline.
func TestLoginIsUndoneAfterATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFullSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 3}), "ann")
		listed := 0
		store.onCall(func(ctx context.Context, op, _ string) error {
			if op == "by subject" {
				if listed++; listed == 2 {
					<-ctx.Done()
				}
			}
			return ctx.Err()
		})
		s := c.load()
		want(t, s.StepUp(Auth{}), nil)
		_, err := s.finish(t.Context())
		want(t, err, ErrStore)
		store.onCall(nil)
		equal(t, "subject under the old cookie", c.load().Subject(), "ann")
	})
}

// loseSaveAnswer makes the next save succeed and return an error.
func loseSaveAnswer(store fullSpy) {
	done := false
	store.onCall(func(ctx context.Context, op, _ string) error {
		if op != "save" || done {
			return nil
		}
		done = true
		store.mu.Lock()
		rec := store.saved[len(store.saved)-1]
		store.mu.Unlock()
		_, err := store.store.Save(ctx, rec)
		return errors.Join(errDown, err)
	})
}

// A login whose save succeeded although the store returned an error is found and kept.
func TestLoginWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
		c := newClient(t, m)
		c.request(before)
		s := c.load()
		want(t, s.Login("ann"), nil)
		loseSaveAnswer(store)
		c.respond(s)
		store.onCall(nil)
		equal(t, name+": subject", c.load().Subject(), "ann")
		c.request(set(t, 7)) // The session knows the version that was stored.
		equal(t, name+": visits", visits.Get(c.load()), 7)
	}
}
