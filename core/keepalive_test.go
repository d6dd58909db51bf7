package core

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
)

// times returns the times in the client's record.
func (c *client) times(store Store) (seen, extended, expires time.Time) {
	c.t.Helper()
	rec, err := store.Load(c.t.Context(), c.m.keyspace.key(c.ticket().ID))
	want(c.t, err, nil)
	snap, err := decodeRecord(rec)
	want(c.t, err, nil)
	snap.ApplyTouchedExpiry(time.Now().UnixMilli())
	return timeOf(snap.Seen), timeOf(snap.Extended), rec.Expires
}

// stream returns a request of the client whose response has begun.
func (c *client) stream() *Session {
	c.t.Helper()
	s := c.load()
	c.respond(s)
	return s
}

// A stream keeps its session alive in the store, though it cannot extend the cookie: the next
// request does.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(signInAs(t, "ann"))
		c.request(read)
		begun := time.Now()
		s := c.stream()
		for range 18 {
			time.Sleep(10 * time.Minute)
			want(t, s.KeepAlive(t.Context()), nil)
			seen, extended, expires := c.times(store)
			equal(t, "seen", seen.UnixMilli(), time.Now().UnixMilli())
			equal(t, "cookie extended", extended.UnixMilli(), begun.UnixMilli())
			equal(t, "expires", expires.UnixMilli(), time.Now().Add(time.Hour).UnixMilli())
			equal(t, "remaining", s.Remaining(), time.Hour)
		}
		time.Sleep(time.Hour - time.Millisecond)
		reply := c.request(func(s *Session) { equal(t, "subject", s.Subject(), "ann") })
		equal(t, "the next request extends the cookie", strings.Contains(reply.SetCookie, "Max-Age=3600"), true)
		time.Sleep(time.Hour)
		want(t, s.KeepAlive(t.Context()), ErrGone)
		equal(t, "IsNew", c.load().IsNew(), true)
	})
}

// Called before the response begins, KeepAlive makes the cookie last for as long as a browser keeps
// it, because nothing can extend it during the stream. The session ends when it would have.
func TestKeepAliveMakesTheCookieLast(t *testing.T) {
	t.Parallel()
	const lasting, anHour = "Max-Age=34560000", "Max-Age=3600"
	for name, tc := range map[string]struct {
		options Options
		before  func(s *Session)
		cookie  string // of the response that becomes a stream; "" if it sets none
		later   string // of the next response that extends the cookie
	}{
		"idle timeout":     {Options{}, read, lasting, lasting},
		"absolute timeout": {Options{Lifetime: 10 * time.Hour}, read, "Max-Age=36000", "Max-Age=35100"},
		"permanent":        {Options{Expiry: Permanent}, read, lasting, ""},
		"of the browser":   {Options{Cookie: Cookie{SessionOnly: true}}, read, "", ""},
		"remembered": {
			Options{Cookie: Cookie{SessionOnly: true}},
			func(s *Session) { _ = s.Remember(true) }, lasting, lasting,
		},
		"forgotten": {Options{}, func(s *Session) { _ = s.Remember(false) }, "session=", ""},
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			o := tc.options
			if o.Store = store; o.Expiry == 0 {
				o.Expiry = time.Hour
			}
			c := newClient(t, newTestManager(t, o))
			c.request(set(t, 1))
			begun := time.Now()
			reply := c.request(func(s *Session) {
				tc.before(s)
				want(t, s.KeepAlive(t.Context()), nil)
				want(t, s.KeepAlive(t.Context()), nil)
			})
			equal(t, name+": cookie", strings.Contains(reply.SetCookie, tc.cookie), true)
			equal(t, name+": there is one", reply.SetCookie != "", tc.cookie != "")
			equal(t, name+": it lasts", strings.Contains(reply.SetCookie, "Max-Age"), strings.Contains(tc.cookie, "Max-Age"))
			if _, _, expires := c.times(store); !expires.IsZero() {
				equal(t, name+": expires", expires.UnixMilli(), begun.Add(time.Hour).UnixMilli())
			}
			time.Sleep(15 * time.Minute)
			reply = c.request(read)
			equal(t, name+": later cookie", strings.Contains(reply.SetCookie, tc.later), true)
			equal(t, name+": there is a later one", reply.SetCookie != "", tc.later != "")
		})
	}
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		for n, saves := range []int{1, 0, 0} {
			store.reset()
			c.request(func(s *Session) { want(t, s.KeepAlive(t.Context()), nil) })
			equal(t, "saves by the stream "+strconv.Itoa(n), store.count("save"), saves)
		}
		// The choice is this user's.
		c.request(signInAs(t, "ann"))
		reply := c.request(signInAs(t, "bob"))
		equal(t, "the cookie of another user", strings.Contains(reply.SetCookie, anHour), true)
	})
	// The former secret never gets a cookie.
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}), "ann")
		for range 2 {
			former := c.clone()
			c.request(func(s *Session) { want(t, s.StepUp(Auth{}), nil) })
			reply := former.request(func(s *Session) { want(t, s.KeepAlive(t.Context()), nil) })
			equal(t, "cookie for a former secret", reply.SetCookie, "")
			c.request(func(s *Session) { want(t, s.KeepAlive(t.Context()), nil) })
		}
		// So the browser still has to be told, and again if an answer is lost.
		for range 2 {
			reply := c.clone().request(func(s *Session) { want(t, s.KeepAlive(t.Context()), nil) })
			equal(t, "cookie of the stream", strings.Contains(reply.SetCookie, lasting), true)
		}
	})
}

// KeepAlive costs one call of the store. It writes once in a tenth of the idle timeout.
func TestKeepAliveCalls(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		s := c.stream()
		store.reset()
		for range 60 {
			time.Sleep(time.Minute)
			want(t, s.KeepAlive(t.Context()), nil)
		}
		equal(t, "saves", store.count("save"), 10)
		equal(t, "calls", store.count(""), 60)
		// It says that the session has expired by the policy, and that it is as long as it may be.
		end := newTestManager(t, Options{Store: store, Expiry: time.Hour, Lifetime: 90 * time.Minute})
		c.m = end
		s = c.stream()
		time.Sleep(29 * time.Minute)
		want(t, s.KeepAlive(t.Context()), nil)
		equal(t, "remaining", s.Remaining(), time.Minute)
		time.Sleep(time.Minute)
		want(t, s.KeepAlive(t.Context()), ErrGone)
	})
}

// KeepAlive notices an end, whether it is due to write or not.
func TestKeepAliveOfAnEndedSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, c *client){
		"destroyed": func(_ *testing.T, c *client) { c.request((*Session).Destroy) },
		"revoked":   func(t *testing.T, c *client) { t.Helper(); want(t, c.m.RevokeByID(t.Context(), c.id()), nil) },
		"signed in": func(t *testing.T, c *client) { t.Helper(); c.request(signInAs(t, "bob")) },
		"deleted": func(t *testing.T, c *client) {
			t.Helper()
			want(t, c.m.records.delete(t.Context(), c.m.keyspace.key(c.ticket().ID)), nil)
		},
	} {
		for _, wait := range []time.Duration{time.Minute, 30 * time.Minute} {
			eachStoreInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				c := newSignedIn(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}), "ann")
				s := c.stream()
				end(t, c.clone())
				time.Sleep(wait)
				want(t, s.KeepAlive(t.Context()), ErrGone)
				want(t, s.KeepAlive(t.Context()), ErrGone)
				equal(t, name+": subject", c.load().Subject(), "")
			})
		}
	}
}

// If the store fails, KeepAlive says so, and pending changes stay pending.
func TestKeepAliveOutage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fails string
		wait  time.Duration
	}{{"load", time.Minute}, {"save", 30 * time.Minute}} {
		for _, changed := range []bool{false, true} {
			inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
				t.Helper()
				c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
				c.request(set(t, 1))
				s := c.stream()
				time.Sleep(tc.wait)
				wanted := 1
				store.failOn(tc.fails, errDown)
				if changed {
					store.failOn("save", errDown)
					set(t, 2)(s)
					wanted = 2
				}
				want(t, s.KeepAlive(t.Context()), ErrStore)
				equal(t, "visits of the request", visits.Get(s), wanted)
				store.onCall(nil)
				want(t, s.KeepAlive(t.Context()), nil)
				equal(t, "visits", visits.Get(c.load()), wanted)
				_, err := s.finish(t.Context()) // Adapters do so after the handler.
				want(t, err, nil)
				seen, _, _ := c.times(store.store)
				equal(t, "used now", seen.UnixMilli() == time.Now().UnixMilli(), tc.wait > time.Minute || changed)
			})
		}
	}
}

// A client that disconnects does not stop it.
func TestKeepAliveOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		s := c.stream()
		store.onCall(func(ctx context.Context, _, _ string) error { return ctx.Err() })
		for _, wait := range []time.Duration{time.Minute, 30 * time.Minute} {
			time.Sleep(wait)
			want(t, s.KeepAlive(canceledContext(t)), nil)
		}
		store.onCall(nil)
		seen, _, _ := c.times(store.store)
		equal(t, "seen", seen.UnixMilli(), time.Now().UnixMilli())
	})
}

// KeepAlive saves what is pending, merged with what others have saved.
func TestKeepAliveSavesChanges(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{time.Minute, 30 * time.Minute} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
			c.request(set(t, 1))
			s := c.stream()
			time.Sleep(wait)
			increment(s)
			c.clone().request(increment)
			want(t, s.KeepAlive(t.Context()), nil)
			equal(t, "visits", visits.Get(c.load()), 3)
		})
	}
}

// KeepAlive does nothing for a visitor without a session.
func TestKeepAliveOfAVisitor(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.load()
	want(t, s.KeepAlive(t.Context()), nil)
	equal(t, "cookie", c.respond(s).SetCookie, "")
	want(t, s.KeepAlive(t.Context()), nil)
	equal(t, "calls", store.count(""), 0)
}

// A passive request is no use of the session, so a page that polls does not keep it alive. What it
// changes is saved, and it may say that it is used after all.
func TestPassive(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour, RenewEvery: 20 * time.Minute})
		c := newClient(t, m)
		phone := &sender{ip: "192.0.2.1", agent: "phone"}
		c.requestFrom(phone, signInAs(t, "ann"))
		c.request(read)
		begun, ticket := time.Now(), c.ticket()
		poll := func(change func(s *Session)) {
			v := &sender{ip: "192.0.2.2", agent: "other"}
			cookie := c.cookie
			c.requestFrom(v, func(s *Session) { s.Passive(); change(s) })
			equal(t, "asked for the device", v.asked, 0)
			equal(t, "a cookie is sent", c.cookie != cookie, false)
		}
		for i := range 59 {
			time.Sleep(time.Minute)
			if i%2 == 0 {
				poll(read)
			} else {
				poll(increment)
			}
			seen, extended, expires := c.times(store)
			equal(t, "seen", seen.UnixMilli(), begun.UnixMilli())
			equal(t, "extended", extended.UnixMilli(), begun.UnixMilli())
			equal(t, "expires", expires.UnixMilli(), begun.Add(time.Hour).UnixMilli())
		}
		equal(t, "renewed", c.ticket() != ticket, false)
		equal(t, "ip", c.info().IP, "192.0.2.1")
		equal(t, "visits", visits.Get(c.load()), 29)
		time.Sleep(time.Minute)
		equal(t, "IsNew", c.load().IsNew(), true)
	})
}

func TestPassiveKeepAlive(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		for _, streamed := range []bool{true, false} {
			time.Sleep(30 * time.Minute)
			s := c.load()
			s.Passive()
			if streamed {
				equal(t, "cookie", c.respond(s).SetCookie, "")
			}
			want(t, s.KeepAlive(t.Context()), nil)
			seen, _, _ := c.times(store)
			equal(t, "seen", seen.UnixMilli(), time.Now().UnixMilli())
			c.respond(s)
		}
		time.Sleep(time.Hour - time.Millisecond)
		equal(t, "IsNew", c.load().IsNew(), false)
	})
}

// A passive request that is the first to present a new secret says that it has arrived, and extends
// nothing.
func TestPassiveDelivery(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}), "ann")
		former := c.clone()
		c.request(func(s *Session) { want(t, s.StepUp(Auth{}), nil) })
		begun := time.Now()
		time.Sleep(time.Minute)
		equal(t, "former", former.load().Subject(), "ann")
		c.request((*Session).Passive)
		equal(t, "former, after the delivery", former.load().Subject(), "")
		seen, extended, _ := c.times(store)
		equal(t, "seen", seen.UnixMilli(), begun.UnixMilli())
		equal(t, "extended", extended.UnixMilli(), begun.UnixMilli())
	})
}
