package core

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// R1, R9: A loads, B destroys, A does anything. The session stays ended, and A gets no cookie. Only
// a login goes on: it starts a session of its own, with nothing of the one that has ended.
func TestR1LogoutWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write":      func(s *Session) { _ = visits.Set(s, 2) },
		"update":     increment,
		"delete":     func(s *Session) { _ = visits.Delete(s) },
		"clear":      func(s *Session) { _ = s.Clear() },
		"renew":      func(s *Session) { _ = s.Renew() },
		"login":      func(s *Session) { _ = s.Login("bob") },
		"set expiry": func(s *Session) { _ = s.SetExpiry(Permanent) },
		"read":       read,
		"nothing":    func(*Session) {},
		"destroy":    (*Session).Destroy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store Store) {
				t.Helper()
				m := newTestManager(t, Options{Store: store})
				a := newClient(t, m)
				a.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
				b, k := a.clone(), m.keyspace.prefix+a.id()
				s := a.load()
				b.request((*Session).Destroy)
				late := a.clone()
				handler(s)
				reply := a.respond(s)
				wantMark(t, "the session", store, k, ReasonSignedOut)
				wantTicketOvertaken(t, "the ticket from before", late, ReasonSignedOut)
				switch name {
				case "login":
					a.request(func(s *Session) {
						equal(t, "A's subject", s.Subject(), "bob")
						equal(t, "A's values", contents(s), "")
						equal(t, "A has the id of the ended session", m.keyspace.key(a.ticket().ID) == k, false)
					})
				case "destroy":
					if reply.SetCookie != "" && !strings.Contains(reply.SetCookie, removalAttributes) {
						t.Errorf("A gets the cookie %q", reply.SetCookie)
					}
				default:
					equal(t, "A's cookie", reply.SetCookie, "")
				}
			})
		})
	}
}

// R1: A is only due for a touch.
func TestR1TouchDoesNotRevive(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		a := newClient(t, m)
		a.request(set(t, 1))
		b, k := a.clone(), m.keyspace.prefix+a.id()
		time.Sleep(30 * time.Minute)
		s := a.load()
		b.request((*Session).Destroy)
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Set-Cookie", a.respond(s).SetCookie, "")
		wantMark(t, "the session", store, k, ReasonSignedOut)
		wantTicketOvertaken(t, "A", a, ReasonSignedOut)
	})
}

// R1: the logout comes between A's attempts to save.
func TestR1LogoutDuringTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	a := newClient(t, m)
	a.request(set(t, 1))
	key := m.keyspace.key(a.ticket().ID)
	other, out := a.clone(), a.clone()
	s := a.load()
	increment(s)
	first := true
	store.beforeSave(func() {
		other.request(func(s *Session) { want(t, note.Set(s, "other"), nil) })
		store.onCall(func(_ context.Context, op, _ string) error {
			if op == "save" && first {
				first = false
				out.request((*Session).Destroy) //nolint:contextcheck // It is another request, with its own context.
			}
			return nil
		})
	})
	equal(t, "Set-Cookie", a.respond(s).SetCookie, "")
	store.onCall(nil)
	wantMark(t, "the session", store, key, ReasonSignedOut)
	equal(t, "records", store.recordCount(), 1)
	want(t, visits.Set(s, 3), ErrGone)
}

// R2: after a login in B, the request of A under the old secret changes nothing. A login of A's own
// gets a session of its own, with what the visitor had.
func TestR2LoginWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": func(s *Session) { _ = visits.Set(s, 2) }, "update": increment, "clear": func(s *Session) { _ = s.Clear() },
		"renew": func(s *Session) { _ = s.Renew() }, "login": func(s *Session) { _ = s.Login("eve") },
		"read": read, "destroy": (*Session).Destroy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store Store) {
				t.Helper()
				var events recorder
				m := newTestManager(t, Options{Store: store, OnEvent: events.add})
				a := newClient(t, m)
				a.request(set(t, 1))
				b, late := a.clone(), a.clone()
				s := a.load()
				b.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, note.Set(s, "b"), nil) })
				handler(s)
				reply := a.respond(s)
				b.request(func(s *Session) {
					equal(t, "Subject", s.Subject(), "ann")
					equal(t, "visits", visits.Get(s), 1)
					equal(t, "note", note.Get(s), "b")
				})
				wantTicketOvertaken(t, "the ticket from before", late, ReasonSignedIn)
				if name == "login" {
					a.request(func(s *Session) {
						equal(t, "A's subject", s.Subject(), "eve")
						equal(t, "A's values", contents(s), "visits=1")
					})
					equal(t, "A has B's session", a.id() == b.id(), false)
					return
				}
				equal(t, "A's Set-Cookie", reply.SetCookie, "")
				if name != "read" {
					equal(t, "an event", hasKind(events.closeAndList(t, m), EventGone), true)
				}
			})
		})
	}
}

// R2: A loads, B steps up, A does anything under the former secret. Until B's secret has come
// back, A may do what it could do before, but it gets neither the new level nor the cookie. A
// step-up of A's own gives it a cookie and its own level, and leaves B with B's.
func TestR2StepUpBesideARequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler func(s *Session)
		visits  int
	}{
		"write":          {set(t, 2), 2},
		"read":           {read, 1},
		"renew":          {renew, 1},
		"higher step-up": {func(s *Session) { want(t, s.StepUp(Auth{Level: 3}), nil) }, 1},
		"lower step-up":  {func(s *Session) { want(t, s.StepUp(Auth{Level: 1}), nil) }, 1},
		"span":           {func(s *Session) { want(t, s.Remember(true), nil) }, 1},
		"login":          {signInAs(t, "eve"), 1},
	} {
		eachStore(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newSignedIn(t, m, "ann")
			a, late := c.clone(), c.clone()
			slow := a.load()
			c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) })
			tc.handler(slow)
			reply := a.respond(slow)
			switch name {
			case "higher step-up": // It joins: both cookies open the session.
				wantAuth(t, name+", by its own cookie", a.load().Auth(), 3)
				equal(t, name+": id", a.id(), c.id())
			case "lower step-up":
				wantAuth(t, name+", by its own cookie", a.load().Auth(), 2)
				equal(t, name+": id", a.id(), c.id())
			case "login": // It takes the session, as any login of another subject does.
				equal(t, name+": subject", a.load().Subject(), "eve")
				wantTicketOvertaken(t, name, c, ReasonSignedIn)
				wantTicketOvertaken(t, name, late, ReasonSignedIn)
				return
			default:
				equal(t, name+": cookie", reply.SetCookie, "")
				wantAuth(t, name+", by the former secret", slow.Auth(), 0)
				wantAuth(t, name+", by a late request", late.load().Auth(), 0)
			}
			c.request(func(s *Session) {
				equal(t, name+": subject", s.Subject(), "ann")
				equal(t, name+": visits", visits.Get(s), tc.visits)
				wantAuth(t, name, s.Auth(), 2)
			})
			deliver(a)
			deliver(c)
			if reply.SetCookie == "" {
				wantTicketOvertaken(t, name+": delivered", late, ReasonReplaced)
			}
		})
	}
}

// R2: A loads, B steps up and its secret has come back, A does anything under the former secret.
// It is refused, and B's data are intact. A login of A's own goes on.
func TestR2StepUpWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write":       set(t, 2),
		"renew":       renew,
		"login":       signInAs(t, "eve"),
		"login again": signInAs(t, "ann"),
		"step-up":     func(s *Session) { want(t, s.StepUp(Auth{Level: 3}), nil) },
		"span":        func(s *Session) { want(t, s.Remember(true), nil) },
	} {
		eachStore(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newSignedIn(t, m, "ann")
			a := c.clone()
			slow := a.load()
			c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) })
			deliver(c)
			handler(slow)
			reply := a.respond(slow)
			switch name {
			case "login":
				equal(t, name+": subject of its own", a.load().Subject(), "eve")
				equal(t, name+": values of its own", contents(a.load()), "")
				equal(t, name+": has the id", a.id() == c.id(), false)
			case "login again": // It joins.
				equal(t, name+": subject", a.load().Subject(), "ann")
				equal(t, name+": id", a.id(), c.id())
			default:
				equal(t, name+": cookie of the refused", reply.SetCookie, "")
				equal(t, name+": events", m.Stats().Gone, 1)
				want(t, slow.Save(t.Context()), ErrGone)
				wantTicketOvertaken(t, name, a, ReasonReplaced)
			}
			c.request(func(s *Session) {
				equal(t, name+": subject", s.Subject(), "ann")
				equal(t, name+": visits", visits.Get(s), 1)
				if name != "login again" { // A login states its proof anew.
					wantAuth(t, name, s.Auth(), 2)
				}
			})
			equal(t, name+": sessions of ann", liveSessionsOf(t, m, store), 1)
		})
	}
}

// liveSessionsOf returns the number of ann's sessions, or 1 if the store has no index.
func liveSessionsOf(tb testing.TB, m *Manager, store Store) int {
	tb.Helper()
	if _, ok := store.(Indexer); !ok {
		return 1
	}
	return liveSessions(tb, m)
}

// R2: several step-ups at the same time share the session. Each cookie is valid, whichever of them
// the browser keeps, and proves at least what its own request has proved; once the last one has
// come back, those with the same proof have the grace.
func TestR2ParallelAuthentications(t *testing.T) {
	t.Parallel()
	for name, level := range map[string]func(i int) int{
		"equal": func(int) int { return 2 }, "rising": func(i int) int { return i + 1 }, "falling": func(i int) int { return 7 - i },
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newSignedIn(t, m, "ann")
			id := c.id()
			tabs, sessions := make([]*client, 7), make([]*Session, 7)
			for i := range tabs { // All are loaded before the first commits.
				tabs[i] = c.clone()
				sessions[i] = tabs[i].load()
				want(t, sessions[i].StepUp(Auth{Level: level(i)}), nil)
			}
			var group sync.WaitGroup
			for i := range tabs {
				group.Go(func() { tabs[i].respond(sessions[i]) })
			}
			group.Wait()
			wantAuth(t, name+": the former secret", c.load().Auth(), 0)
			highest := max(level(0), level(6))
			var best []*client
			for i, tab := range tabs {
				s := tab.load()
				equal(t, name+": id", s.ID(), id)
				got := s.Auth().Level
				equal(t, name+": its own level, or a higher one", got >= level(i) && got <= highest, true)
				if got == highest {
					best = append(best, tab)
				}
				for _, other := range tabs[:i] {
					equal(t, name+": cookies are equal", other.ticket() == tab.ticket(), false)
				}
			}
			equal(t, name+": records", pagedSessionsOf(t, m, store), 1)
			kept := best[0]
			deliver(kept)
			wantTicketOvertaken(t, name+": the former secret, when one is delivered", c, ReasonReplaced)
			time.Sleep(30*time.Second - time.Millisecond)
			for _, tab := range best {
				wantAuth(t, name+": within the grace", tab.clone().load().Auth(), highest)
			}
			time.Sleep(time.Millisecond)
			for _, tab := range tabs {
				if tab != kept {
					wantTicketOvertaken(t, name+": after the grace", tab, ReasonReplaced)
				}
			}
			wantAuth(t, name+": the one that was kept", kept.load().Auth(), highest)
			time.Sleep(time.Minute)
			kept.request(increment)
			equal(t, name+": secrets of the past in the end", len(kept.load().snap.Identity().Past), 0)
			equal(t, name+": alarms", m.Stats().Reused, 0)
		})
	}
}

// pagedSessionsOf returns the number of all sessions, or 1 if the store cannot list them.
func pagedSessionsOf(tb testing.TB, m *Manager, store Store) int {
	tb.Helper()
	if _, ok := store.(Lister); !ok {
		return 1
	}
	return pagedSessions(tb, m)
}

// R3: a session that is deleted while many requests write it stays deleted.
func TestR3DeleteWinsOverManyInFlight(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	k := m.keyspace.prefix + c.id()
	flight := make([]*Session, 32)
	for i := range flight {
		flight[i] = c.clone().load()
		increment(flight[i])
	}
	var group sync.WaitGroup
	for i, s := range flight {
		group.Go(func() {
			if i == len(flight)/2 {
				want(t, store.Delete(t.Context(), k), nil)
			}
			_, err := s.finish(t.Context())
			want(t, err, nil)
		})
	}
	group.Wait()
	equal(t, "records", store.Len(), 0)
	after := newClient(t, m)
	after.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	after.request(func(s *Session) { equal(t, "a session made after it", s.Subject(), "ann") })
}
