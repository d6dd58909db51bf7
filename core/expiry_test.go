package core

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// X1: a session ends at the very instant, in whatever store.
func TestX1ExpiryToTheInstant(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 1))
		c.visit(func(s *Session) {
			equal(t, "Expires", s.Expires().Equal(time.Now().Add(time.Hour)), true)
			equal(t, "Created", s.Created().Equal(time.Now()), true)
			equal(t, "LastSeen", s.LastSeen().Equal(time.Now()), true)
		})
		time.Sleep(time.Hour - time.Millisecond)
		peek := c.arrive()
		equal(t, "a millisecond before, IsNew", peek.IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "on the instant, IsNew", c.arrive().IsNew(), true)
		// A request that loaded it in time and saves too late finds it ended.
		increment(peek)
		equal(t, "Set-Cookie", c.leave(peek).SetCookie, "")
		equal(t, "afterwards, IsNew", c.arrive().IsNew(), true)
	})
}

// Use extends a session, and a tenth of the time is how late that may be noticed.
func TestUseExtends(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 1))
		for range 30 {
			time.Sleep(50 * time.Minute)
			reply := c.visit(read)
			if !strings.Contains(reply.SetCookie, "Max-Age=3600;") {
				t.Fatalf("Set-Cookie is %q", reply.SetCookie)
			}
			equal(t, "again at once", c.visit(read).SetCookie, "")
			c.visit(func(s *Session) { equal(t, "LastSeen", s.LastSeen().Equal(time.Now()), true) })
		}
		time.Sleep(5 * time.Minute) // less than a tenth: not noticed
		equal(t, "Set-Cookie", c.visit(read).SetCookie, "")
		time.Sleep(55 * time.Minute)
		equal(t, "IsNew", c.arrive().IsNew(), true)
	})
}

// What falls due while a request runs is this request's to see to if that is within an hour, and else the next one's.
func TestDueWhileARequestRuns(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"touch": {Expiry: 20 * time.Hour}, "renewal": {RenewEvery: 2 * time.Hour}} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			o := o // each kind of store has its own
			o.Store = store
			for _, early := range []time.Duration{0, time.Millisecond} {
				c := newClient(t, newTestManager(t, o))
				c.visit(set(t, 1))
				time.Sleep(time.Hour - early)
				slow := c.arrive()
				read(slow)
				time.Sleep(time.Hour + early)
				equal(t, name+": its cookie", c.leave(slow).SetCookie != "", early == 0)
				equal(t, name+": the next one's", c.visit(read).SetCookie != "", early != 0)
				equal(t, name+": the one's after that", c.visit(read).SetCookie, "")
			}
		})
	}
}

// Each explicit save before the response begins asks whether something is due, however long after the load.
func TestDueWhileSavedByHand(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: 24 * time.Hour}))
		c.visit(set(t, 1))
		s := c.arrive()
		for range 30 {
			time.Sleep(time.Hour)
			read(s)
			want(t, s.Save(t.Context()), nil)
		}
		equal(t, "IsNew", c.arrive().IsNew(), false)
	})
}

// What a request commits early may make a touch fall due before it responds.
func TestDueAfterACommit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(set(t, 1))
		s := c.arrive()
		want(t, s.SetExpiry(time.Hour), nil)
		early, err := s.commit(t.Context())
		want(t, err, nil)
		equal(t, "its cookie", strings.Contains(early.SetCookie, "Max-Age=3600;"), true)
		time.Sleep(10 * time.Minute)
		read(s)
		equal(t, "that of the response", strings.Contains(c.leave(s).SetCookie, "Max-Age=3600;"), true)
	})
}

// A write extends the record each time and the cookie every tenth of the time.
func TestWritesExtendTheCookieToo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 0))
		cookies := 0
		for range 60 {
			time.Sleep(time.Minute)
			if c.visit(increment).SetCookie != "" {
				cookies++
			}
		}
		equal(t, "cookies in an hour", cookies, 10)
	})
}

// coarse is a store that keeps whole seconds, rounding up as the contract allows.
type coarse struct{ *spy }

func (r coarse) Load(ctx context.Context, key string) (Record, error) {
	rec, err := r.spy.Load(ctx, key)
	rec.Expires = roundUp(rec.Expires)
	return rec, err
}

func (r coarse) Touch(ctx context.Context, rec Record) error {
	rec.Expires = roundUp(rec.Expires)
	return touchSpy(r).Touch(ctx, rec)
}

func roundUp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Second - 1).Truncate(time.Second)
}

// The same with a store that rounds expiries up: its rounding is not taken for a touch that sent a cookie.
func TestRoundingStoreStillRenewsTheCookie(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: coarse{store}, Expiry: time.Hour}))
		c.visit(set(t, 0))
		cookies := 0
		for range 60 {
			time.Sleep(time.Minute + time.Millisecond)
			if c.visit(increment).SetCookie != "" {
				cookies++
			}
		}
		if cookies < 9 || cookies > 11 {
			t.Errorf("%d cookies in an hour of writes, want one every tenth", cookies)
		}
	})
}

func TestD6TouchesAreThrottled(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		cookies int
		writes  int
	}{
		"an hour":                  {Options{Expiry: time.Hour}, 9, 9},
		"an hour, browser session": {Options{Expiry: time.Hour, Cookie: Cookie{SessionOnly: true}}, 0, 9},
		"default":                  {Options{}, 0, 0},
		"permanent":                {Options{Expiry: Permanent}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, newTouchSpy, func(t *testing.T, store touchSpy) {
				t.Helper()
				tc.options.Store = store
				c := newClient(t, newTestManager(t, tc.options))
				c.visit(set(t, 1))
				store.forget()
				cookies := 0
				for range 10_000 {
					time.Sleep(time.Hour / 10_000)
					if c.visit(read).SetCookie != "" {
						cookies++
					}
				}
				equal(t, "loads", store.count("load"), 10_000)
				if got := store.count("touch") + store.count("save"); got < tc.writes || got > tc.writes+1 {
					t.Errorf("%d writes, want about %d", got, tc.writes)
				}
				if cookies < tc.cookies || cookies > tc.cookies+1 {
					t.Errorf("%d cookies, want about %d", cookies, tc.cookies)
				}
			})
		})
	}
}

func TestX2AbsoluteLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour, Lifetime: 3 * time.Hour}))
		c.visit(set(t, 1))
		born := time.Now()
		for i, handler := range []func(s *Session){
			read, increment,
			func(s *Session) { want(t, s.Renew(), nil) },
			func(s *Session) { want(t, s.Login("ann"), nil) },
			func(s *Session) { want(t, s.SetExpiry(100*time.Hour), nil) },
			func(s *Session) { want(t, s.SetExpiry(Permanent), nil) },
		} {
			time.Sleep(29 * time.Minute)
			c.visit(handler)
			c.visit(func(s *Session) {
				if s.IsNew() || s.Expires().After(born.Add(3*time.Hour)) || !s.Created().Equal(born) {
					t.Errorf("step %d: new %v, created %v, expires %v", i, s.IsNew(), s.Created(), s.Expires())
				}
			})
		}
		time.Sleep(time.Until(born.Add(3*time.Hour - time.Millisecond)))
		s := c.arrive()
		equal(t, "a millisecond before, IsNew", s.IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "on the instant, IsNew", c.arrive().IsNew(), true)
	})
}

func TestX3Grace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Grace: 10 * time.Second}))
		c.visit(set(t, 1))
		old := c.with()
		c.visit(func(s *Session) { want(t, s.Renew(), nil) })
		time.Sleep(10*time.Second - time.Millisecond)
		late := old.with()
		if reply := late.visit(read); reply.SetCookie == "" || late.ticketOf() != c.ticketOf() {
			t.Error("within the grace: the old secret's bearer is not told the new one")
		}
		inFlight := old.arrive()
		time.Sleep(time.Millisecond)
		equal(t, "after the grace, IsNew", old.arrive().IsNew(), true)
		equal(t, "the new secret, IsNew", c.arrive().IsNew(), false)
		// A request that was let in within the grace is not thrown out after it.
		increment(inFlight)
		c.with().visit(increment)
		old.leave(inFlight)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 3) })
		// The next write forgets the previous secret for good.
		equal(t, "former secrets kept", c.arrive().snap.Identity().History.Len(), 0)
	})
}

// forgetful is a store that ignores its own expiry.
type forgetful struct{ *spy }

func (f forgetful) Save(ctx context.Context, rec Record) (Record, error) {
	expires := rec.Expires
	rec.Expires = time.Time{}
	out, err := f.spy.Save(ctx, rec)
	out.Expires = expires
	return out, err
}

// X4: with a store that returns what has expired, the record's own word counts, and the record is removed.
func TestX4StoreIgnoresExpiry(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: forgetful{store}, Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(time.Hour)
		c.visit(func(s *Session) { equal(t, "IsNew", s.IsNew(), true) })
		equal(t, "records", store.records(), 0)
		equal(t, "event", has(events.after(t, m), EventExpired), true)
	})
}

// The record that is over stays unread even if it cannot be deleted.
func TestX4DeleteFails(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: forgetful{store}, Expiry: time.Hour}))
		c.visit(set(t, 1))
		time.Sleep(time.Hour)
		store.fail("delete", errDown)
		c.visit(func(s *Session) { equal(t, "IsNew", s.IsNew(), true) })
	})
}

// X5: a clock that has stepped back neither ends a session nor moves its times back.
func TestX5ClockSteps(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Expiry: time.Hour})
	const now = 1_000_000_000_000
	future := record.Times{Created: now + 5000, Seen: now + 5000, Issued: now + 5000, Idle: time.Hour.Milliseconds()}
	equal(t, "touch due", m.policy.touchDue(&future, now), false)
	snap := record.Snapshot{Record: Record{Expires: time.UnixMilli(now + 5000).Add(time.Hour)}, Times: future}
	snap.ApplyTouchedExpiry(now)
	equal(t, "seen", snap.Seen, now+5000)
	equal(t, "expired", m.policy.expired(&snap, time.UnixMilli(now)), false)
	base := verified{snap: record.Snapshot{Record: Record{Key: "k", Version: 1}, Times: future}}
	var c composed
	want(t, m.executor.compose(&base, &delta{}, &moment{now: time.UnixMilli(now)}, &c), nil)
	equal(t, "seen after a write", c.snap.Seen, now+5000)
}

// X6: a time to live that is over is never for ever.
func TestX6OverIsNotForEver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Second, Lifetime: time.Second}))
		c.visit(set(t, 1))
		s := c.arrive()
		increment(s)
		time.Sleep(time.Second)
		reply := c.leave(s)
		equal(t, "Set-Cookie", reply.SetCookie, "")
		time.Sleep(time.Hour)
		equal(t, "IsNew", c.arrive().IsNew(), true)
	})
}

// X8: a shorter policy reaches the sessions made before it, and those with an expiry of their own keep it.
func TestX8ShorterPolicy(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		before := newTestManager(t, Options{Store: store, Expiry: 24 * time.Hour})
		plain, own, permanent := newClient(t, before), newClient(t, before), newClient(t, before)
		plain.visit(set(t, 1))
		own.visit(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, s.SetExpiry(12*time.Hour), nil) })
		forever := newTestManager(t, Options{Store: store, Expiry: Permanent})
		permanent.m = forever
		permanent.visit(set(t, 1))
		limited := plain.with()
		limited.m = newTestManager(t, Options{Store: store, Expiry: time.Hour, Lifetime: 2 * time.Hour})
		time.Sleep(3 * time.Hour)
		equal(t, "a new Lifetime ends old sessions: IsNew", func() bool {
			twin := newClient(t, limited.m)
			twin.cookie = own.cookie
			return twin.arrive().IsNew()
		}(), true)
		own = newClient(t, before)
		own.visit(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, s.SetExpiry(12*time.Hour), nil) })
		after := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		time.Sleep(2 * time.Hour)
		for name, tc := range map[string]struct {
			c     *client
			isNew bool
		}{"plain": {plain, true}, "of its own": {own, false}, "permanent before": {permanent, true}} {
			tc.c.m = after
			equal(t, name+": IsNew", tc.c.arrive().IsNew(), tc.isNew)
		}
	})
}

// A longer policy is taken up at the next use.
func TestX8LongerPolicy(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 1))
		c.m = newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour})
		time.Sleep(59 * time.Minute)
		c.visit(read)
		time.Sleep(time.Minute)
		c.visit(increment)
		time.Sleep(9 * time.Hour)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
	})
}

func TestX9Permanent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: Permanent})
		c := newClient(t, m)
		c.visit(set(t, 1))
		rec, err := store.Load(t.Context(), m.keyspace.prefix+c.id())
		want(t, err, nil)
		equal(t, "the record's expiry is zero", rec.Expires.IsZero(), true)
		cookies := 0
		for range 10 * 365 {
			time.Sleep(24 * time.Hour)
			if reply := c.visit(read); reply.SetCookie != "" {
				cookies++
				if !strings.Contains(reply.SetCookie, "; Max-Age=34560000;") {
					t.Fatalf("Set-Cookie is %q", reply.SetCookie)
				}
			}
		}
		equal(t, "cookies in ten years", cookies, 91) // every forty days
		time.Sleep(100 * 365 * 24 * time.Hour)
		c.visit(func(s *Session) {
			equal(t, "visits a century later", visits.Get(s), 1)
			equal(t, "Expires is zero", s.Expires().IsZero(), true)
		})
	})
}

func TestSetExpiryPersists(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		c := newClient(t, m)
		left := func() (d time.Duration) {
			s := c.arrive()
			if at := s.Expires(); !at.IsZero() {
				return time.Until(at)
			}
			return Permanent
		}
		// On a session without data it waits for the first value.
		c.visit(func(s *Session) { want(t, s.SetExpiry(10*time.Hour), nil); want(t, visits.Set(s, 1), nil) })
		equal(t, "at first", left(), 10*time.Hour)
		time.Sleep(9 * time.Hour)
		reply := c.visit(read)
		if !strings.Contains(reply.SetCookie, "Max-Age=36000;") {
			t.Errorf("the touch says %q", reply.SetCookie)
		}
		equal(t, "after a touch", left(), 10*time.Hour)
		c.visit(increment)
		equal(t, "after a write", left(), 10*time.Hour)
		c.visit(func(s *Session) { want(t, s.SetExpiry(Permanent), nil) })
		equal(t, "permanent", left(), Permanent)
		time.Sleep(1000 * time.Hour)
		c.visit(increment)
		reply = c.visit(func(s *Session) { want(t, s.SetExpiry(30*time.Minute), nil) })
		if !strings.Contains(reply.SetCookie, "Max-Age=1800;") {
			t.Errorf("a shorter life is not told the browser: %q", reply.SetCookie)
		}
		equal(t, "shorter than the policy", left(), 30*time.Minute)
		c.visit(func(s *Session) { want(t, s.SetExpiry(0), nil) })
		equal(t, "back to the policy", left(), time.Hour)
		time.Sleep(time.Hour)
		equal(t, "IsNew", c.arrive().IsNew(), true)
	})
}

// Two requests that are both due for a touch end in one touch's effect, and neither fails.
func TestTouchMeetsAnotherRequest(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){"touch": read, "write": increment, "renew": func(s *Session) { _ = s.Renew() }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
				c.visit(set(t, 1))
				time.Sleep(10 * time.Minute)
				s := c.arrive()
				read(s)
				late := c.with()
				c.visit(handler)
				late.leave(s)
				equal(t, "IsNew", late.arrive().IsNew(), false)
				time.Sleep(time.Hour - time.Millisecond)
				equal(t, "an hour later, IsNew", c.arrive().IsNew(), false)
			})
		})
	}
}

// A touch that fails harms nobody: what was read was read, and the next request tries again.
func TestFailedTouchIsNoError(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(30 * time.Minute)
		store.fail("touch", errDown)
		equal(t, "Set-Cookie", c.visit(read).SetCookie, "")
		store.hook(nil)
		if c.visit(read).SetCookie == "" {
			t.Error("the next request does not extend the cookie")
		}
		equal(t, "event", has(events.after(t, m), EventStoreFailed), true)
	})
}

// A session that a lowered MaxSize no longer admits can still be read; only writing to it fails.
func TestTouchOfATooLargeSession(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(func(s *Session) { want(t, note.Set(s, strings.Repeat("x", 1000)), nil) })
		c.m = newTestManager(t, Options{Store: store, Expiry: time.Hour, MaxSize: 500})
		time.Sleep(30 * time.Minute)
		c.visit(func(s *Session) { equal(t, "length", len(note.Get(s)), 1000) })
	})
}

// A stream's session that is only read is left alone once no cookie can follow.
func TestSealedSessionsAreNotTouched(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 1))
		s := c.arrive()
		c.leave(s)
		store.forget()
		time.Sleep(30 * time.Minute)
		want(t, s.Save(t.Context()), nil)
		equal(t, "calls", store.count(""), 0)
		increment(s)
		want(t, s.Save(t.Context()), nil)
		// The record lives longer now; the cookie is for the next request to send.
		if c.visit(read).SetCookie == "" {
			t.Error("the next request does not send the cookie")
		}
	})
}

// Remember overrides SessionOnly both ways, persists, and is undone by the other choice.
func TestRemember(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour, Cookie: Cookie{SessionOnly: only}})
			c := newClient(t, m)
			exact := func(what string, r adapter.Reply, persistent bool) {
				t.Helper()
				life := ""
				if persistent {
					life = "; Max-Age=36000"
				}
				equal(t, what, r.SetCookie, c.cookie+"; Path=/"+life+"; HttpOnly; Secure; SameSite=Lax")
				equal(t, what+": listed as persistent", c.info().Persistent, persistent)
			}
			exact("by the manager", c.visit(set(t, 1)), !only)
			for _, choice := range []bool{only, !only, only} {
				exact("chosen", c.visit(func(s *Session) { want(t, s.Remember(choice), nil) }), choice)
				exact("renewed", c.visit(renew), choice)
				exact("signed in", c.visit(as(t, "ann")), choice)
				exact("stepped up", c.visit(func(s *Session) { want(t, s.StepUp(Auth{}), nil) }), choice)
				equal(t, "cookie of a write", c.visit(increment).SetCookie, "")
				time.Sleep(time.Hour)
				reply := c.visit(read)
				if !choice {
					equal(t, "cookie of a touch", reply.SetCookie, "")
				} else {
					exact("touched", reply, true)
				}
				time.Sleep(time.Hour)
				equal(t, "cookie of a late write", c.visit(increment).SetCookie != "", choice)
			}
		})
	}
}

// On a session without data the choice waits for the first value, and alone it makes no session.
func TestRememberOnANewSession(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, Cookie: Cookie{SessionOnly: true}}))
	reply := c.visit(func(s *Session) { want(t, s.Remember(true), nil) })
	equal(t, "cookie", reply.SetCookie, "")
	equal(t, "calls", store.count(""), 0)
	reply = c.visit(func(s *Session) {
		want(t, s.Remember(true), nil)
		want(t, s.Login("ann"), nil)
	})
	equal(t, "cookie", reply.SetCookie, c.cookie+"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax")
	// The choices of two requests meet: the later save wins, and the other's data stay.
	a, b := c.with(), c.with()
	x, y := a.arrive(), b.arrive()
	want(t, x.Remember(false), nil)
	increment(x)
	want(t, y.SetExpiry(time.Hour), nil)
	a.leave(x)
	reply = b.leave(y)
	equal(t, "cookie after both", reply.SetCookie, b.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
	s := b.arrive()
	equal(t, "visits", visits.Get(s), 1)
	equal(t, "idle timeout", s.Expires().Sub(s.LastSeen()), time.Hour)
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour, Lifetime: 15 * time.Hour}))
		c.visit(func(s *Session) {
			equal(t, "of a new session", s.Remaining(), 0)
			want(t, visits.Set(s, 1), nil)
			equal(t, "of one that is not stored", s.Remaining(), 0)
		})
		equal(t, "at first", c.arrive().Remaining(), 10*time.Hour)
		time.Sleep(30 * time.Minute)
		equal(t, "later", c.arrive().Remaining(), 9*time.Hour+30*time.Minute)
		time.Sleep(7 * time.Hour)
		c.visit(read)
		s := c.arrive()
		equal(t, "by the absolute limit", s.Remaining(), 7*time.Hour+30*time.Minute)
		time.Sleep(8 * time.Hour)
		equal(t, "of one whose time is over", s.Remaining(), 0)
		c = newClient(t, newTestManager(t, Options{Store: store, Expiry: Permanent}))
		c.visit(set(t, 1))
		s = c.arrive()
		equal(t, "of a permanent one", s.Remaining(), Permanent)
		c.with().visit((*Session).Destroy)
		increment(s)
		c.with().leave(s)
		equal(t, "of one that was ended", s.Remaining(), 0)
	})
}

// What a request chooses for the life of its session while a save is under way that fails is kept with the rest.
func TestChoicesDuringAFailedSave(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.arrive()
	want(t, visits.Set(s, 1), nil)
	store.once(func() {
		want(t, s.SetExpiry(time.Hour), nil)
		want(t, s.Remember(false), nil)
	})
	first := store.before
	store.hook(func(ctx context.Context, op, key string) error {
		_ = first(ctx, op, key)
		return errDown
	})
	_, err := s.commit(t.Context())
	want(t, err, ErrStore)
	store.hook(nil)
	reply := c.leave(s)
	equal(t, "cookie", reply.SetCookie, c.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
	equal(t, "idle timeout", c.arrive().Expires().Sub(c.arrive().LastSeen()), time.Hour)
}

// A session that fits goes on living when a renewal makes it outgrow MaxSize by the secrets it keeps.
func TestRenewalOfALargeSession(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSize: 400, Expiry: 30 * 24 * time.Hour, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.visit(func(s *Session) { want(t, note.Set(s, strings.Repeat("x", 290)), nil) })
		for range 40 {
			time.Sleep(24 * time.Hour)
			c.visit(read)
		}
		equal(t, "IsNew", c.arrive().IsNew(), false)
		equal(t, "renewals", m.Stats().Renewed, 40)
		s := c.arrive()
		want(t, note.Set(s, strings.Repeat("x", 399)), ErrTooLarge)
	})
}

// A new idle timeout shows at once.
func TestRemainingAfterSetExpiry(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.visit(set(t, 1))
		time.Sleep(time.Minute)
		c.visit(func(s *Session) {
			want(t, s.SetExpiry(2*time.Hour), nil)
			equal(t, "remaining", s.Remaining(), 2*time.Hour)
			equal(t, "expires", s.Expires().Equal(time.Now().Add(2*time.Hour)), true)
			want(t, s.SetExpiry(Permanent), nil)
			equal(t, "remaining for ever", s.Remaining(), Permanent)
			want(t, s.SetExpiry(0), nil)
			equal(t, "remaining by the policy", s.Remaining(), time.Hour)
		})
	})
}
