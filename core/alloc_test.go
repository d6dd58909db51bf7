package core

import "testing"

// TestAllocations counts the allocations of a whole request: open, handler, commit, close. The
// numbers are measured. A change that raises one says why.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	for name, tc := range map[string]struct {
		fresh   bool
		handler func(s *Session)
		most    float64
	}{
		"no cookie, untouched":       {true, nil, 0},
		"no cookie, read":            {true, read, 1},
		"existing session, read":     {false, read, 1},
		"existing session, subject":  {false, func(s *Session) { s.Subject() }, 1},
		"existing session, same set": {false, func(s *Session) { _ = visits.Set(s, 1) }, 2},
		"increment":                  {false, increment, 6},
		"new session":                {true, func(s *Session) { _ = visits.Set(s, 1) }, 7},
	} {
		m := newTestManager(t, Options{})
		c := newClient(t, m)
		c.request(set(t, 1))
		fields, sc := []string{c.cookie}, new(Scope)
		if tc.fresh {
			fields = nil
		}
		ctx := t.Context()
		got := testing.AllocsPerRun(5000, func() {
			*sc = Scope{} // An adapter allocates it together with its own data.
			if sc.Open(ctx, nil, m, nil, fields...) != nil {
				t.Fatal("Open fails")
			}
			if tc.handler != nil {
				tc.handler(sc.Get())
			}
			if _, err := sc.CommitHeader(); err != nil || sc.Close() != nil {
				t.Fatal("Finish fails")
			}
		})
		t.Logf("%s: %v", name, got)
		if got > tc.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, tc.most)
		}
	}
}
