package core

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limitPolicies returns all policies.
func limitPolicies() []LimitPolicy { return []LimitPolicy{EvictOldest, EvictIdle, RefuseLogin} }

// liveSessions returns the number of ann's sessions.
func liveSessions(tb testing.TB, m *Manager) int {
	tb.Helper()
	list, err := m.List(tb.Context(), "ann")
	want(tb, err, nil)
	return len(list)
}

// tryLogin runs a request that signs ann in, and returns the error of its commit.
func (c *client) tryLogin() error {
	c.t.Helper()
	s := c.load()
	want(c.t, s.Login("ann"), nil)
	r, err := s.finish(c.t.Context())
	c.keepCookie(r)
	return err
}

// D8: of logins one after the other, the policy chooses which session ends.
func TestD8LoginsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for _, limit := range limitPolicies() {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			seen := new(recorder)
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: limit, OnEvent: seen.add})
			first := newSignedIn(t, m, "ann")
			time.Sleep(4 * 24 * time.Hour)
			second, bob := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
			time.Sleep(4 * 24 * time.Hour)
			first.request(read) // This is a touch, so the second is idle for longer.
			third := newClient(t, m)
			ids := map[LimitPolicy]string{EvictOldest: first.id(), EvictIdle: second.id()}
			var refused error
			if limit == RefuseLogin {
				refused = ErrLimit
			}
			want(t, third.tryLogin(), refused)
			name := limit.String()
			equal(t, name+": sessions", liveSessions(t, m), 2)
			equal(t, name+": first, IsNew", first.load().IsNew(), limit == EvictOldest)
			equal(t, name+": second, IsNew", second.load().IsNew(), limit == EvictIdle)
			equal(t, name+": third, IsNew", third.load().IsNew(), limit == RefuseLogin)
			equal(t, name+": bob", bob.load().Subject(), "bob")
			events := seen.closeAndList(t, m)
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
			equal(t, name+": revoked", hasKind(events, EventRevoked), limit != RefuseLogin)
		})
	}
}

// D8: logins at the same time through two managers, which share no locks, as two processes do
// not.
func TestD8ParallelLogins(t *testing.T) {
	t.Parallel()
	for _, limit := range limitPolicies() {
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
			clients[i].request(set(t, 1)) // Half of them have a session before.
		}
		group.Go(func() { errs[i] = clients[i].tryLogin() })
	}
	group.Wait()
	in := 0
	for i, c := range clients {
		s := c.load()
		if s.Subject() == "ann" {
			in++
			want(t, errs[i], nil)
		}
		if limit == RefuseLogin && errs[i] != nil {
			want(t, errs[i], ErrLimit)
			equal(t, "the refused one has what it had", visits.Get(s), i%4/2)
		}
	}
	left := liveSessions(t, managers[0])
	equal(t, "sessions that a cookie reaches", in, left)
	if left > most || left == 0 || limit != RefuseLogin && left != most {
		t.Errorf("%d sessions are left, want %d", left, most)
	}
}

// D8: after logins of many processes at the same time, on a store that takes some time, as many
// sessions are left as allowed, and at least one.
func TestD8ManyProcesses(t *testing.T) {
	t.Parallel()
	for _, limit := range limitPolicies() {
		t.Run(limit.String(), func(t *testing.T) {
			t.Parallel()
			for range 5 {
				synctest.Test(t, func(t *testing.T) {
					store := newFullSpy()
					clients := make([]*client, 12)
					for i := range clients {
						clients[i] = newClient(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit, StoreTimeout: time.Minute}))
					}
					store.onCall(func(context.Context, string, string) error { time.Sleep(5 * time.Millisecond); return nil })
					for _, c := range clients {
						go func() { _ = c.tryLogin() }()
					}
					time.Sleep(5 * time.Minute)
					store.onCall(nil)
					equal(t, "sessions", liveSessions(t, clients[0].m), 1)
				})
			}
		})
	}
}

// A refused login changes nothing: neither cookie, subject and data, nor what else the request
// changed.
func TestRefusedLoginChangesNothing(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
		newSignedIn(t, m, "ann")
		for name, before := range map[string]func(s *Session){
			"anonymous":        func(s *Session) { want(t, visits.Set(s, 1), nil) },
			"signed in as bob": func(s *Session) { want(t, s.LoginWith("bob", Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) },
		} {
			c := newClient(t, m)
			c.request(before)
			cookie, id := c.cookie, c.id()
			subject, auth := c.load().Subject(), c.load().Auth()
			s := c.load()
			increment(s)
			want(t, note.Set(s, "kept"), nil)
			want(t, s.LoginWith("ann", Auth{Level: 3}), nil)
			_, err := s.commit(t.Context())
			want(t, err, ErrLimit)
			equal(t, name+": status", StatusCode(err), 409)
			equal(t, name+": subject in the request", s.Subject(), subject)
			wantAuth(t, name+", in the request", s.Auth(), auth.Level)
			equal(t, name+": stored data", visits.Get(c.load()), 1)
			equal(t, name+": stored subject", c.load().Subject(), subject)
			// The handler answers the error. What it changed for the user who signs in is
			// dropped.
			c.respond(s)
			equal(t, name+": cookie", c.cookie, cookie)
			c.request(func(s *Session) {
				equal(t, name+": id", s.ID(), id)
				equal(t, name+": visits", visits.Get(s), 1)
				equal(t, name+": note", note.Get(s), "")
				equal(t, name+": subject", s.Subject(), subject)
			})
			want(t, c.m.RevokeByID(t.Context(), id), nil)
		}
		c := newClient(t, m)
		s := c.load()
		want(t, s.Login("ann"), nil)
		_, err := s.commit(t.Context())
		want(t, err, ErrLimit)
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "cookie of a new visitor", c.respond(s).SetCookie, "")
		n, err := m.Count(t.Context())
		want(t, err, nil)
		equal(t, "records, with the marks of the two that were revoked", n, 3)
		time.Sleep(DefaultGrace + rememberedFor)
		n, err = m.Count(t.Context())
		want(t, err, nil)
		equal(t, "records", n, 1)
	})
}

// A session in which the subject is signed in already takes no further place, even beyond the
// limit.
func TestLoginAgainTakesNoPlace(t *testing.T) {
	t.Parallel()
	for _, limit := range limitPolicies() {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			before := newTestManager(t, Options{Store: store})
			clients := []*client{newSignedIn(t, before, "ann"), newSignedIn(t, before, "ann")}
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: limit})
			for _, c := range clients {
				c.m = m
				want(t, c.tryLogin(), nil)
				c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
			}
			for _, c := range clients {
				equal(t, limit.String()+": subject", c.load().Subject(), "ann")
			}
			equal(t, limit.String()+": limit reached", m.Stats().LimitsReached, 0)
			// A lower limit applies from the next login on.
			clients[1].m = newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: limit})
			time.Sleep(time.Second)
			want(t, clients[1].tryLogin(), nil)
			equal(t, limit.String()+": subject", clients[1].load().Subject(), "ann")
			equal(t, limit.String()+": the other, IsNew", clients[0].load().IsNew(), limit != RefuseLogin)
		})
	}
}

// X5: if the clock of the process that signs in is behind, its login still ranks as the latest.
func TestX5LimitWithAClockBehind(t *testing.T) {
	t.Parallel()
	for _, limit := range []LimitPolicy{EvictOldest, EvictIdle} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
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
				equal(t, limit.String()+": the new one", last.load().Subject(), "ann")
				time.Sleep(time.Millisecond)
			}
			equal(t, limit.String()+": sessions", liveSessions(t, m), 2)
			equal(t, limit.String()+": the one from ahead, IsNew", ahead.load().IsNew(), true)
		})
	}
}

// X5: a login that was dated years ahead by a wrong clock ends first, and later logins do not
// take its date.
func TestX5LoginFromTheFuture(t *testing.T) {
	t.Parallel()
	for _, limit := range []LimitPolicy{EvictOldest, EvictIdle} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
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
			equal(t, "the one from ahead is fresh", ahead.load().Fresh(time.Hour), false)
			now := newSignedIn(t, m, "ann").load()
			equal(t, limit.String()+": the new one", now.Subject(), "ann")
			equal(t, limit.String()+": it is dated now", now.AuthenticatedAt().Before(time.Now().Add(time.Second)), true)
			equal(t, limit.String()+": the one from ahead, IsNew", ahead.load().IsNew(), true)
		})
	}
}

// Destroy in the same request makes room for the login.
func TestDestroyFreesThePlace(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin}), "ann")
		before := c.id()
		c.request(func(s *Session) { s.Destroy(); want(t, s.Login("ann"), nil) })
		equal(t, "subject", c.load().Subject(), "ann")
		equal(t, "the same session", c.id() == before, false)
	})
}

// If another process ends the session right after its login, the request gets no cookie and no
// session.
func TestLoginThatIsEvictedAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1})
		c := newClient(t, m)
		s := c.load()
		want(t, s.Login("ann"), nil)
		store.beforeSave(func() { // This is a login of another process, whose clock is ahead.
			time.Sleep(time.Second)
			newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		})
		want(t, s.Save(t.Context()), ErrGone)
		_, err := m.RevokeOthers(t.Context(), s)
		want(t, err, ErrGone)
		equal(t, "cookie", c.respond(s).SetCookie, "")
		equal(t, "sessions", liveSessions(t, m), 1)
	})
}

// A login that waits for another of the same subject fails at its timeout.
func TestLoginStopsWaitingAtTheTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, StoreTimeout: time.Second})
		release := make(chan struct{})
		store.onCall(func(context.Context, string, string) error { <-release; return nil })
		go func() { _ = newClient(t, m).tryLogin() }()
		synctest.Wait()
		want(t, newClient(t, m).tryLogin(), ErrStore)
		close(release)
		synctest.Wait()
		store.onCall(nil)
		equal(t, "sessions", liveSessions(t, m), 1)
	})
}

// MaxSessions that is switched on for a user with very many sessions fails no login. Each login
// ends a bounded number, and the limit holds at once for those that come from then on.
func TestLimitForAUserWithVeryMany(t *testing.T) {
	t.Parallel()
	for _, policy := range []LimitPolicy{EvictOldest, EvictIdle} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			const before, limit = 300, 3
			unlimited := newTestManager(t, Options{Store: store})
			for range before {
				newSignedIn(t, unlimited, "ann")
				time.Sleep(time.Second)
			}
			m := newTestManager(t, Options{Store: store, MaxSessions: limit, OnLimit: policy})
			store.onCall(func(ctx context.Context, _, _ string) error {
				time.Sleep(10 * time.Millisecond)
				return ctx.Err()
			})
			var clients []*client
			for n := range 6 {
				start := time.Now()
				clients = append(clients, newSignedIn(t, m, "ann"))
				equal(t, "a login takes long", time.Since(start) > 3*time.Second, false)
				equal(t, "sessions", liveSessions(t, m), max(before+1-(n+1)*(maxEvictions-1)-1, limit))
				for i, c := range clients {
					equal(t, "a new one is signed in", c.load().Subject() == "ann", i > n-limit)
				}
			}
		})
	}
}

// On a slow store a login stops ending others while there is time left to answer.
func TestLimitOnASlowStore(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		unlimited := newTestManager(t, Options{Store: store})
		for range 50 {
			newSignedIn(t, unlimited, "ann")
			time.Sleep(time.Second)
		}
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, StoreTimeout: 5 * time.Second})
		store.onCall(func(ctx context.Context, _, _ string) error {
			time.Sleep(200 * time.Millisecond)
			return ctx.Err()
		})
		newSignedIn(t, m, "ann")
		store.onCall(nil)
		left := liveSessions(t, m)
		equal(t, "some are left", left > 1 && left < 50, true)
	})
}

// An old proof does not become fresh because the user has other sessions, and the login is not the
// one that gives way.
func TestLimitKeepsTheTimeOfTheProof(t *testing.T) {
	t.Parallel()
	for _, policy := range []LimitPolicy{EvictOldest, EvictIdle} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: policy, Lifetime: 9 * time.Hour})
			other := newSignedIn(t, m, "ann")
			c := newClient(t, m)
			at := time.Now().Add(-8 * time.Hour)
			c.request(func(s *Session) { want(t, signIn(s, SignIn{Auth: Auth{At: at}}), nil) })
			s := c.load()
			equal(t, "subject", s.Subject(), "ann")
			equal(t, "the other", other.load().Subject(), "")
			equal(t, "fresh", s.Fresh(time.Hour), false)
			equal(t, "expires", s.Expires().Sub(at), 9*time.Hour)
		})
	}
}

// However slow the store is, a login ends at least one session beyond the limit, and that which
// came last.
func TestLimitOnAVerySlowStore(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1, StoreTimeout: time.Second})
		store.onCall(func(ctx context.Context, _, _ string) error {
			time.Sleep(170 * time.Millisecond)
			return ctx.Err()
		})
		for range 6 {
			newSignedIn(t, m, "ann")
			time.Sleep(time.Second)
		}
		store.onCall(nil)
		equal(t, "sessions", liveSessions(t, m), 1)
	})
}
