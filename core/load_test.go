package core

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestD1D2AnonymousVisitorsAreFree(t *testing.T) {
	t.Parallel()
	store := newTouchSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	for i := range 10_000 {
		r := c.request(func(s *Session) {
			read(s)
			if i%2 == 0 {
				s.Destroy()
			}
		})
		if r.SetCookie != "" {
			t.Fatal("a cookie for a visitor without a session")
		}
	}
	equal(t, "store calls", store.count(""), 0)
}

func TestF1UnknownToken(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	planted := newTestTicket(t, m)
	c := newClient(t, m)
	c.cookie = "session=" + textOf(&planted)
	reply := c.request(read)
	equal(t, "Set-Cookie after a read", reply.SetCookie, "")
	equal(t, "records after a read", store.recordCount(), 0)
	c.request(set(t, 1))
	if got := c.ticket(); got.ID == planted.ID || got.Secret == planted.Secret {
		t.Error("the planted token was adopted")
	}
	equal(t, "records", store.recordCount(), 1)
}

// F1: a known id without its secret opens nothing.
func TestF1WrongSecret(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.request(set(t, 1))
	thief := newClient(t, m)
	for bit := range 256 {
		tk := c.ticket()
		tk.Secret[bit/8] ^= 1 << (bit % 8)
		thief.cookie = "session=" + textOf(&tk)
		thief.request(func(s *Session) {
			equal(t, "IsNew", s.IsNew(), true)
			equal(t, "visits", visits.Get(s), 0)
		})
	}
	thief.request(set(t, 2))
	if thief.id() == c.id() {
		t.Error("the thief's session has the victim's id")
	}
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	equal(t, "refused", hasKind(events.closeAndList(t, m), EventRefused), true)
}

// F5: an attacker plants the token of a session of his own, and the victim signs in with it.
// The attacker is shut out.
func TestF5PlantedLiveToken(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	attacker := c.clone()
	attacker.request(set(t, 1))
	victim := attacker.clone()
	inFlight := attacker.load()
	victim.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	attacker.request(func(s *Session) {
		equal(t, "the attacker's subject", s.Subject(), "")
		equal(t, "the attacker's IsNew", s.IsNew(), true)
	})
	// A request that the attacker began before the login is shut out as well.
	increment(inFlight)
	equal(t, "the attacker's cookie", attacker.respond(inFlight).SetCookie, "")
	victim.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

// F6: the token of a session that has ended opens nothing, and starts nothing as long as requests
// with it may be under way. Then its bearer is a visitor, whose session has another id.
func TestF6EndedTokenMeansNewID(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		old, stale := c.ticket(), c.clone()
		c.request((*Session).Destroy)
		for _, wait := range []time.Duration{0, DefaultGrace + rememberedFor - time.Millisecond} {
			time.Sleep(wait)
			reply := stale.request(func(s *Session) { wantShutOut(t, "the stale one", s, ReasonSignedOut) })
			equal(t, "Set-Cookie", reply.SetCookie, "")
			wantRecords(t, "remembered", store, 0, 1)
		}
		time.Sleep(time.Millisecond)
		wantRecords(t, "forgotten", store, 0, 0)
		stale.request(set(t, 2))
		if stale.ticket().ID == old.ID {
			t.Error("the ended session's id lives again")
		}
		if _, err := store.store.Load(t.Context(), m.keyspace.key(old.ID)); !errors.Is(err, ErrNotFound) {
			t.Errorf("the ended session's record: %v", err)
		}
	})
}

func TestC6Duplicates(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	mine := newClient(t, m)
	mine.request(set(t, 5))
	decoys := make([]string, 6)
	for i := range decoys {
		tk := newTestTicket(t, m)
		decoys[i] = "session=" + textOf(&tk)
	}
	for name, tc := range map[string]struct {
		field  string
		visits int
		loads  int
	}{
		"alone":                   {mine.cookie, 5, 1},
		"after one":               {decoys[0] + "; " + mine.cookie, 5, 2},
		"before one":              {mine.cookie + "; " + decoys[0], 5, 2},
		"before six":              {mine.cookie + "; " + strings.Join(decoys, "; "), 5, 4},
		"after three":             {strings.Join(decoys[:3], "; ") + "; " + mine.cookie, 5, 4},
		"after four":              {strings.Join(decoys[:4], "; ") + "; " + mine.cookie, 0, 4},
		"six that are unknown":    {strings.Join(decoys, "; "), 0, 4},
		"one decoy ten times":     {strings.Repeat(decoys[0]+"; ", 10) + mine.cookie, 5, 2},
		"malformed ones are free": {strings.Repeat("session=x; ", 100) + mine.cookie, 5, 1},
		"other names in between":  {"a=b; " + decoys[0] + "; session2=" + decoys[1][8:] + "; " + mine.cookie, 5, 2},
		"same id, another secret": {"session=" + tokenWithOtherSecret(mine) + "; " + mine.cookie, 5, 2},
		"another secret after it": {mine.cookie + "; session=" + tokenWithOtherSecret(mine), 5, 1},
		"in two fields' worth":    {decoys[0] + ";" + mine.cookie, 5, 2},
	} {
		store.reset()
		s := loadCookie(t, m, tc.field)
		equal(t, name+": visits", visits.Get(s), tc.visits)
		equal(t, name+": loads", store.count("load"), tc.loads)
	}
	store.reset()
	s := unloadedSession(m, decoys[0], "", "x=y", mine.cookie)
	want(t, s.load(t.Context()), nil)
	equal(t, "visits from the fourth field", visits.Get(s), 5)
}

// C6: several tickets may open sessions, after a change of the cookie's domain or path. The first
// one counts, each of the others is reported, and Destroy ends all of them.
func TestC6SeveralSessions(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	mine, second, third := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob"), newSignedIn(t, m, "carol")
	elsewhere := newSignedIn(t, m, "ann")
	planted := newTestTicket(t, m)
	all := strings.Join([]string{
		mine.cookie, "session=" + textOf(&planted), second.cookie, mine.cookie,
		"session=" + tokenWithOtherSecret(elsewhere), third.cookie, // The limit comes before the third.
	}, "; ")
	s := loadCookie(t, m, all)
	equal(t, "subject", s.Subject(), "ann")
	id := s.ID()
	s.Destroy()
	reply, err := s.finish(t.Context())
	want(t, err, nil)
	equal(t, "cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
	wantRecords(t, "afterwards", store, 2, 2)
	equal(t, "first", mine.load().Subject(), "")
	equal(t, "second", second.load().Subject(), "")
	equal(t, "beyond the limit", third.load().Subject(), "carol")
	equal(t, "of a secret that is not its own", elsewhere.load().Subject(), "ann")
	several := 0
	for _, e := range events.closeAndList(t, m) {
		if e.Kind == EventSeveral {
			several++
			equal(t, "session", e.SessionID, id)
			equal(t, "subject", e.Subject, "ann")
		}
	}
	equal(t, "reported", several, 1)
}

// C6: if one of several sessions cannot be ended, the logout fails, and the cookie stays.
func TestC6SeveralSessionsOutage(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	mine, other := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
	s := loadCookie(t, m, mine.cookie+"; "+other.cookie)
	key := m.keyspace.key(other.ticket().ID)
	store.onCall(func(_ context.Context, op, k string) error {
		if op == "save" && k == key {
			return errDown
		}
		return nil
	})
	s.Destroy()
	_, err := s.commit(t.Context())
	want(t, err, ErrStore)
	store.onCall(nil)
	reply, err := s.finish(t.Context()) // It is tried again.
	want(t, err, nil)
	equal(t, "cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
	wantRecords(t, "afterwards", store, 0, 2)
}

// C6: if the load of one of several tickets fails, the request fails, because that ticket may
// be the valid one.
func TestC6OutageOnADuplicate(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	mine := newClient(t, m)
	mine.request(set(t, 5))
	decoy := newTestTicket(t, m)
	store.onCall(func(_ context.Context, _, k string) error {
		if k == m.keyspace.key(decoy.ID) {
			return errDown
		}
		return nil
	})
	s := unloadedSession(m, "session="+textOf(&decoy)+"; "+mine.cookie)
	want(t, s.load(t.Context()), ErrStore)
}

func TestO1LoadError(t *testing.T) {
	t.Parallel()
	store := newSpy()
	var events recorder
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.request(set(t, 1))
	store.failOn("load", errDown)
	s := unloadedSession(m, c.cookie)
	err := s.load(t.Context())
	want(t, err, ErrStore)
	want(t, err, errDown)
	equal(t, "status", StatusCode(err), 503)
	equal(t, "event", hasKind(events.closeAndList(t, m), EventStoreFailed), true)
}

// O4: a load whose client has disconnected fails, and is logged for debugging only.
func TestO4DisconnectDuringLoad(t *testing.T) {
	t.Parallel()
	log, out := debugLog()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Logger: log})
	c := newClient(t, m)
	c.request(set(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store.onCall(func(ctx context.Context, _, _ string) error { return ctx.Err() })
	s := unloadedSession(m, c.cookie)
	want(t, s.load(ctx), ErrStore)
	if !strings.Contains(out.String(), `"level":"DEBUG"`) || strings.Contains(out.String(), `"level":"ERROR"`) {
		t.Errorf("the log says %s", out)
	}
}

func TestLazyUntouchedCostsNothing(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.request(set(t, 1))
	store.reset()
	s := unloadedSession(m, c.cookie)
	equal(t, "printed", s.String(), "session()")
	r, err := s.finish(t.Context())
	want(t, err, nil)
	wantNoReply(t, "reply", r)
	equal(t, "calls", store.count(""), 0)
}

func TestLazyFailedLoad(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.request(set(t, 1))
	attach := func() *Session {
		s := unloadedSession(m, c.cookie)
		store.failOn("load", errDown)
		want(t, s.load(t.Context()), ErrStore)
		return s
	}
	// A session that is not used does not need the load.
	s := attach()
	r, err := s.finish(t.Context())
	want(t, err, nil)
	wantNoReply(t, "reply", r)
	// If the session is used, the response must not look as if there were none.
	for name, use := range map[string]func(s *Session){
		"read":    read,
		"keys":    func(s *Session) { s.Keys() },
		"subject": func(s *Session) { equal(t, "Subject", s.Subject(), "") },
		"write":   func(s *Session) { want(t, visits.Set(s, 9), ErrStore) },
		"update":  increment,
		"destroy": (*Session).Destroy,
		"login":   func(s *Session) { want(t, s.Login("ann"), ErrStore) },
	} {
		s := attach()
		use(s)
		r, err := s.finish(t.Context())
		want(t, err, ErrStore)
		want(t, err, errDown)
		equal(t, name+": status", StatusCode(err), 503)
		wantNoReply(t, name+": reply", r)
	}
	// The load may be tried again.
	s = attach()
	store.onCall(nil)
	want(t, s.load(t.Context()), nil)
	equal(t, "visits", visits.Get(s), 1)
	c.respond(s)
}

func TestUseWithoutLoad(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	tk := newTestTicket(t, m)
	s := unloadedSession(m, "session="+textOf(&tk))
	equal(t, "ID", s.ID(), "")
	want(t, visits.Set(s, 1), errNotLoaded)
	_, err := s.finish(t.Context())
	want(t, err, errNotLoaded)
	equal(t, "status", StatusCode(err), 500)
}

// A second load makes no call of the store.
func TestLoadOnce(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	want(t, c.load().load(t.Context()), nil)
	c.request(set(t, 1))
	store.reset()
	s := c.load()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { want(t, s.load(t.Context()), nil) })
	}
	group.Wait()
	equal(t, "loads", store.count("load"), 1)
}
