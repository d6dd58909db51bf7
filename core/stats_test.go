package core

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// Each event is counted, with a hook and without one.
func TestStats(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(Event){"hook": func(Event) {}, "no hook": nil} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnEvent: hook, Expiry: time.Hour})
			equal(t, name+": at the start", m.Stats(), Stats{})
			c := newClient(t, m)
			c.request(set(t, 1)) // created
			planted := c.clone()
			c.request(signInAs(t, "ann"))                   // loaded, committed, login
			want(t, visits.Set(planted.load(), 1), ErrGone) // gone
			time.Sleep(90 * time.Second)
			planted.load() // refused
			former := c.clone()
			c.request(renew) // loaded, committed, renewed
			c.request(read)  // loaded, touched, by the delivery
			a, b := c.clone(), c.clone()
			x, y := a.load(), b.load() // loaded twice
			increment(x)
			increment(y)
			a.respond(x) // committed
			b.respond(y) // merged, committed
			time.Sleep(90*time.Second - time.Millisecond)
			former.load() // nothing: it is overtaken
			time.Sleep(time.Millisecond)
			former.load() // reused
			time.Sleep(10 * time.Minute)
			c.request(read) // loaded, touched
			time.Sleep(10 * time.Minute)
			c.request(read)                          // loaded, touched
			newSignedIn(t, m, "ann")                 // created, login
			last := newSignedIn(t, m, "ann")         // created, login, limit reached, revoked
			s := last.load()                         // loaded
			last.clone().request((*Session).Destroy) // loaded, destroyed
			increment(s)
			last.respond(s)                                                  // gone
			damageRecord(t, store, "session:"+newSignedIn(t, m, "bob").id()) // created, login, loaded
			bad := newSignedIn(t, m, "cy")                                   // created, login
			damageRecord(t, store, "session:"+bad.id())                      // loaded
			bad.load()                                                       // undecodable
			old := newClient(t, newTestManager(t, Options{Store: store, Expiry: 9 * time.Hour}))
			old.request(set(t, 1))
			time.Sleep(2 * time.Hour)
			old.m = m
			old.load() // expired
			store.failOn("load", errDown)
			want(t, tryLoad(t, m, bad), ErrStore) // store failure
			equal(t, name, m.Stats(), Stats{
				Created: 5, Loaded: 11, Committed: 4, Merged: 1, Touched: 3, Renewed: 1, Logins: 5, Destroyed: 1, Revoked: 1, Gone: 2,
				Expired: 1, Refused: 1, Reused: 1, LimitsReached: 1, Undecodable: 1, StoreFailures: 1,
			})
		})
	}
}

// tryLoad loads the session of the client, and returns the error.
func tryLoad(tb testing.TB, m *Manager, c *client) error {
	tb.Helper()
	return unloadedSession(m, c.cookie).load(tb.Context())
}

// The memory store has its own way to load records. It counts and reports the same.
func TestStatsOfTheMemoryStore(t *testing.T) {
	t.Parallel()
	inBubble(t, func() *memstore.Store { return memstore.New(memstore.Options{}) }, func(t *testing.T, store *memstore.Store) {
		t.Helper()
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, Logger: logger, Expiry: time.Hour})
		c := newClient(t, m)
		c.request(set(t, 1)) // created
		for range 3 {
			c.request(read) // loaded
		}
		other := c.clone()
		other.cookie = "session=" + tokenWithOtherSecret(c)
		other.request(read) // refused
		other.m = newTestManager(t, Options{Store: store, Logger: logger, Cookie: Cookie{Name: "other"}})
		other.cookie = "other=" + strings.TrimPrefix(c.cookie, "session=")
		other.request(read) // refused by the other
		equal(t, "refused by the other", other.m.Stats(), Stats{Refused: 1})
		former := c.clone()
		c.request(renew) // loaded, committed, renewed
		c.request(read)  // loaded, touched, by the delivery
		time.Sleep(90*time.Second - time.Millisecond)
		former.request(read) // nothing: it is overtaken
		time.Sleep(time.Millisecond)
		former.request(read)                      // reused
		damageRecord(t, store, "session:"+c.id()) // loaded
		c.request(read)                           // undecodable
		equal(t, "warned of", strings.Contains(log.String(), "undecodable"), true)
		equal(t, "stats", m.Stats(), Stats{
			Created: 1, Loaded: 6, Refused: 1, Committed: 1, Touched: 1, Renewed: 1, Reused: 1, Undecodable: 1,
		})

		old := newClient(t, newTestManager(t, Options{Store: store, Logger: logger, Expiry: 9 * time.Hour}))
		old.request(set(t, 1))
		time.Sleep(2 * time.Hour)
		old.m = m
		ended := old.clone()
		old.request(read) // expired
		equal(t, "expired", m.Stats().Expired, 1)
		_, err := store.Load(t.Context(), m.keyspace.key(ended.ticket().ID))
		want(t, err, ErrNotFound)
	})
}
