package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// A login whose proof began before the sessions of its subject were revoked is refused, whichever
// process has revoked them, and whatever the browser came with. Nothing is left of it.
func TestLoginFromBeforeARevocation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before func(s *Session) // what the browser has done, if anything
		others bool             // RevokeOthers, in another session of the user
		other  bool             // another process revokes
	}{
		"no cookie":                {},
		"a visitor":                {before: set(t, 1)},
		"another user":             {before: signInAs(t, "bob")},
		"no cookie, others":        {others: true},
		"a visitor, others":        {before: set(t, 1), others: true},
		"no cookie, elsewhere":     {other: true},
		"a visitor, elsewhere":     {before: set(t, 1), other: true},
		"a visitor, others, there": {before: set(t, 1), others: true, other: true},
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			by := m
			if tc.other {
				by = newTestManager(t, Options{Store: store})
			}
			user := newSignedIn(t, by, "ann")
			c := newClient(t, m)
			if tc.before != nil {
				c.request(tc.before)
			}
			sc, late := openRequest(t.Context(), t, m, nil, c.cookie), newClient(t, m).load()
			time.Sleep(10 * time.Second) // The password is checked.
			if tc.others {
				_, err := by.RevokeOthers(t.Context(), user.load())
				want(t, err, nil)
			} else {
				_, err := by.RevokeAll(t.Context(), "ann")
				want(t, err, nil)
			}
			time.Sleep(10 * time.Second)
			s := sc.Get()
			err := signIn(s, SignIn{})
			want(t, err, ErrGone)
			equal(t, name+": status", StatusCode(err), 409)
			h := map[string][]string{}
			want(t, commitInto(sc, h), nil)
			equal(t, name+": cookies", len(h["Set-Cookie"]), 0)
			left := map[bool]int{true: 1}[tc.others]
			equal(t, name+": sessions of the user", liveSessions(t, m), left)
			if tc.before != nil {
				wantTicketOvertaken(t, name, c, ReasonRevokedAll)
			}
			want(t, signIn(late, SignIn{}), ErrGone)
			// A new try is accepted at once.
			c.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil) })
			equal(t, name+": subject in the end", c.load().Subject(), "ann")
		})
	}
}

// A login that names the beginning of its proof is judged by it.
func TestLoginNamesItsProof(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			by := m
			if elsewhere {
				by = newTestManager(t, Options{Store: store})
			}
			start := func() ProofStart {
				p, err := m.StartProof(t.Context(), "ann")
				want(t, err, nil)
				return p
			}
			first, began := start(), time.Now()
			time.Sleep(time.Hour)
			_, err := by.RevokeAll(t.Context(), "ann")
			want(t, err, nil)
			second := start()
			for n, auth := range []Auth{{Start: first}, {At: began}, {At: time.Now().Add(-time.Millisecond)}} {
				err := signIn(newClient(t, m).load(), SignIn{Auth: auth})
				want(t, err, ErrGone)
				equal(t, "login refused "+fmt.Sprint(n), liveSessions(t, m), 0)
			}
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{Start: second}}), nil)
			time.Sleep(2 * time.Minute)
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{Start: start()}}), nil)
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{At: time.Now().Add(-time.Second)}}), nil)
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{Start: first}}), ErrGone)
			equal(t, "sessions", liveSessions(t, m), 3)
			// A revocation is remembered for a day.
			time.Sleep(24*time.Hour - 3*time.Minute)
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{At: began}}), ErrGone)
			time.Sleep(4 * time.Minute)
			want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{At: began}}), nil)
		})
	}
}

// The request that revokes the others may sign in, or step up, before or after that.
func TestLoginByWhoRevokesTheOthers(t *testing.T) {
	t.Parallel()
	revoke := func(s *Session) {
		_, err := s.manager.RevokeOthers(t.Context(), s)
		want(t, err, nil)
	}
	for name, handler := range map[string]func(s *Session){
		"login":         func(s *Session) { want(t, s.Login("ann"), nil); revoke(s) },
		"login saved":   func(s *Session) { want(t, signIn(s, SignIn{}), nil); revoke(s) },
		"then step-up":  func(s *Session) { want(t, signIn(s, SignIn{}), nil); revoke(s); want(t, s.StepUp(Auth{}), nil) },
		"step-up first": func(s *Session) { want(t, signIn(s, SignIn{}), nil); want(t, s.StepUp(Auth{}), nil); revoke(s) },
		"login again":   func(s *Session) { want(t, signIn(s, SignIn{}), nil); revoke(s); want(t, s.Login("ann"), nil) },
	} {
		for _, before := range []bool{false, true} {
			eachIndexedInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				m := newTestManager(t, Options{Store: store})
				other := newSignedIn(t, m, "ann")
				c := newClient(t, m)
				if before {
					c.request(set(t, 1))
				}
				c.request(handler)
				equal(t, name+": subject", c.load().Subject(), "ann")
				equal(t, name+": the other", other.load().Subject(), "")
				equal(t, name+": sessions", liveSessions(t, m), 1)
			})
		}
	}
}

// Where the store has no index, logins that are under way are refused all the same.
func TestRevokeAllWithoutAnIndex(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Store: newSpy()})
	s := newClient(t, m).load()
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, errors.ErrUnsupported)
	want(t, signIn(s, SignIn{}), ErrGone)
	want(t, signIn(newClient(t, m).load(), SignIn{}), nil)
}

// If the revocation cannot be read, nobody is signed in, and what the visitor had stays.
func TestLoginWhoseRevocationCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		if stored {
			c.request(set(t, 1))
		}
		s := c.load()
		store.onCall(func(_ context.Context, op, key string) error {
			if op == "load" && key == m.keyspace.revocationKey("ann") {
				return errDown
			}
			return nil
		})
		want(t, signIn(s, SignIn{}), ErrStore)
		equal(t, "cookie", c.respond(s).SetCookie, "")
		store.onCall(nil)
		equal(t, "sessions of the user", liveSessions(t, m), 0)
		equal(t, "the visitor's session", c.load().IsNew(), !stored)
		wantRecords(t, "in the end", store.spy, map[bool]int{true: 1}[stored], 0)
	}
}

// A login that takes the session of another user and then fails is never answered as a success.
func TestLoginOfAnotherWhoseRevocationCannotBeRead(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "bob")
	s := c.load()
	store.onCall(func(_ context.Context, op, key string) error {
		if op == "load" && key == m.keyspace.revocationKey("ann") {
			return errDown
		}
		return nil
	})
	want(t, s.Login("ann"), nil)
	_, err := s.finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "status", StatusCode(err), 503)
	store.onCall(nil)
	equal(t, "sessions of ann", liveSessions(t, m), 0)
}

// RevokeAll goes on after a session that cannot be ended, says so, and ends it the next time.
func TestRevokeGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	const sessions = 20
	for name, revoke := range map[string]func(m *Manager) (int, error){
		"all":        func(m *Manager) (int, error) { return m.RevokeAll(t.Context(), "ann") },
		"everything": func(m *Manager) (int, error) { return m.RevokeEverything(t.Context()) },
	} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		for range sessions {
			newSignedIn(t, m, "ann")
		}
		bad := map[string]bool{}
		list, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		for _, info := range list[:sessions-1] {
			bad["session:"+info.ID] = true
		}
		store.onCall(func(_ context.Context, op, key string) error {
			if (op == "save" || op == "delete") && bad[key] {
				return errDown
			}
			return nil
		})
		n, err := revoke(m)
		want(t, err, ErrStore)
		equal(t, name+": ended", n, 1)
		equal(t, name+": left", liveSessions(t, m), sessions-1)
		store.onCall(nil)
		n, err = revoke(m)
		want(t, err, nil)
		equal(t, name+": ended by the next", n, sessions-1)
	}
}

// If the store hangs, RevokeAll gives up after some time, and says that sessions may be left.
func TestRevokeGivesUp(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, StoreTimeout: time.Second})
		for range 100 {
			newSignedIn(t, m, "ann")
		}
		store.onCall(func(ctx context.Context, op, _ string) error {
			if op != "save" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		_, err := m.RevokeAll(t.Context(), "ann")
		want(t, err, errGivenUp)
		want(t, err, ErrStore)
		equal(t, "seconds", time.Since(start).Round(time.Second), 11*time.Second)
	})
}

// pagingSpy is a store that walks the keys of a subject.
type pagingSpy struct {
	fullSpy
	pages *int
}

func (s pagingSpy) BySubject(context.Context, string) ([]Record, error) {
	return nil, errors.New("all records at once")
}

func (s pagingSpy) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	*s.pages++
	recs, err := s.fullSpy.BySubject(ctx, subject)
	for i := range recs {
		if recs[i].Key > cursor {
			keys = append(keys, recs[i].Key)
		}
	}
	if slices.Sort(keys); len(keys) > limit {
		keys, next = keys[:limit], keys[limit-1]
	}
	return keys, next, err
}

var _ store.SubjectPager = pagingSpy{}

// Where the store can walk the keys of a subject, RevokeAll never has all records at once.
func TestRevokeAllInPages(t *testing.T) {
	t.Parallel()
	pages := 0
	store := pagingSpy{newFullSpy(), &pages}
	m := newTestManager(t, Options{Store: store})
	var kept string
	for range 2*revokePage + 3 {
		kept = newSignedIn(t, m, "ann").id()
	}
	newSignedIn(t, m, "bob")
	n, err := m.RevokeAll(t.Context(), "ann", kept)
	want(t, err, nil)
	equal(t, "ended", n, 2*revokePage+2)
	equal(t, "pages", pages >= 3, true)
	equal(t, "left", pagedSessions(t, m), 2)
}

// R3: of logins that run beside RevokeAll, none that began before it has returned lives.
func TestR3RevokeAllAgainstLogins(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	for range 50 {
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			sc := openRequest(t.Context(), t, m, nil, "")
			wg.Go(func() {
				<-begin
				_ = signIn(sc.Get(), SignIn{})
			})
		}
		wg.Go(func() {
			<-begin
			_, err := m.RevokeAll(t.Context(), "ann")
			want(t, err, nil)
		})
		close(begin)
		wg.Wait()
		equal(t, "sessions", liveSessions(t, m), 0)
	}
}

// Check tells a stream or a long request that its session has ended, whatever ended it.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(c *client)
		err       error
	}{
		"nothing":    {func(*client) {}, nil},
		"another":    {func(c *client) { c.request(increment) }, nil},
		"a renewal":  {func(c *client) { c.request(renew) }, nil},
		"a logout":   {func(c *client) { c.request((*Session).Destroy) }, ErrGone},
		"revoked":    {func(c *client) { want(c.t, c.m.RevokeByID(c.t.Context(), c.id()), nil) }, ErrGone},
		"all":        {func(c *client) { _, err := c.m.RevokeAll(c.t.Context(), "ann"); want(c.t, err, nil) }, ErrGone},
		"expired":    {func(*client) { time.Sleep(2 * time.Hour) }, ErrGone},
		"signed in":  {func(c *client) { c.request(signInAs(c.t, "bob")) }, ErrGone},
		"long since": {func(c *client) { c.request((*Session).Destroy); time.Sleep(time.Hour) }, ErrGone},
	} {
		for _, streams := range []bool{false, true} {
			eachIndexedInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				c := newSignedIn(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}), "ann")
				s := c.load()
				if streams {
					c.respond(s)
				}
				want(t, s.Check(t.Context()), nil)
				tc.meanwhile(c.clone())
				want(t, s.Check(t.Context()), tc.err)
				if name == "a logout" || name == "revoked" { // The next request comes too late.
					want(t, c.load().Check(t.Context()), ErrGone)
				}
				equal(t, name+": subject that was loaded", s.Subject(), "ann")
			})
		}
	}
}

// Check makes one call of the store, counts as no use, and tells an outage from an end.
func TestCheckCalls(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}), "ann")
		begun := time.Now()
		s := c.stream()
		time.Sleep(30 * time.Minute)
		store.reset()
		want(t, s.Check(canceledContext(t)), nil)
		equal(t, "calls", store.count(""), 1)
		equal(t, "loads", store.count("load"), 1)
		store.failOn("load", errDown)
		want(t, s.Check(t.Context()), ErrStore)
		store.onCall(nil)
		seen, _, _ := c.times(store.store)
		equal(t, "seen", seen.UnixMilli(), begun.UnixMilli())
		store.reset()
		want(t, newClient(t, c.m).load().Check(t.Context()), nil)
		equal(t, "calls for a visitor", store.count(""), 0)
	})
}

// Erase leaves nothing of a user, whatever was done to their sessions before, and everything of
// others.
func TestErase(t *testing.T) {
	t.Parallel()
	for _, paged := range []bool{false, true} {
		var store Store = newFullSpy()
		records := store.(fullSpy).spy
		if paged {
			pages := 0
			store = pagingSpy{newFullSpy(), &pages}
			records = store.(pagingSpy).spy
		}
		m := newTestManager(t, Options{Store: store})
		other := newSignedIn(t, m, "bob")
		c := newSignedIn(t, m, "ann")
		for range 10 {
			c = newSignedIn(t, m, "ann")
		}
		_, err := m.RevokeOthers(t.Context(), c.load())
		want(t, err, nil)
		c.request(renew)
		newSignedIn(t, m, "ann")
		underWay := c.load()
		n, err := m.Erase(t.Context(), "ann")
		want(t, err, nil)
		equal(t, "ended", n, 2)
		equal(t, "revoked", m.Stats().Revoked, 12)
		recs, _, err := records.store.(Lister).List(t.Context(), "", "", 1000)
		want(t, err, nil)
		notes := 0
		left := slices.DeleteFunc(recs, func(rec Record) bool {
			if isRevocation(rec) {
				notes++
				equal(t, "the note stays for long", time.Until(rec.Expires) > 12*time.Minute, false)
			}
			snap, err := decodeRecord(rec)
			return err == nil && snap.HasEnded() // such as the marks of RevokeOthers
		})
		equal(t, "records left", len(left), 1)
		equal(t, "notes", notes, 1)
		equal(t, "the other", other.load().Subject(), "bob")
		increment(underWay)
		equal(t, "cookie of a request under way", c.respond(underWay).SetCookie, "")
		equal(t, "subject", c.load().Subject(), "")
		_, err = m.Erase(t.Context(), "")
		want(t, err, errNoSubject)
	}
	_, err := newTestManager(t, Options{Store: newSpy()}).Erase(t.Context(), "ann")
	want(t, err, errors.ErrUnsupported)
}

// takenOver is a store in which another user signs in with a session between the list and the load
// or the save that ends it.
type takenOver struct {
	pagingSpy
	signIn func()
	on     string
}

func (s *takenOver) during(op string) {
	if op == s.on && s.signIn != nil {
		signIn := s.signIn
		s.signIn = nil
		signIn()
	}
}

func (s *takenOver) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) ([]string, string, error) {
	keys, next, err := s.pagingSpy.SubjectKeys(ctx, subject, cursor, limit)
	s.during("list")
	return keys, next, err
}

func (s *takenOver) Load(ctx context.Context, key string) (Record, error) {
	rec, err := s.pagingSpy.Load(ctx, key)
	s.during("load")
	return rec, err
}

// Neither RevokeAll nor Erase ends the session of another user who signs in with it meanwhile.
func TestRevokeAllSparesWhoTakesTheSession(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(m *Manager) (int, error){
		"revoke": func(m *Manager) (int, error) { return m.RevokeAll(t.Context(), "ann") },
		"erase":  func(m *Manager) (int, error) { return m.Erase(t.Context(), "ann") },
	} {
		for _, on := range []string{"list", "load"} {
			pages := 0
			store := &takenOver{pagingSpy: pagingSpy{newFullSpy(), &pages}, on: on}
			m := newTestManager(t, Options{Store: store})
			c := newSignedIn(t, m, "ann")
			skip := 0
			var signIn func()
			signIn = func() {
				if skip++; on == "load" && skip == 1 { // the load of the revocation
					store.signIn = signIn
					return
				}
				c.request(signInAs(t, "bob"))
			}
			store.signIn = signIn
			_, err := revoke(m)
			want(t, err, nil)
			equal(t, name+", at the "+on+": subject", c.load().Subject(), "bob")
		}
	}
}

// A login that is refused ends no other session of its user, as a limit of sessions would.
func TestRefusedLoginEvictsNobody(t *testing.T) {
	t.Parallel()
	for _, policy := range limitPolicies() {
		m := newTestManager(t, Options{MaxSessions: 1, OnLimit: policy})
		kept := newSignedIn(t, m, "ann")
		sc := openRequest(t.Context(), t, m, nil, "")
		s := kept.load()
		_, err := m.RevokeOthers(t.Context(), s)
		want(t, err, nil)
		kept.respond(s)
		err = signIn(sc.Get(), SignIn{})
		equal(t, policy.String()+": refused", errors.Is(err, ErrGone) || errors.Is(err, ErrLimit), true)
		equal(t, policy.String()+": subject", kept.load().Subject(), "ann")
	}
}

// A refused login tells why the session is gone.
func TestRefusedLoginTellsWhy(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(set(t, 1))
	s := c.load()
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	want(t, signIn(s, SignIn{}), ErrGone)
	reason, overtaken := s.Overtaken()
	equal(t, "overtaken", overtaken, true)
	equal(t, "reason", reason, ReasonRevokedAll)
}

// A login from before Erase does not survive it, and a StartProof does not hide a time of the proof.
func TestLoginFromBeforeErase(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		start, err := m.StartProof(t.Context(), "ann")
		want(t, err, nil)
		s, proved := newClient(t, m).load(), newClient(t, m).load()
		began := time.Now()
		time.Sleep(time.Minute)
		_, err = m.Erase(t.Context(), "ann")
		want(t, err, nil)
		time.Sleep(time.Minute)
		want(t, signIn(s, SignIn{}), ErrGone)
		want(t, signIn(proved, SignIn{Auth: Auth{Start: start}}), ErrGone)
		start, err = m.StartProof(t.Context(), "ann")
		want(t, err, nil)
		want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{Start: start, At: began}}), ErrGone)
		equal(t, "sessions", liveSessions(t, m), 0)
		time.Sleep(time.Hour) // The note of the erasure is gone.
		want(t, signIn(newClient(t, m).load(), SignIn{Auth: Auth{Start: start}}), ErrGone)
		want(t, signIn(newClient(t, m).load(), SignIn{}), nil)
	})
}

// A damaged record of a revocation counts as none, with an event.
func TestDamagedRevocation(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	damageRecord(t, store, m.keyspace.revocationKey("ann"))
	want(t, signIn(newClient(t, m).load(), SignIn{}), nil)
	equal(t, "damaged records", m.Stats().Undecodable, 1)
}

// The count at an arrival is exact, also where its last three bytes begin again.
func TestArrival(t *testing.T) {
	t.Parallel()
	for _, n := range []uint32{0, 1, 255, 1<<16 - 1, 1<<24 - 1, 1 << 24, 1<<24 + 7, 1<<32 - 2} {
		c := newRevocationCount()
		c.n.Store(n)
		a := c.arrive()
		equal(t, "at once", c.at(a), n)
		c.n.Store(n + 1)
		equal(t, "after another", c.at(a), n)
		if n < 1<<31 {
			c.n.Store(n + 1<<24 - 1)
			equal(t, "after very many", c.at(a), n)
		}
	}
}

// A login that is under way when everybody's sessions are revoked is refused, and may be tried
// again.
func TestLoginFromBeforeEverythingWasRevoked(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		visitor := newClient(t, m)
		visitor.request(set(t, 1))
		fresh, known := newClient(t, m).load(), visitor.load()
		_, err := m.RevokeEverything(t.Context())
		want(t, err, nil)
		want(t, signIn(fresh, SignIn{}), ErrGone)
		want(t, signIn(known, SignIn{}), ErrGone)
		equal(t, "sessions", liveSessions(t, m), 0)
		want(t, signIn(newClient(t, m).load(), SignIn{}), nil)
	})
}
