package core

import (
	"testing"
	"time"
)

// The answer of a renewal was lost. A request with the secret from before it looks again, as one
// does that waits for another in Once: the browser has still not presented the new secret.
func TestReloadWithARetiredSecret(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		c.clone().request(renew)
		lost := c.clone()
		s := lost.load()
		want(t, s.reload(t.Context()), nil)
		want(t, visits.Set(s, 1), nil)
		lost.respond(s)
		time.Sleep(DefaultGrace + time.Minute)
		equal(t, "subject", c.load().Subject(), "ann")
	})
}
