package core

import (
	"context"
	"testing"
	"time"
)

// A request that was sent with the secret from before a renewal meets two conflicts. It does not
// deliver the new secret, whose cookie may be lost, so the old one is good after the grace.
func TestConflictsDeliverNoSecret(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, spy *spy) {
		t.Helper()
		m, other := newTestManager(t, Options{Store: spy}), newTestManager(t, Options{Store: spy})
		c := newClient(t, m)
		c.request(increment)
		s := c.load()
		increment(s)
		meanwhile := []func(s *Session){renew, increment}
		inside := false
		spy.onCall(func(_ context.Context, op, _ string) error {
			if op != "save" || inside || len(meanwhile) == 0 {
				return nil
			}
			handler := meanwhile[0]
			inside, meanwhile = true, meanwhile[1:]
			lost := c.clone()
			lost.m = other
			lost.request(handler) //nolint:contextcheck // It is another request.
			inside = false
			return nil
		})
		_, err := s.finish(t.Context()) // Its cookie is lost as well.
		want(t, err, nil)
		time.Sleep(time.Hour)
		c.request(func(s *Session) {
			equal(t, "visits with the old secret", visits.Get(s), 3)
			increment(s)
		})
		equal(t, "visits with the new one", visits.Get(c.load()), 4)
	})
}
