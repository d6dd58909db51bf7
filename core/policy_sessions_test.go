package core

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// X1: a session ends exactly at its expiry, in any store.
func TestX1ExpiryToTheInstant(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		c.request(func(s *Session) {
			equal(t, "Expires", s.Expires().Equal(time.Now().Add(time.Hour)), true)
			equal(t, "Created", s.Created().Equal(time.Now()), true)
			equal(t, "LastSeen", s.LastSeen().Equal(time.Now()), true)
		})
		time.Sleep(time.Hour - time.Millisecond)
		peek := c.load()
		equal(t, "a millisecond before, IsNew", peek.IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "on the instant, IsNew", c.load().IsNew(), true)
		// A request that loaded the session in time cannot save it after its end.
		increment(peek)
		equal(t, "Set-Cookie", c.respond(peek).SetCookie, "")
		equal(t, "afterwards, IsNew", c.load().IsNew(), true)
	})
}

// Use extends a session, at the latest when a tenth of the timeout has passed.
func TestUseExtendsASession(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		for range 30 {
			time.Sleep(50 * time.Minute)
			reply := c.request(read)
			if !strings.Contains(reply.SetCookie, "Max-Age=3600;") {
				t.Fatalf("Set-Cookie is %q", reply.SetCookie)
			}
			equal(t, "again at once", c.request(read).SetCookie, "")
			c.request(func(s *Session) { equal(t, "LastSeen", s.LastSeen().Equal(time.Now()), true) })
		}
		time.Sleep(5 * time.Minute) // This is less than a tenth.
		equal(t, "Set-Cookie", c.request(read).SetCookie, "")
		time.Sleep(55 * time.Minute)
		equal(t, "IsNew", c.load().IsNew(), true)
	})
}

// A write always extends the record, and the cookie after a tenth of the timeout.
func TestWritesExtendTheCookieToo(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 0))
		cookies := 0
		for range 60 {
			time.Sleep(time.Minute)
			if c.request(increment).SetCookie != "" {
				cookies++
			}
		}
		equal(t, "cookies in an hour", cookies, 10)
	})
}

// roundingStore is a store that rounds expiries up to whole seconds, as the contract allows.
type roundingStore struct{ *spy }

func (r roundingStore) Load(ctx context.Context, key string) (Record, error) {
	rec, err := r.spy.Load(ctx, key)
	rec.Expires = roundUp(rec.Expires)
	return rec, err
}

func (r roundingStore) Touch(ctx context.Context, rec Record) error {
	rec.Expires = roundUp(rec.Expires)
	return touchSpy(r).Touch(ctx, rec)
}

func roundUp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Second - 1).Truncate(time.Second)
}

// A store's rounding of an expiry is not mistaken for a touch that has sent a cookie.
func TestRoundingStoreStillRenewsTheCookie(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: roundingStore{store}, Expiry: time.Hour}))
		c.request(set(t, 0))
		cookies := 0
		for range 60 {
			time.Sleep(time.Minute + time.Millisecond)
			if c.request(increment).SetCookie != "" {
				cookies++
			}
		}
		if cookies < 9 || cookies > 11 {
			t.Errorf("%d cookies in an hour of writes, want one every tenth", cookies)
		}
	})
}

func TestX2AbsoluteLimit(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour, Lifetime: 3 * time.Hour}))
		c.request(set(t, 1))
		born := time.Now()
		for i, handler := range []func(s *Session){
			read, increment,
			func(s *Session) { want(t, s.Renew(), nil) },
			increment,
			func(s *Session) { want(t, s.SetExpiry(100*time.Hour), nil) },
			func(s *Session) { want(t, s.SetExpiry(Permanent), nil) },
		} {
			time.Sleep(29 * time.Minute)
			c.request(handler)
			c.request(func(s *Session) {
				if s.IsNew() || s.Expires().After(born.Add(3*time.Hour)) || !s.Created().Equal(born) {
					t.Errorf("step %d: new %v, created %v, expires %v", i, s.IsNew(), s.Created(), s.Expires())
				}
			})
		}
		time.Sleep(time.Until(born.Add(3*time.Hour - time.Millisecond)))
		s := c.load()
		equal(t, "a millisecond before, IsNew", s.IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "on the instant, IsNew", c.load().IsNew(), true)
	})
}

// X2: the absolute timeout counts from the last proof of the user, so a guest of many hours who
// signs in is not out after some minutes.
func TestX2LifetimeCountsFromTheProof(t *testing.T) {
	t.Parallel()
	const lifetime = 12 * time.Hour
	for name, tc := range map[string]struct {
		prove func(s *Session) error
		left  time.Duration
	}{
		"login":          {func(s *Session) error { return s.Login("bob") }, lifetime},
		"login again":    {func(s *Session) error { return s.Login("ann") }, lifetime},
		"step-up":        {func(s *Session) error { return s.StepUp(Auth{Level: 2}) }, lifetime},
		"single sign-on": {func(s *Session) error { return s.LoginWith("ann", Auth{At: time.Now().Add(-8 * time.Hour)}) }, lifetime - 8*time.Hour},
	} {
		for _, signedIn := range []bool{false, true} {
			eachStoreInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				if !signedIn && name == "step-up" {
					return
				}
				c := newClient(t, newTestManager(t, Options{Store: store, Expiry: lifetime, Lifetime: lifetime}))
				c.request(set(t, 1))
				if signedIn {
					c.request(signInAs(t, "ann"))
				}
				time.Sleep(lifetime - 10*time.Minute)
				begun := time.Now()
				reply := c.request(func(s *Session) {
					want(t, tc.prove(s), nil)
					equal(t, name+": expires, before the commit", s.Expires().Sub(begun), tc.left)
				})
				equal(t, name+": cookie", strings.Contains(reply.SetCookie, "Max-Age="+strconv.Itoa(int(tc.left.Seconds()))), true)
				equal(t, name+": expires", c.load().Expires().Sub(begun), tc.left)
				for time.Since(begun) < tc.left-time.Hour {
					time.Sleep(time.Hour)
					c.request(increment) // Use does not extend it.
				}
				time.Sleep(time.Until(begun.Add(tc.left - time.Millisecond)))
				equal(t, name+": IsNew, a millisecond before", c.load().IsNew(), false)
				time.Sleep(time.Millisecond)
				equal(t, name+": IsNew then", c.load().IsNew(), true)
			})
		}
	}
}

// A proof that is older than the absolute timeout signs nobody in.
func TestX2ProofFromLongAgo(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Lifetime: time.Hour}))
		time.Sleep(24 * time.Hour)
		c.request(func(s *Session) {
			for _, at := range []time.Duration{time.Hour, 5 * time.Hour} {
				err := s.LoginWith("ann", Auth{At: time.Now().Add(-at)})
				want(t, err, ErrStaleProof)
				equal(t, "status", StatusCode(err), 409)
			}
			equal(t, "subject", s.Subject(), "")
			want(t, s.LoginWith("ann", Auth{At: time.Now().Add(time.Millisecond - time.Hour)}), nil)
			want(t, s.StepUp(Auth{At: time.Now().Add(-time.Hour)}), ErrStaleProof)
		})
		equal(t, "subject", c.load().Subject(), "ann")
	})
}

// noExpiryStore is a store that never expires its records.
type noExpiryStore struct{ *spy }

func (f noExpiryStore) Save(ctx context.Context, rec Record) (Record, error) {
	expires := rec.Expires
	rec.Expires = time.Time{}
	out, err := f.spy.Save(ctx, rec)
	out.Expires = expires
	return out, err
}

// X4: if the store returns an expired record, the session has ended all the same, and the
// record is deleted.
func TestX4StoreIgnoresExpiry(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: noExpiryStore{store}, Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(time.Hour)
		c.request(func(s *Session) { equal(t, "IsNew", s.IsNew(), true) })
		equal(t, "records", store.recordCount(), 0)
		equal(t, "event", hasKind(events.closeAndList(t, m), EventExpired), true)
	})
}

// X4: an expired record that cannot be deleted is still not read.
func TestX4DeleteFails(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: noExpiryStore{store}, Expiry: time.Hour}))
		c.request(set(t, 1))
		time.Sleep(time.Hour)
		store.failOn("delete", errDown)
		c.request(func(s *Session) { equal(t, "IsNew", s.IsNew(), true) })
	})
}

// X5: a clock that steps back neither ends a session nor moves its times back.
func TestX5ClockStepsBack(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Expiry: time.Hour})
	const now = 1_000_000_000_000
	future := record.Times{Created: now + 5000, Seen: now + 5000, Extended: now + 5000, Idle: time.Hour.Milliseconds()}
	equal(t, "touch due", m.timeouts.touchDue(&future, now), false)
	snap := record.Snapshot{Record: Record{Expires: time.UnixMilli(now + 5000).Add(time.Hour)}, Times: future}
	snap.ApplyTouchedExpiry(now)
	equal(t, "seen", snap.Seen, now+5000)
	equal(t, "expired", m.timeouts.expired(&snap, time.UnixMilli(now)), false)
	base := verified{snap: record.Snapshot{Record: Record{Key: "k", Version: 1}, Times: future}}
	var c composed
	want(t, m.executor.compose(&base, &delta{}, &moment{now: time.UnixMilli(now)}, &c), nil)
	equal(t, "seen after a write", c.snap.Seen, now+5000)
}

// X6: a session whose time is over is never mistaken for a permanent one.
func TestX6ExpiredIsNotPermanent(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Second, Lifetime: time.Second}))
		c.request(set(t, 1))
		s := c.load()
		increment(s)
		time.Sleep(time.Second)
		reply := c.respond(s)
		equal(t, "Set-Cookie", reply.SetCookie, "")
		time.Sleep(time.Hour)
		equal(t, "IsNew", c.load().IsNew(), true)
	})
}

// X8: a shorter policy applies to older sessions. A session with a timeout of its own keeps it.
func TestX8ShorterPolicy(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		before := newTestManager(t, Options{Store: store, Expiry: 24 * time.Hour})
		plain, own, permanent := newClient(t, before), newClient(t, before), newClient(t, before)
		plain.request(set(t, 1))
		own.request(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, s.SetExpiry(12*time.Hour), nil) })
		forever := newTestManager(t, Options{Store: store, Expiry: Permanent})
		permanent.m = forever
		permanent.request(set(t, 1))
		limited := plain.clone()
		limited.m = newTestManager(t, Options{Store: store, Expiry: time.Hour, Lifetime: 2 * time.Hour})
		time.Sleep(3 * time.Hour)
		equal(t, "a new Lifetime ends old sessions: IsNew", func() bool {
			twin := newClient(t, limited.m)
			twin.cookie = own.cookie
			return twin.load().IsNew()
		}(), true)
		own = newClient(t, before)
		own.request(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, s.SetExpiry(12*time.Hour), nil) })
		after := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		time.Sleep(2 * time.Hour)
		for name, tc := range map[string]struct {
			c     *client
			isNew bool
		}{"plain": {plain, true}, "of its own": {own, false}, "permanent before": {permanent, true}} {
			tc.c.m = after
			equal(t, name+": IsNew", tc.c.load().IsNew(), tc.isNew)
		}
	})
}

// X8: a longer policy applies from the next use on.
func TestX8LongerPolicy(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		c.m = newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour})
		time.Sleep(59 * time.Minute)
		c.request(read)
		time.Sleep(time.Minute)
		c.request(increment)
		time.Sleep(9 * time.Hour)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
	})
}

func TestX9Permanent(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: Permanent})
		c := newClient(t, m)
		c.request(set(t, 1))
		rec, err := store.Load(t.Context(), m.keyspace.prefix+c.id())
		want(t, err, nil)
		equal(t, "the record's expiry is zero", rec.Expires.IsZero(), true)
		cookies := 0
		for range 10 * 365 {
			time.Sleep(24 * time.Hour)
			if reply := c.request(read); reply.SetCookie != "" {
				cookies++
				if !strings.Contains(reply.SetCookie, "; Max-Age=34560000;") {
					t.Fatalf("Set-Cookie is %q", reply.SetCookie)
				}
			}
		}
		equal(t, "cookies in ten years", cookies, 91) // one every forty days
		time.Sleep(100 * 365 * 24 * time.Hour)
		c.request(func(s *Session) {
			equal(t, "visits a century later", visits.Get(s), 1)
			equal(t, "Expires is zero", s.Expires().IsZero(), true)
		})
	})
}
