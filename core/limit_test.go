package core

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// allLimits are the ways to keep the limit.
func allLimits() []LimitPolicy { return []LimitPolicy{EvictOldest, EvictIdle, RefuseLogin} }

// liveOf returns how many sessions ann has.
func liveOf(tb testing.TB, m *Manager) int {
	tb.Helper()
	list, err := m.List(tb.Context(), "ann")
	want(tb, err, nil)
	return len(list)
}

// signIn is a request that signs ann in and tells how that ended.
func (c *client) signIn() error {
	c.t.Helper()
	s := c.arrive()
	want(c.t, s.Login("ann"), nil)
	r, err := s.finish(c.t.Context())
	c.keep(r)
	return err
}

// D8, one login after the other: the right one goes.
func TestD8OneAfterTheOther(t *testing.T) {
	t.Parallel()
	for _, limit := range allLimits() {
		eachIndexed(t, func(t *testing.T, store Store) {
			t.Helper()
			seen := new(recorder)
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: limit, OnEvent: seen.add})
			first := newSignedIn(t, m, "ann")
			time.Sleep(4 * 24 * time.Hour)
			second, bob := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
			time.Sleep(4 * 24 * time.Hour)
			first.visit(read) // a touch: the second is idle for longer
			third := newClient(t, m)
			ids := map[LimitPolicy]string{EvictOldest: first.id(), EvictIdle: second.id()}
			var refused error
			if limit == RefuseLogin {
				refused = ErrLimit
			}
			want(t, third.signIn(), refused)
			name := limit.String()
			equal(t, name+": sessions", liveOf(t, m), 2)
			equal(t, name+": first, IsNew", first.arrive().IsNew(), limit == EvictOldest)
			equal(t, name+": second, IsNew", second.arrive().IsNew(), limit == EvictIdle)
			equal(t, name+": third, IsNew", third.arrive().IsNew(), limit == RefuseLogin)
			equal(t, name+": bob", bob.arrive().Subject(), "bob")
			events := seen.after(t, m)
			equal(t, name+": limit reached", m.Stats().LimitsReached, 1)
			for _, e := range events {
				switch e.Kind {
				case EventLimitReached:
					equal(t, name+": subject", e.Subject, "ann")
					equal(t, name+": session", limit == RefuseLogin || e.SessionID == ids[limit], true)
				case EventRevoked:
					equal(t, name+": reason", e.Reason, ReasonLimit)
					equal(t, name+": session", e.SessionID, ids[limit])
				default:
				}
			}
			equal(t, name+": revoked", has(events, EventRevoked), limit != RefuseLogin)
		})
	}
}

// D8, all at once, through two managers on one store, which do not share their saveLocks, as two processes would.
func TestD8ParallelLogins(t *testing.T) {
	t.Parallel()
	for _, limit := range allLimits() {
		for _, most := range []int{1, 3} {
			for name, open := range map[string]func() Store{
				"memory":          stores()["memory"],
				"without Instant": func() Store { return newFullSpy() },
			} {
				t.Run(limit.String()+", "+sprint(most)+", "+name, func(t *testing.T) {
					t.Parallel()
					for range 10 {
						store := open()
						o := Options{Store: store, MaxSessions: most, OnLimit: limit}
						parallelLogins(t, [...]*Manager{newTestManager(t, o), newTestManager(t, o)}, most, limit)
					}
				})
			}
		}
	}
}

func parallelLogins(t *testing.T, managers [2]*Manager, most int, limit LimitPolicy) {
	t.Helper()
	clients := make([]*client, 16)
	errs := make([]error, len(clients))
	var group sync.WaitGroup
	for i := range clients {
		clients[i] = newClient(t, managers[i%2])
		if i%4 > 1 {
			clients[i].visit(set(t, 1)) // half of them have a session before
		}
		group.Go(func() { errs[i] = clients[i].signIn() })
	}
	group.Wait()
	in := 0
	for i, c := range clients {
		s := c.arrive()
		if s.Subject() == "ann" {
			in++
			want(t, errs[i], nil)
		}
		if limit == RefuseLogin && errs[i] != nil {
			want(t, errs[i], ErrLimit)
			equal(t, "the refused one has what it had", visits.Get(s), i%4/2)
		}
	}
	left := liveOf(t, managers[0])
	equal(t, "sessions that a cookie reaches", in, left)
	if left > most || left == 0 || limit != RefuseLogin && left != most {
		t.Errorf("%d sessions are left, want %d", left, most)
	}
}

// With a store that takes its time, as real ones do, logins of many processes at once leave as many as allowed, and at
// least one of them is let in.
func TestD8ManyProcesses(t *testing.T) {
	t.Parallel()
	for _, limit := range allLimits() {
		t.Run(limit.String(), func(t *testing.T) {
			t.Parallel()
			for range 5 {
				synctest.Test(t, func(t *testing.T) {
					store := newFullSpy()
					clients := make([]*client, 12)
					for i := range clients {
						clients[i] = newClient(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit, StoreTimeout: time.Minute}))
					}
					store.hook(func(context.Context, string, string) error { time.Sleep(5 * time.Millisecond); return nil })
					for _, c := range clients {
						go func() { _ = c.signIn() }()
					}
					time.Sleep(5 * time.Minute)
					store.hook(nil)
					equal(t, "sessions", liveOf(t, clients[0].m), 1)
				})
			}
		})
	}
}

// A login that is refused leaves everything as it was: cookie, subject, data, and what else the request changed.
func TestRefusedLoginChangesNothing(t *testing.T) {
	t.Parallel()
	eachIndexed(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
		newSignedIn(t, m, "ann")
		for name, before := range map[string]func(s *Session){
			"anonymous":        func(s *Session) { want(t, visits.Set(s, 1), nil) },
			"signed in as bob": func(s *Session) { want(t, s.LoginWith("bob", Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) },
		} {
			c := newClient(t, m)
			c.visit(before)
			cookie, id := c.cookie, c.id()
			subject, auth := c.arrive().Subject(), c.arrive().Auth()
			s := c.arrive()
			increment(s)
			want(t, note.Set(s, "kept"), nil)
			want(t, s.LoginWith("ann", Auth{Level: 3}), nil)
			_, err := s.commit(t.Context())
			want(t, err, ErrLimit)
			equal(t, name+": status", StatusCode(err), 409)
			equal(t, name+": subject in the request", s.Subject(), subject)
			sameAuth(t, name+", in the request", s.Auth(), auth.Level)
			equal(t, name+": stored data", visits.Get(c.arrive()), 1)
			equal(t, name+": stored subject", c.arrive().Subject(), subject)
			// The handler answers it, and what it changed for who signs in is dropped.
			c.leave(s)
			equal(t, name+": cookie", c.cookie, cookie)
			c.visit(func(s *Session) {
				equal(t, name+": id", s.ID(), id)
				equal(t, name+": visits", visits.Get(s), 1)
				equal(t, name+": note", note.Get(s), "")
				equal(t, name+": subject", s.Subject(), subject)
			})
			want(t, c.m.RevokeByID(t.Context(), id), nil)
		}
		c := newClient(t, m)
		s := c.arrive()
		want(t, s.Login("ann"), nil)
		_, err := s.commit(t.Context())
		want(t, err, ErrLimit)
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "cookie of a new visitor", c.leave(s).SetCookie, "")
		n, err := m.Count(t.Context())
		want(t, err, nil)
		equal(t, "records", n, 1)
	})
}

// The session that is the subject's already takes no further place, at the limit and beyond it.
func TestLoginAgainTakesNoPlace(t *testing.T) {
	t.Parallel()
	for _, limit := range allLimits() {
		eachIndexed(t, func(t *testing.T, store Store) {
			t.Helper()
			before := newTestManager(t, Options{Store: store})
			clients := []*client{newSignedIn(t, before, "ann"), newSignedIn(t, before, "ann")}
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: limit})
			for _, c := range clients {
				c.m = m
				want(t, c.signIn(), nil)
				c.visit(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
			}
			for _, c := range clients {
				equal(t, limit.String()+": subject", c.arrive().Subject(), "ann")
			}
			equal(t, limit.String()+": limit reached", m.Stats().LimitsReached, 0)
			// A limit that was lowered is kept from the next login on.
			clients[1].m = newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit})
			time.Sleep(time.Second)
			want(t, clients[1].signIn(), nil)
			equal(t, limit.String()+": subject", clients[1].arrive().Subject(), "ann")
			equal(t, limit.String()+": the other, IsNew", clients[0].arrive().IsNew(), limit != RefuseLogin)
		})
	}
}

// X5: where the clock of the process that signs in is behind, the new login is still the latest.
func TestX5LimitWithAClockBehind(t *testing.T) {
	t.Parallel()
	for _, limit := range []LimitPolicy{EvictOldest, EvictIdle} {
		eachIndexed(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: limit})
			ahead := newSignedIn(t, m, "ann")
			key := "session:" + ahead.id()
			rec, err := store.Load(t.Context(), key)
			want(t, err, nil)
			snap, err := decodeRecord(rec)
			want(t, err, nil)
			h := snap.Header()
			h.Seen, h.Authenticated = h.Seen+60_000, h.Authenticated+60_000
			_, err = store.Save(t.Context(), encodeRecord(&snap.Record, &h, nil).Record)
			want(t, err, nil)
			for range 3 {
				last := newSignedIn(t, m, "ann")
				equal(t, limit.String()+": the new one", last.arrive().Subject(), "ann")
				time.Sleep(time.Millisecond)
			}
			equal(t, limit.String()+": sessions", liveOf(t, m), 2)
			equal(t, limit.String()+": the one from ahead, IsNew", ahead.arrive().IsNew(), true)
		})
	}
}

// The store fails at one step of a login: the login has not happened, and the client's cookie is as good as before.
func TestLimitWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, limit := range allLimits() {
		for step, at := range map[string]int{"by subject": 1, "by subject again": 2, "save": 1, "delete": 1} {
			for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
				name = limit.String() + ", " + name + ", fails at " + step
				store := newFullSpy()
				m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit})
				c := newClient(t, m)
				c.visit(before)
				records := store.records()
				if limit != RefuseLogin {
					newSignedIn(t, m, "ann")
					records++
				} else if step == "delete" {
					continue // nothing is deleted
				}
				cookie := c.cookie
				store.forget()
				store.hook(func(_ context.Context, op, _ string) error {
					if strings.HasPrefix(step, op) && store.count(op) == at {
						return errDown
					}
					return nil
				})
				s := c.arrive()
				want(t, note.Set(s, "kept"), nil)
				want(t, s.Login("ann"), nil)
				_, err := s.commit(t.Context())
				store.hook(nil)
				if !errors.Is(err, ErrStore) {
					t.Errorf("%s: error is %v", name, err)
				}
				equal(t, name+": records", store.records(), records)
				equal(t, name+": IsNew", c.arrive().IsNew(), cookie == "")
				equal(t, name+": subject", c.arrive().Subject(), "")
				// The request may try again.
				c.leave(s)
				equal(t, name+": subject of the next try", c.arrive().Subject(), "ann")
				equal(t, name+": note", note.Get(c.arrive()), "kept")
				equal(t, name+": sessions", liveOf(t, m), 1)
			}
		}
	}
}

// rival signs another browser in through a manager of its own when the store is about to save the first time.
func rival(tb testing.TB, store fullSpy, o *Options) *client {
	tb.Helper()
	c := newClient(tb, newTestManager(tb, *o))
	store.once(func() {
		other := *o
		other.MaxSessions, other.OnLimit = 0, EvictOldest // of another process, which is a step ahead
		fast := newClient(tb, newTestManager(tb, other))
		fast.visit(as(tb, "ann"))
		c.cookie = fast.cookie
	})
	return c
}

// Where another process took the last place at the same time, a login gives its place back: a session that began with it is
// deleted, one that was there before is what it was.
func TestWithdrawnLogin(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
		m := newTestManager(t, o)
		c := newClient(t, m)
		c.visit(before)
		stored := store.records()
		s := c.arrive()
		increment(s)
		want(t, s.Login("ann"), nil)
		id := s.ID()
		other := rival(t, store, &o)
		_, err := s.commit(t.Context())
		want(t, err, ErrLimit)
		store.hook(nil)
		equal(t, name+": the other", other.arrive().Subject(), "ann")
		equal(t, name+": records", store.records(), stored+1)
		equal(t, name+": subject in the request", s.Subject(), "")
		equal(t, name+": logins told", m.Stats().Logins, 0)
		equal(t, name+": the id is that of before", s.ID() == id, stored == 1) // one that was deleted is not used again
		store.forget()
		c.leave(s)
		equal(t, name+": calls of the next commit", store.count(""), 0)
		got := c.arrive()
		equal(t, name+": subject", got.Subject(), "")
		equal(t, name+": visits", visits.Get(got), stored)
		equal(t, name+": sessions", liveOf(t, m), 1)
	}
}

// A login that is being withdrawn and whose session is ended from outside stays ended.
func TestR3WithdrawDoesNotRevive(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
	m := newTestManager(t, o)
	c := newClient(t, m)
	c.visit(set(t, 1))
	s := c.arrive()
	want(t, s.Login("ann"), nil)
	rival(t, store, &o)
	first := store.before
	saves := 0
	store.hook(func(ctx context.Context, op, key string) error {
		if op == "save" && key == "session:"+c.ticketOf().ID.String() {
			if saves++; saves == 2 {
				want(t, store.store.Delete(ctx, key), nil)
			}
		}
		return first(ctx, op, key)
	})
	want(t, s.Save(t.Context()), ErrGone)
	store.hook(nil)
	equal(t, "saves", saves, 2)
	equal(t, "cookie", c.with().leave(s).SetCookie, "")
	equal(t, "IsNew", c.arrive().IsNew(), true)
}

// The store fails while a login is withdrawn: the request is an error, and whoever holds the cookie is not signed in.
func TestWithdrawFails(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		o := Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}
		c := newClient(t, newTestManager(t, o))
		c.visit(before)
		s := c.arrive()
		want(t, s.Login("ann"), nil)
		rival(t, store, &o)
		first := store.before
		listed := 0
		store.hook(func(ctx context.Context, op, key string) error {
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
		store.hook(nil)
		equal(t, name+": subject", c.arrive().Subject(), "")
	}
}

// With a Destroy in the same request the place of the old session is free for the new one.
func TestDestroyFreesThePlace(t *testing.T) {
	t.Parallel()
	eachIndexed(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}), "ann")
		before := c.id()
		c.visit(func(s *Session) { s.Destroy(); want(t, s.Login("ann"), nil) })
		equal(t, "subject", c.arrive().Subject(), "ann")
		equal(t, "the same session", c.id() == before, false)
	})
}

// An evicted login of another process's choice ends quietly: no cookie, no session.
func TestLoginThatIsEvictedAtOnce(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1})
		c := newClient(t, m)
		s := c.arrive()
		want(t, s.Login("ann"), nil)
		store.once(func() { // a login of another process, whose clock is ahead
			time.Sleep(time.Second)
			newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		})
		want(t, s.Save(t.Context()), ErrGone)
		_, err := m.RevokeOthers(t.Context(), s)
		want(t, err, ErrGone)
		equal(t, "cookie", c.leave(s).SetCookie, "")
		equal(t, "sessions", liveOf(t, m), 1)
	})
}

// A login that waits for its turn does not wait for ever.
func TestLoginWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, StoreTimeout: time.Second})
		release := make(chan struct{})
		store.hook(func(context.Context, string, string) error { <-release; return nil })
		go func() { _ = newClient(t, m).signIn() }()
		synctest.Wait()
		want(t, newClient(t, m).signIn(), ErrStore)
		close(release)
		synctest.Wait()
		store.hook(nil)
		equal(t, "sessions", liveOf(t, m), 1)
	})
}

// A login that fails and whose session is ended, or replaced, from outside meanwhile is not put back.
func TestTakenBackLoginOfAnEndedSession(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(ctx context.Context, store Store, key string) error{
		"ended": func(ctx context.Context, store Store, key string) error { return store.Delete(ctx, key) },
		"replaced": func(ctx context.Context, store Store, key string) error {
			rec, err := store.Load(ctx, key)
			want(t, err, nil)
			_, err = store.Save(ctx, rec)
			return err
		},
	} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1})
		newSignedIn(t, m, "ann")
		c := newClient(t, m)
		c.visit(set(t, 1))
		s := c.arrive()
		key := "session:" + s.ID()
		want(t, s.Login("ann"), nil)
		store.hook(func(ctx context.Context, op, _ string) error {
			if op != "delete" {
				return nil
			}
			want(t, meanwhile(ctx, store.store, key), nil)
			return errDown
		})
		want(t, s.Save(t.Context()), ErrGone)
		store.hook(nil)
		equal(t, name+": cookie", c.with().leave(s).SetCookie, "")
		equal(t, name+": IsNew", c.arrive().IsNew(), true)
	}
}

// R3: a session that belongs to somebody else for the length of a login that is taken back does not escape when all of its
// first owner's are revoked meanwhile.
func TestR3WithdrawnLoginDoesNotHide(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]LimitPolicy{"refused": RefuseLogin, "failed": EvictOldest} {
		store := newFullSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit}), "bob")
		elsewhere := newTestManager(t, Options{Store: store.store})
		s := c.arrive()
		want(t, s.Login("ann"), nil)
		listed := 0
		store.hook(func(ctx context.Context, op, _ string) error {
			if op != "by subject" {
				return nil
			}
			if listed++; listed != 2 {
				return nil
			}
			_, err := elsewhere.RevokeAll(ctx, "bob")
			want(t, err, nil)
			if limit == RefuseLogin {
				newSignedIn(t, elsewhere, "ann") //nolint:contextcheck // who takes the last place, in a request of her own
				return nil
			}
			return errDown
		})
		_, _ = s.commit(t.Context())
		store.hook(nil)
		equal(t, name+": bob is signed in", c.arrive().Subject(), "")
	}
}

// The deadline that makes a login fail is not the one under which it is taken back.
func TestLoginIsTakenBackAfterATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFullSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 3}), "ann")
		listed := 0
		store.hook(func(ctx context.Context, op, _ string) error {
			if op == "by subject" {
				if listed++; listed == 2 {
					<-ctx.Done()
				}
			}
			return ctx.Err()
		})
		s := c.arrive()
		want(t, s.StepUp(Auth{}), nil)
		_, err := s.finish(t.Context())
		want(t, err, ErrStore)
		store.hook(nil)
		equal(t, "subject under the old cookie", c.arrive().Subject(), "ann")
	})
}

// lostAnswer lets the next save happen and its answer be lost.
func lostAnswer(store fullSpy) {
	done := false
	store.hook(func(ctx context.Context, op, _ string) error {
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

// A login whose answer is lost has happened: its place is the client's, and not a ghost's.
func TestLoginWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
		c := newClient(t, m)
		c.visit(before)
		s := c.arrive()
		want(t, s.Login("ann"), nil)
		lostAnswer(store)
		c.leave(s)
		store.hook(nil)
		equal(t, name+": subject", c.arrive().Subject(), "ann")
		c.visit(set(t, 7)) // it knows the version
		equal(t, name+": visits", visits.Get(c.arrive()), 7)
	}
}

// A login that a broken clock has dated years ahead neither stays for ever nor passes its date on.
func TestX5LoginFromTheFuture(t *testing.T) {
	t.Parallel()
	for _, limit := range []LimitPolicy{EvictOldest, EvictIdle} {
		eachIndexed(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit})
			ahead := newSignedIn(t, m, "ann")
			rec, err := store.Load(t.Context(), "session:"+ahead.id())
			want(t, err, nil)
			snap, err := decodeRecord(rec)
			want(t, err, nil)
			h := snap.Header()
			h.Authenticated += (2 * 365 * 24 * time.Hour).Milliseconds()
			_, err = store.Save(t.Context(), encodeRecord(&snap.Record, &h, nil).Record)
			want(t, err, nil)
			equal(t, "the one from ahead is fresh", ahead.arrive().Fresh(time.Hour), false)
			now := newSignedIn(t, m, "ann").arrive()
			equal(t, limit.String()+": the new one", now.Subject(), "ann")
			equal(t, limit.String()+": it is dated now", now.AuthenticatedAt().Before(time.Now().Add(time.Second)), true)
			equal(t, limit.String()+": the one from ahead, IsNew", ahead.arrive().IsNew(), true)
		})
	}
}
