package core

import (
	"testing"
	"testing/synctest"
	"time"
)

// The clocks of two servers may differ by a minute: a login on one is fresh on the other.
func TestFreshWhenClocksDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newSignedIn(t, newTestManager(t, Options{}), "ann")
		for ahead, fresh := range map[time.Duration]bool{
			0: true, 45 * time.Second: true, time.Minute: true, time.Minute + time.Millisecond: false,
		} {
			s := c.load()
			s.snap.Authenticated = time.Now().Add(ahead).UnixMilli()
			equal(t, "fresh, "+ahead.String()+" ahead", s.Fresh(10*time.Second), fresh)
		}
	})
}
