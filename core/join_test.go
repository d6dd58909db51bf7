package core

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// The id of a session that an overtaken login starts is a UUIDv7 that follows from the whole
// ticket and the subject, and tells nothing about the secret.
func TestOwnID(t *testing.T) {
	t.Parallel()
	base := testTicket(counting(1))
	id := ownID(base, "ann")
	equal(t, "again", ownID(base, "ann"), id)
	equal(t, "version", id.Version(), uuid.Version(7))
	equal(t, "variant", id.Variant(), uuid.RFC4122)
	equal(t, "time", string(id[:6]), string(base.ID[:6]))
	equal(t, "id of the ticket", id == base.ID, false)
	seen := map[uuid.UUID]string{id: "base"}
	check := func(name string, other uuid.UUID) {
		if is, ok := seen[other]; ok {
			t.Errorf("%s has the id of %s", name, is)
		}
		seen[other] = name
		equal(t, name+": version", other.Version(), uuid.Version(7))
	}
	check("another subject", ownID(base, "bob"))
	check("no subject", ownID(base, ""))
	for i := range base.Secret {
		other := base
		other.Secret[i] ^= 1
		check("another secret "+sprint(i), ownID(other, "ann"))
	}
	for i := range base.ID {
		other := base
		other.ID[i] ^= 1
		check("another id "+sprint(i), ownID(other, "ann"))
	}
	// The value of the id and the subject do not run into each other.
	shifted := base
	copy(shifted.ID[:], base.ID[1:])
	shifted.ID[15] = 'a'
	check("shifted", ownID(shifted, "nn"))
	tk := ticket.Ticket{ID: id, Secret: base.Secret}
	_, ok := parseTicket(textOf(&tk))
	equal(t, "a cookie can name it", ok, true)
}

// Which ticket may join depends on its standing and on the subject.
func TestJoins(t *testing.T) {
	t.Parallel()
	h := signedIn(counting(1))
	snap := storedSnapshot(&h)
	for st := standingUnknown; st <= standingCurrent; st++ {
		for _, subject := range []string{"ann", "bob"} {
			p := commitPlan{
				verified: verified{snap: snap, standing: st},
				delta:    &delta{login: &login{subject: subject}},
			}
			wanted := subject == "ann" && (st == standingOver || st == standingSpent)
			equal(t, sprint(st)+" "+subject, p.joins(), wanted)
		}
	}
}

// A login is refused if its session was ended against its user while it was under way.
func TestRevokedReasons(t *testing.T) {
	t.Parallel()
	for reason, wanted := range map[Reason]bool{
		ReasonRevoked: true, ReasonRevokedAll: true, ReasonRevokedEverything: true, ReasonReuse: true,
		ReasonSignedOut: false, ReasonLimit: false,
	} {
		equal(t, string(reason), revoked(reason), wanted)
	}
}

// What becomes of a login whose ticket does not open the session, by the ticket's standing.
func TestRedirectLogin(t *testing.T) {
	t.Parallel()
	mark := func(reason Reason) record.Header {
		h := headerOf(counting(1))
		h.Ended = []byte(reason)
		return h
	}
	loadedAs := func(subject string) *record.Snapshot {
		h := headerOf(counting(1))
		if subject != "" {
			h = signedIn(counting(1))
			h.Subject = []byte(subject)
		}
		snap := storedSnapshot(&h, entry("visits", "7"))
		return &snap
	}
	ann := signedIn(counting(2))
	for name, tc := range map[string]struct {
		stored   record.Header
		standing standing
		login    *login
		loaded   *record.Snapshot
		late     bool
		err      error
		own      bool   // it starts a session of its own
		values   string // of that session
	}{
		"no login":                     {ann, standingOver, nil, nil, false, errOvertaken, false, ""},
		"step-up, over":                {ann, standingOver, &login{subject: "ann", stepUp: true}, nil, false, errOvertaken, false, ""},
		"step-up, spent":               {ann, standingSpent, &login{subject: "ann", stepUp: true}, nil, false, errOvertaken, false, ""},
		"same subject, over":           {ann, standingOver, &login{subject: "ann"}, loadedAs(""), false, nil, false, ""},
		"same subject, spent":          {ann, standingSpent, &login{subject: "ann"}, loadedAs("ann"), false, nil, false, ""},
		"another, over":                {ann, standingOver, &login{subject: "eve"}, loadedAs(""), false, nil, true, "visits=7 "},
		"another, over, from a user":   {ann, standingOver, &login{subject: "eve"}, loadedAs("bob"), false, nil, true, ""},
		"another, late":                {ann, standingOver, &login{subject: "eve"}, nil, true, nil, true, ""},
		"unknown, the same subject":    {ann, standingUnknown, &login{subject: "ann"}, loadedAs(""), false, nil, true, "visits=7 "},
		"reused, the same subject":     {ann, standingReused, &login{subject: "ann"}, nil, false, nil, true, ""},
		"signed out":                   {mark(ReasonSignedOut), standingEnded, &login{subject: "ann"}, loadedAs("ann"), false, nil, true, ""},
		"signed out, from a visitor":   {mark(ReasonSignedOut), standingEnded, &login{subject: "ann"}, loadedAs(""), false, nil, true, "visits=7 "},
		"limit":                        {mark(ReasonLimit), standingEnded, &login{subject: "ann"}, loadedAs("ann"), false, nil, true, ""},
		"revoked":                      {mark(ReasonRevoked), standingEnded, &login{subject: "ann"}, loadedAs("ann"), false, errRevokedMeanwhile, false, ""},
		"revoked, another":             {mark(ReasonRevokedAll), standingEnded, &login{subject: "eve"}, loadedAs("ann"), false, errRevokedMeanwhile, false, ""},
		"revoked before the request":   {mark(ReasonRevoked), standingEnded, &login{subject: "ann"}, nil, true, nil, true, ""},
		"step-up in a revoked session": {mark(ReasonRevoked), standingEnded, &login{subject: "ann", stepUp: true}, nil, false, errOvertaken, false, ""},
	} {
		m := newTestManager(t, Options{Store: newSpy()})
		p := &commitPlan{
			verified: verified{ticket: testTicket(counting(9)), snap: storedSnapshot(&tc.stored), standing: tc.standing},
			delta:    &delta{login: tc.login}, loaded: tc.loaded, late: tc.late, kind: planReplace,
		}
		original := p.delta
		err := m.executor.redirectLogin(p)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: error is %v, want %v", name, err, tc.err)
		}
		equal(t, name+": creates", p.kind == planCreate, tc.own)
		if !tc.own {
			equal(t, name+": the record", p.snap.Record.Key, testKeyspace().key(testID))
			continue
		}
		wanted := ownID(testTicket(counting(9)), tc.login.subject)
		equal(t, name+": id", p.ticket.ID, wanted)
		equal(t, name+": key", p.snap.Record.Key, m.keyspace.key(wanted))
		equal(t, name+": the secret is new", p.ticket.Secret == counting(9), false)
		equal(t, name+": derived", p.derived, true)
		equal(t, name+": stored", p.snap.Stored(), false)
		var out composed
		want(t, m.executor.compose(&p.verified, p.delta, momentAt(time.Minute), &out), nil)
		equal(t, name+": values", entriesOf(&out.snap), tc.values)
		equal(t, name+": subject", out.snap.Subject(), tc.login.subject)
		equal(t, name+": the handler's changes", len(original.keys), 0)
	}
}

// A double submit of a login is one session, one device and two cookies that open it, whichever
// comes first and whichever the browser keeps.
func TestDoubleLogin(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]func(t *testing.T, m *Manager) *client{
		"visitor with a cart": func(t *testing.T, m *Manager) *client {
			t.Helper()
			c := newClient(t, m)
			c.request(func(s *Session) { want(t, note.Set(s, "coat"), nil) })
			return c
		},
		"another user": func(t *testing.T, m *Manager) *client {
			t.Helper()
			c := newSignedIn(t, m, "bob")
			c.request(func(s *Session) { want(t, note.Set(s, "coat"), nil) })
			return c
		},
		"the same user": func(t *testing.T, m *Manager) *client {
			t.Helper()
			c := newSignedIn(t, m, "ann")
			c.request(func(s *Session) { want(t, note.Set(s, "coat"), nil) })
			return c
		},
	} {
		for order, late := range map[string]bool{"under way": false, "after it": true} {
			eachIndexedInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				name := name + ", " + order
				m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
				first := from(t, m)
				second := first.clone()
				var underWay *Session
				if !late {
					underWay = second.load()
				}
				first.request(signInAs(t, "ann"))
				if late {
					underWay = second.load()
				}
				want(t, underWay.Login("ann"), nil)
				second.respond(underWay)
				equal(t, name+": cookies are equal", first.ticket() == second.ticket(), false)
				for _, c := range []*client{first, second} {
					s := c.load()
					equal(t, name+": subject", s.Subject(), "ann")
					equal(t, name+": cart", note.Get(s), "coat")
				}
				equal(t, name+": id", first.id(), second.id())
				equal(t, name+": sessions", liveSessions(t, m), 1)
				// The one that the browser keeps stays; the other has the grace.
				deliver(second)
				time.Sleep(30 * time.Second)
				wantTicketOvertaken(t, name+": the other", first, ReasonReplaced)
				equal(t, name+": the one that was kept", second.load().Subject(), "ann")
			})
		}
	}
}

// Two logins of another subject from one overtaken ticket share the session that the first of
// them has started.
func TestTwoLoginsOfAnotherSubjectJoin(t *testing.T) {
	t.Parallel()
	for order, late := range map[string]bool{"under way": false, "after it": true} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newClient(t, m)
			c.request(func(s *Session) { want(t, note.Set(s, "coat"), nil) })
			eves := []*client{c.clone(), c.clone(), c.clone()}
			var flight []*Session
			begin := func() {
				for _, eve := range eves {
					s := eve.load()
					want(t, s.Login("eve"), nil)
					flight = append(flight, s)
				}
			}
			if !late {
				begin()
			}
			c.request(signInAs(t, "ann"))
			if late {
				begin()
			}
			for i, eve := range eves {
				eve.respond(flight[i])
			}
			id := eves[0].id()
			for _, eve := range eves {
				s := eve.load()
				equal(t, order+": subject", s.Subject(), "eve")
				equal(t, order+": id", s.ID(), id)
				equal(t, order+": is ann's", s.ID() == c.id(), false)
				cart := map[bool]string{false: "coat"}[late]
				equal(t, order+": cart", note.Get(s), cart)
			}
			list, err := m.List(t.Context(), "eve")
			want(t, err, nil)
			equal(t, order+": eve's sessions", len(list), 1)
			equal(t, order+": ann", c.load().Subject(), "ann")
			equal(t, order+": ann's cart", note.Get(c.load()), "coat")
			equal(t, order+": refused", m.Stats().Refused, 0)
		})
	}
}

// Whoever has planted or stolen a ticket from before a login gains nothing by a login of their
// own.
func TestF1PlantedTicketGainsNothing(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		victim := newClient(t, m)
		victim.request(set(t, 1))
		thief := victim.clone()
		victim.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, note.Set(s, "private"), nil) })
		for range 2 {
			wantTicketOvertaken(t, "the thief", thief, ReasonSignedIn)
			for name, handler := range map[string]func(s *Session){
				"destroy": (*Session).Destroy,
				"step-up": func(s *Session) { _ = s.StepUp(Auth{Level: 3}) },
				"renew":   renew,
			} {
				tab := thief.clone()
				equal(t, name+": cookie", tab.request(handler).SetCookie, "")
			}
			eve := thief.clone()
			eve.request(signInAs(t, "eve"))
			equal(t, "values of the thief's own", contents(eve.load()), "")
			equal(t, "it is the victim's", eve.id() == victim.id(), false)
			_, err := m.RevokeOthers(t.Context(), thief.load())
			want(t, err, ErrGone)
			victim.request(func(s *Session) {
				equal(t, "subject", s.Subject(), "ann")
				equal(t, "note", note.Get(s), "private")
				wantAuth(t, "the victim", s.Auth(), 0)
			})
		}
		time.Sleep(2 * time.Hour)
		wantStranger(t, "the thief in the end", thief)
	})
}

// A session of its own whose id is taken by something that cannot be joined gets another id.
func TestOwnSessionWhoseIDIsTaken(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"another subject", "a mark", "a later format"} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		eve := c.clone()
		key := m.keyspace.key(ownID(c.ticket(), "eve"))
		h := signedIn(counting(7))
		switch name {
		case "a mark":
			h.Subject, h.Ended = nil, []byte(ReasonSignedOut)
		case "a later format":
			h.Subject = []byte("eve")
			h.Extensions = h.Extensions.AppendExtension(1, nil)
		}
		taken := encodeRecord(&Record{Key: key, Expires: time.Now().Add(time.Hour)}, &h, nil).Record
		_, err := store.Save(t.Context(), taken)
		want(t, err, nil)
		c.request(signInAs(t, "ann"))
		eve.request(signInAs(t, "eve"))
		equal(t, name+": subject", eve.load().Subject(), "eve")
		equal(t, name+": has the id that is taken", m.keyspace.key(eve.ticket().ID) == key, false)
		equal(t, name+": what has it", string(store.stored(t, key).Data), string(taken.Data))
	}
}

// Many logins of several subjects at once from one ticket: each subject has one session, and each
// cookie opens that of its subject.
func TestParallelLogins(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(func(s *Session) { want(t, note.Set(s, "coat"), nil) })
		subjects := strings.Fields("ann bob ann eve bob ann eve bob ann")
		tabs, flight := make([]*client, len(subjects)), make([]*Session, len(subjects))
		for i := range tabs {
			tabs[i] = c.clone()
			flight[i] = tabs[i].load()
			want(t, flight[i].Login(subjects[i]), nil)
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() {
				r, err := flight[i].finish(context.WithoutCancel(t.Context()))
				want(t, err, nil)
				tabs[i].keepCookie(r)
			})
		}
		group.Wait()
		ids := map[string]string{}
		for i, tab := range tabs {
			s := tab.load()
			equal(t, "subject", s.Subject(), subjects[i])
			equal(t, "cart", note.Get(s), "coat")
			if ids[subjects[i]] == "" {
				ids[subjects[i]] = s.ID()
			}
			equal(t, "id of "+subjects[i], s.ID(), ids[subjects[i]])
		}
		equal(t, "sessions", pagedSessionsOf(t, m, store) == 3 || pagedSessionsOf(t, m, store) == 1, true)
		wantTicketOvertaken(t, "the ticket from before", c, ReasonSignedIn)
	})
}
