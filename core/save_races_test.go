package core

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// R1, R9: A loads, B destroys, A does anything. The session stays ended, and A gets no cookie.
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
				handler(s)
				reply := a.respond(s)
				if reply.SetCookie != "" && !strings.Contains(reply.SetCookie, removalAttributes) {
					t.Errorf("A gets the cookie %q", reply.SetCookie)
				}
				_, err := store.Load(t.Context(), k)
				want(t, err, ErrNotFound)
				equal(t, "A's cookie opens a session", !a.load().IsNew(), false)
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
		_, err := store.Load(t.Context(), k)
		want(t, err, ErrNotFound)
	})
}

// R1: the logout comes between A's attempts to save.
func TestR1LogoutDuringTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	a := newClient(t, m)
	a.request(set(t, 1))
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
	equal(t, "records", store.recordCount(), 0)
	want(t, visits.Set(s, 3), ErrGone)
}

// R2: after a login in B, the request of A under the old secret changes nothing.
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
				b := a.clone()
				s := a.load()
				b.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, note.Set(s, "b"), nil) })
				handler(s)
				equal(t, "A's Set-Cookie", a.respond(s).SetCookie, "")
				b.request(func(s *Session) {
					equal(t, "Subject", s.Subject(), "ann")
					equal(t, "visits", visits.Get(s), 1)
					equal(t, "note", note.Get(s), "b")
				})
				equal(t, "A is outside", a.load().IsNew(), true)
				if name != "read" {
					equal(t, "an event", hasKind(events.closeAndList(t, m), EventGone), true)
				}
			})
		})
	}
}

// R2: A loads, B steps up, A does anything under the old secret. It is refused, and B's data
// are intact.
func TestR2StepUpWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write":   set(t, 2),
		"renew":   renew,
		"login":   signInAs(t, "eve"),
		"step-up": func(s *Session) { want(t, s.StepUp(Auth{Level: 3}), nil) },
		"span":    func(s *Session) { want(t, s.Remember(true), nil) },
	} {
		eachStore(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
			a := c.clone()
			slow := a.load()
			c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) })
			handler(slow)
			reply := a.respond(slow)
			equal(t, name+": cookie of the refused", reply.SetCookie, "")
			c.request(func(s *Session) {
				equal(t, name+": subject", s.Subject(), "ann")
				equal(t, name+": visits", visits.Get(s), 1)
				wantAuth(t, name, s.Auth(), 2)
			})
		})
	}
}

// R2: of several step-ups at the same time one wins, and its cookie is valid.
func TestR2ParallelAuthentications(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		tabs, sessions := make([]*client, 8), make([]*Session, 8)
		for i := range tabs { // All are loaded before the first commits.
			tabs[i] = c.clone()
			sessions[i] = tabs[i].load()
			want(t, sessions[i].StepUp(Auth{Level: i + 1}), nil)
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].respond(sessions[i]) })
		}
		group.Wait()
		var in []int
		for i, tab := range tabs {
			if s := tab.load(); !s.IsNew() {
				in = append(in, i+1)
				wantAuth(t, "the winner's", s.Auth(), i+1)
			}
		}
		equal(t, "winners", len(in), 1)
	})
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
