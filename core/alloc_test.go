package core

import "testing"

// Allocations of a whole request in core: attach, load, handler, finish. The numbers are what was measured; they may go
// down, and whoever makes them go up says why.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	for name, tc := range map[string]struct {
		fresh   bool
		handler func(s *Session)
		most    float64
	}{
		"no cookie, untouched":       {true, func(*Session) {}, 1},
		"no cookie, read":            {true, read, 1},
		"existing session, read":     {false, read, 2},
		"existing session, subject":  {false, func(s *Session) { s.Subject() }, 2},
		"existing session, same set": {false, func(s *Session) { _ = visits.Set(s, 1) }, 3},
		"increment":                  {false, increment, 7},
		"new session":                {true, func(s *Session) { _ = visits.Set(s, 1) }, 9},
	} {
		m := newTestManager(t, Options{})
		c := newClient(t, m)
		c.visit(set(t, 1))
		field := c.cookie
		ctx := t.Context()
		got := testing.AllocsPerRun(5000, func() {
			s := new(Session)
			if tc.fresh {
				m.Attach(s)
			} else {
				m.Attach(s, field)
			}
			if s.Load(ctx) != nil {
				t.Fatal("Load fails")
			}
			tc.handler(s)
			if _, err := s.Finish(ctx); err != nil {
				t.Fatal("Finish fails")
			}
		})
		t.Logf("%s: %v", name, got)
		if got > tc.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, tc.most)
		}
	}
}
