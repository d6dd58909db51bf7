package core

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// newOperator returns a client in whose session the operator has signed in and set a note.
func newOperator(tb testing.TB, m *Manager) *client {
	tb.Helper()
	c := newClient(tb, m)
	c.request(func(s *Session) {
		how := SignIn{Auth: Auth{Methods: []string{"pwd", "hwk"}, Level: 3}}
		want(tb, s.SignIn(tb.Context(), "op", how), nil)
		want(tb, note.Set(s, "the operator's"), nil)
	})
	return c
}

// actAs returns a handler that acts for ann.
func actAs(tb testing.TB) func(*Session) {
	tb.Helper()
	return func(s *Session) { tb.Helper(); want(tb, s.ActAs(tb.Context(), "ann"), nil) }
}

func stopActing(tb testing.TB) func(*Session) {
	tb.Helper()
	return func(s *Session) { tb.Helper(); want(tb, s.StopActing(tb.Context()), nil) }
}

// actorsOf returns who acts in the sessions of a subject, in alphabetical order.
func actorsOf(tb testing.TB, m *Manager, subject string) string {
	tb.Helper()
	list, err := m.List(tb.Context(), subject)
	want(tb, err, nil)
	var actors []string
	for i := range list {
		equal(tb, "subject in the list", list[i].Subject, subject)
		actors = append(actors, "by:"+list[i].Auth.Actor)
	}
	slices.Sort(actors)
	return strings.Join(actors, " ")
}

// Whoever acts for a user is named beside them, sees nothing of their own values, and comes back to
// their own session as they have left it.
func TestActAs(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		user, c := newSignedIn(t, m, "ann"), newOperator(t, m)
		own, proved := c.info(), time.Now()
		time.Sleep(time.Minute)
		c.request(actAs(t))
		time.Sleep(time.Minute)
		c.request(func(s *Session) {
			equal(t, "subject", s.Subject(), "ann")
			equal(t, "auth", sprint(s.Auth()), sprint(Auth{Methods: []string{"pwd", "hwk"}, Level: 3, Actor: "op"}))
			equal(t, "values", s.Len(), 0)
			equal(t, "own proof", s.AuthenticatedAt().Equal(proved), true)
			equal(t, "fresh", s.Fresh(time.Minute), false)
			want(t, note.Set(s, "for ann"), nil)
		})
		lost := c.clone()
		lost.load()
		c.clone().request(func(s *Session) {
			want(t, s.StepUp(Auth{Methods: []string{"otp"}, ProviderSession: "sid"}), nil)
		})
		equal(t, "actor after a step-up whose answer is lost", lost.load().Auth().Actor, "op")
		equal(t, "sessions of the user", actorsOf(t, m, "ann"), "by: by:op")
		equal(t, "sessions of the operator", actorsOf(t, m, "op"), "by:")
		equal(t, "another session", c.id() != own.ID, true)

		acting := c.clone()
		c.request(stopActing(t))
		c.request(func(s *Session) {
			equal(t, "id", s.ID(), own.ID)
			equal(t, "subject", s.Subject(), "op")
			equal(t, "auth", sprint(s.Auth()), sprint(own.Auth))
			equal(t, "value", note.Get(s), "the operator's")
			equal(t, "time of the proof", s.AuthenticatedAt().Equal(proved), true)
		})
		wantShutOut(t, "the session for the user", acting.load(), ReasonSignedOut)
		mark, err := store.Load(t.Context(), m.keyspace.key(acting.ticket().ID))
		want(t, err, nil)
		snap, err := decodeRecord(mark)
		want(t, err, nil)
		equal(t, "actor in the mark", snap.Actor().Subject+snap.Extensions().ProviderSession(), "")
		equal(t, "sessions of the user", actorsOf(t, m, "ann"), "by:")
		equal(t, "user", user.load().Subject(), "ann")
	})
}

// A session in which somebody acts for a user takes none of their places.
func TestActAsTakesNoPlace(t *testing.T) {
	t.Parallel()
	for _, policy := range []LimitPolicy{EvictOldest, EvictIdle, RefuseLogin} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnLimit: policy})
			first, c := newSignedIn(t, m, "ann"), newOperator(t, m)
			time.Sleep(time.Minute)
			second := newSignedIn(t, m, "ann")
			time.Sleep(time.Minute)
			c.request(actAs(t))
			equal(t, "full: the devices", first.load().Subject()+second.load().Subject(), "annann")
			second.request(func(s *Session) { s.Destroy() })
			third := newSignedIn(t, m, "ann")
			equal(t, "another: the devices", first.load().Subject()+third.load().Subject(), "annann")
			equal(t, "the operator", c.load().Auth().Actor, "op")
		})
	}
}

// Whatever ends the operator's own session ends the one in which they act, also for requests and
// streams that are under way. Nothing that they save afterwards stays.
func TestActAsEndsWithOwnSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, m *Manager, own *client){
		"revoked": func(t *testing.T, m *Manager, own *client) {
			t.Helper()
			want(t, m.Revoke(t.Context(), "op", own.ticket().ID.String()), nil)
		},
		"all revoked": func(t *testing.T, m *Manager, _ *client) {
			t.Helper()
			n, err := m.RevokeAll(t.Context(), "op")
			want(t, err, nil)
			equal(t, "ended", n, 1)
		},
		"erased": func(t *testing.T, m *Manager, _ *client) {
			t.Helper()
			_, err := m.Erase(t.Context(), "op")
			want(t, err, nil)
		},
		"signed out": func(t *testing.T, _ *Manager, own *client) {
			t.Helper()
			own.request(func(s *Session) { s.Destroy() })
		},
		"another user": func(t *testing.T, _ *Manager, own *client) {
			t.Helper()
			own.request(signInAs(t, "bob"))
		},
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newOperator(t, m)
			own := c.clone()
			c.request(actAs(t))
			writes, reads, stream := c.load(), c.load(), c.load()
			c.respond(stream)
			after := c.clone()
			end(t, m, own)

			want(t, reads.Check(t.Context()), ErrGone)
			want(t, stream.KeepAlive(t.Context()), ErrGone)
			wantShutOut(t, name, c.load(), ReasonActor)
			want(t, note.Set(writes, "late"), nil)
			want(t, writes.Save(t.Context()), ErrGone)
			equal(t, name+": sessions of the user", actorsOf(t, m, "ann"), "")
			want(t, after.load().StopActing(t.Context()), ErrGone)
			equal(t, name+": cookie", after.respond(after.load()).SetCookie, "")
		})
	}
}

// A save that is under way when the own session ends does not bring the session back.
func TestActAsSaveRacesWithTheEnd(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session) error{
		"value":   func(s *Session) error { return note.Set(s, "late") },
		"step-up": func(s *Session) error { return s.StepUp(Auth{}) },
		"renewal": func(s *Session) error { return s.Renew() },
		"touch":   func(*Session) error { return nil },
	} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
			c := newOperator(t, m)
			own := c.ticket().ID.String()
			c.request(actAs(t))
			time.Sleep(20 * time.Minute)
			s := c.load()
			want(t, handler(s), nil)
			want(t, m.Revoke(t.Context(), "op", own), nil)
			r, _ := s.finish(t.Context())
			equal(t, name+": cookie", r.SetCookie, "")
			want(t, s.Save(t.Context()), ErrGone)
			wantRecords(t, name, store, 0, 2)
		})
	}
}

// The use of a session in which somebody acts is use of their own one, unless it is passive.
func TestActAsExtendsOwnSession(t *testing.T) {
	t.Parallel()
	for _, passive := range []bool{false, true} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
			c := newOperator(t, m)
			own := c.clone()
			c.request(actAs(t))
			for range 5 {
				time.Sleep(25 * time.Minute)
				c.request(func(s *Session) {
					if passive {
						s.Passive()
					}
					want(t, note.Set(s, time.Now().String()), nil)
				})
				if passive {
					break
				}
			}
			time.Sleep(40 * time.Minute)
			equal(t, "own session", own.load().Subject(), map[bool]string{false: "op"}[passive])
			s := c.load()
			equal(t, "subject", s.Subject(), map[bool]string{false: "ann"}[passive])
			if !passive {
				want(t, s.StopActing(t.Context()), nil)
				equal(t, "subject", s.Subject(), "op")
			}
		})
	}
}

// Two requests that stop acting at once both come back, whichever cookie the browser keeps, and so
// does one whose answer was lost.
func TestStopActingTwice(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		for _, keepsFirst := range []bool{false, true} {
			eachIndexedInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				m := newTestManager(t, Options{Store: store})
				c := newOperator(t, m)
				c.request(actAs(t))
				a, b := c.clone(), c.clone()
				first := a.load()
				var second *Session
				if together {
					second = b.load()
				}
				want(t, first.StopActing(t.Context()), nil)
				a.respond(first)
				if !together {
					time.Sleep(10 * time.Second)
					second = b.load()
				}
				want(t, second.StopActing(t.Context()), nil)
				equal(t, "subject of the second", second.Subject(), "op")
				b.respond(second)
				equal(t, "both cookies", a.load().Subject()+b.load().Subject(), "opop")
				b.request(read)
				equal(t, "after one was presented", a.load().Subject(), "op")
				if keepsFirst {
					b = a
				}
				for range 3 {
					time.Sleep(time.Second)
					b.request(increment)
				}
				equal(t, "subject", b.load().Subject(), "op")
				equal(t, "value", note.Get(b.load()), "the operator's")
				equal(t, "sessions", actorsOf(t, m, "op")+actorsOf(t, m, "ann"), "by:")
			})
		}
	}
}

// A session that was ended from outside gives nothing back.
func TestStopActingAfterTheEnd(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		c.request(actAs(t))
		before := c.load()
		n, err := m.RevokeAll(t.Context(), "ann")
		want(t, err, nil)
		equal(t, "ended", n, 1)
		want(t, c.load().StopActing(t.Context()), ErrGone)
		want(t, before.StopActing(t.Context()), nil) // It was open when the request began.
		equal(t, "subject", before.Subject(), "op")
		equal(t, "own session", actorsOf(t, m, "op"), "by:")
	})
}

// Destroy in a session in which somebody acts signs them out altogether. A login there is one
// of the user.
func TestActAsDestroyAndLogin(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		own := c.clone()
		c.request(actAs(t))
		c.request(func(s *Session) { s.Destroy() })
		equal(t, "cookie", c.cookie, "")
		wantShutOut(t, "own session", own.load(), ReasonSignedOut)
		equal(t, "sessions", liveSessions(t, m), 0)

		c = newOperator(t, m)
		c.request(func(s *Session) { actAs(t)(s); s.Destroy() })
		equal(t, "sessions after one request", liveSessions(t, m), 0)

		c = newOperator(t, m)
		c.request(actAs(t))
		acting := c.clone()
		c.request(set(t, 1))
		c.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil) })
		equal(t, "actor", c.load().Auth().Actor, "")
		equal(t, "subject", c.load().Subject(), "ann")
		equal(t, "values of the operator", c.load().Len(), 0)
		wantShutOut(t, "the cookie from before", acting.load(), ReasonSignedIn)
	})
}

// Both ways in one request: the browser gets one cookie, which is that of where it ends.
func TestActAsAndBackInOneRequest(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		c.request(func(s *Session) {
			want(t, visits.Set(s, 7), nil)
			actAs(t)(s)
			equal(t, "values", s.Len(), 0)
			stopActing(t)(s)
			equal(t, "visits", visits.Get(s), 7)
		})
		equal(t, "subject", c.load().Subject(), "op")
		equal(t, "sessions", actorsOf(t, m, "op")+actorsOf(t, m, "ann"), "by:")
	})
}

func TestActAsRefused(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	ctx := t.Context()
	want(t, newClient(t, m).load().ActAs(ctx, "ann"), ErrAnonymous)
	c := newOperator(t, m)
	want(t, c.load().ActAs(ctx, "op"), errActsForOneself)
	want(t, c.load().StopActing(ctx), ErrNotActing)
	want(t, newClient(t, m).load().StopActing(ctx), ErrNotActing)
	for _, subject := range []string{"", strings.Repeat("x", maxSubject+1)} {
		if err := c.load().ActAs(ctx, subject); err == nil {
			t.Errorf("ActAs for a subject of %d bytes succeeds", len(subject))
		}
	}
	want(t, c.load().LoginWith("ann", Auth{Actor: "op"}), errActorSet)
	late := c.load()
	c.respond(late)
	want(t, late.ActAs(ctx, "ann"), ErrLate)
	c.request(actAs(t))
	want(t, c.load().ActAs(ctx, "bob"), ErrActing)
	late = c.load()
	c.respond(late)
	want(t, late.StopActing(ctx), ErrLate)
	equal(t, "actor", c.load().Auth().Actor, "op")
}

// If ActAs fails, the operator goes on in their own session, with whatever was pending saved.
func TestActAsFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(store fullSpy, m *Manager){
		"store down": func(store fullSpy, _ *Manager) {
			n := 0
			store.onCall(func(_ context.Context, op, _ string) error {
				if n++; op == "save" || n > 3 {
					return errDown
				}
				return nil
			})
		},
		"own session not found out": func(store fullSpy, _ *Manager) {
			saves := 0
			store.onCall(func(_ context.Context, op, key string) error {
				if op == "save" {
					saves++
				}
				if op == "load" && saves == 1 && key[len(key)-22] != '8' {
					return errDown // It is the session, since revocations have a UUIDv8.
				}
				return nil
			})
		},
		"user revoked": func(store fullSpy, m *Manager) {
			store.beforeSave(func() { _, _ = m.RevokeAll(t.Context(), "ann") })
		},
	} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newOperator(t, m)
			s := c.load()
			fail(store, m)
			if err := s.ActAs(t.Context(), "ann"); !errors.Is(err, ErrStore) && !errors.Is(err, ErrGone) {
				t.Errorf("%s: error is %v", name, err)
			}
			store.onCall(nil)
			equal(t, name+": subject", s.Subject(), "op")
			equal(t, name+": actor", s.Auth().Actor, "")
			want(t, note.Set(s, "later"), nil)
			equal(t, name+": cookie", c.respond(s).SetCookie, "")
			equal(t, name+": note", note.Get(c.load()), "later")
			equal(t, name+": sessions of the user", actorsOf(t, m, "ann"), "")
		})
	}
}

// An outage when the own session is looked for is an outage, not a visitor.
func TestActAsOutage(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		own := c.ticket().ID.String()
		c.request(actAs(t))
		store.onCall(func(_ context.Context, _, key string) error {
			if strings.HasSuffix(key, own) {
				return errDown
			}
			return nil
		})
		want(t, unloadedSession(m, c.cookie).load(t.Context()), ErrStore)
		store.onCall(nil)
		equal(t, "afterwards", c.load().Auth().Actor, "op")
		s := c.load()
		store.failOn("save", errDown)
		want(t, s.StopActing(t.Context()), ErrStore)
		store.onCall(nil)
		c.respond(s)
		equal(t, "after a failure", c.load().Auth().Actor, "op")
		c.request(stopActing(t))
		equal(t, "in the end", c.load().Subject(), "op")
	})
}

// Events name both.
func TestActAsEvents(t *testing.T) {
	t.Parallel()
	events := make(chan Event, 64)
	m := newTestManager(t, Options{OnEvent: func(e Event) { events <- e }, Store: memstore.New(memstore.Options{})})
	c := newOperator(t, m)
	c.request(actAs(t))
	c.request(set(t, 1))
	c.request(stopActing(t))
	want(t, m.Close(t.Context()), nil)
	close(events)
	var got []string
	for e := range events {
		if e.Subject == "ann" {
			got = append(got, e.Kind.String()+" "+e.Actor)
		} else {
			equal(t, "actor of an own event", e.Actor, "")
		}
	}
	equal(t, "events", strings.Join(got, ", "),
		"created op, login op, loaded op, committed op, loaded op, destroyed op")
}

// A session in which somebody acts lasts as long as their own, and so does its cookie. That the
// user's sessions were revoked just before, by another server, is no reason to refuse it.
func TestActAsLastsAsOwnSession(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Cookie: Cookie{SessionOnly: true}})
		c := newClient(t, m)
		c.request(func(s *Session) {
			how := SignIn{Remember: true, Expiry: 99 * time.Hour}
			want(t, s.SignIn(t.Context(), "op", how), nil)
		})
		_, err := newTestManager(t, Options{Store: store}).RevokeAll(t.Context(), "ann")
		want(t, err, nil)
		c.request(actAs(t))
		info := c.info()
		equal(t, "persistent", info.Persistent, true)
		equal(t, "end", time.Until(info.Expires), maxActing)
	})
}
