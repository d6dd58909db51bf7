package memstore

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// login saves a new session of a user, or of a visitor if the subject is empty.
func (s *Store) login(t *testing.T, key, subject string, size int) {
	t.Helper()
	s.must(t, store.Record{Key: key, Subject: subject, Data: make([]byte, size), Expires: time.Now().Add(time.Hour)})
}

// small is the size of a session that is not large.
const small = 100

// users has each of so many users sign in once or twice, and returns the keys of their sessions.
func (s *Store) users(t *testing.T, count int) (keys []string) {
	t.Helper()
	for n := range count {
		for i := range 1 + n%2 {
			keys = append(keys, fmt.Sprint("user", n, "-", i))
			s.login(t, keys[len(keys)-1], fmt.Sprint("user", n), small)
		}
	}
	return keys
}

// visitors has so many visitors come, and returns the keys of their sessions.
func (s *Store) visitors(t *testing.T, count int) (keys []string) {
	t.Helper()
	for n := range count {
		keys = append(keys, fmt.Sprint("visitor", n))
		s.login(t, keys[n], "", small)
	}
	return keys
}

// lost returns how many of the sessions are gone. It uses none of them.
func (s *Store) lost(t *testing.T, keys []string) int {
	t.Helper()
	there := make(map[string]bool)
	s.walk(t, "", 1000, func(page []store.Record, _ string) {
		for _, rec := range page {
			there[rec.Key] = true
		}
	})
	lost := 0
	for _, key := range keys {
		if !there[key] {
			lost++
		}
	}
	return lost
}

// TestD3OneAccountPushesNobodyOut has an account sign in 2000 times beside a thousand users.
func TestD3OneAccountPushesNobodyOut(t *testing.T) {
	t.Parallel()
	const users, sessions = 1000, 1500
	each := recordOverhead + int64(small+len("user0000-0")+len("user0000"))
	for name, options := range map[string]Options{
		"by count":             {MaxRecords: 2000},
		"by count, no room":    {MaxRecords: sessions + 10},
		"by bytes":             {MaxBytes: 2000 * each},
		"by bytes, no room":    {MaxBytes: (sessions + 10) * each},
		"by bytes, many slots": {MaxRecords: 1 << 40, MaxBytes: 2000 * each},
	} {
		for _, large := range []int{1, 20} { // its sessions are that much larger than the others'
			t.Run(fmt.Sprint(name, ", size ", large), func(t *testing.T) {
				t.Parallel()
				s := New(options)
				others := s.users(t, users)
				for n := range 2000 {
					s.login(t, fmt.Sprint("attack", n), "attacker", small*large)
				}
				if n := s.lost(t, others); n > 0 {
					t.Errorf("%d of %d sessions of others are gone", n, len(others))
				}
				if n := s.lost(t, []string{"attack1999"}); n > 0 {
					t.Error("the last session of the account itself is gone")
				}
				verify(t, s)
			})
		}
	}
}

// TestD3FewLargeSessionsPushNobodyOut has an account with fewer sessions than others, which are much larger.
func TestD3FewLargeSessionsPushNobodyOut(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxBytes: 1 << 20})
	var others []string
	for n := range 100 {
		for i := range 8 {
			others = append(others, fmt.Sprint("user", n, "-", i))
			s.login(t, others[len(others)-1], fmt.Sprint("user", n), 100)
		}
	}
	for n := range 50 {
		s.login(t, fmt.Sprint("attack", n), "attacker", 200_000)
	}
	if n := s.lost(t, others); n > 0 {
		t.Errorf("%d of %d sessions of others are gone", n, len(others))
	}
	verify(t, s)
}

// TestD3ManyAccountsShareWhatTheyTake has twenty accounts sign in by turns.
func TestD3ManyAccountsShareWhatTheyTake(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 2000})
	others := s.users(t, 1000)
	for n := range 4000 {
		s.login(t, fmt.Sprint("attack", n), fmt.Sprint("attacker", n%20), 100)
	}
	if n := s.lost(t, others); n > 0 {
		t.Errorf("%d of %d sessions of others are gone", n, len(others))
	}
	for n := range 20 {
		if found, _ := s.BySubject(t.Context(), fmt.Sprint("attacker", n)); len(found) < 20 || len(found) > 30 {
			t.Errorf("attacker %d has %d sessions, want about a twentieth of the 500 that the others leave", n, len(found))
		}
	}
	verify(t, s)
}

// TestD3OneAccountPushesFewVisitorsOut has an account sign in 2000 times in a store full of visitors.
func TestD3OneAccountPushesFewVisitorsOut(t *testing.T) {
	t.Parallel()
	const bound = 2000
	s := New(Options{MaxRecords: bound})
	others := s.visitors(t, bound)
	for n := range 2000 {
		s.login(t, fmt.Sprint("attack", n), "attacker", 100)
	}
	if n := s.lost(t, others); n > bound/20 {
		t.Errorf("%d of %d sessions of visitors are gone, want at most a twentieth", n, len(others))
	}
	verify(t, s)
}

// TestD3OneAccountGivesRoomBack has an account fill the store before anybody else comes.
func TestD3OneAccountGivesRoomBack(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 2000})
	for n := range 2000 {
		s.login(t, fmt.Sprint("attack", n), "attacker", 100)
	}
	visitors := s.visitors(t, 500)
	users := s.users(t, 600)
	if n := s.lost(t, append(users, visitors...)); n > 0 {
		t.Errorf("%d sessions of those who came after the account are gone", n)
	}
	verify(t, s)
}

// TestD3VisitorsTakeNothingFromUsers has more visitors come than the store holds, beside users with many sessions.
func TestD3VisitorsTakeNothingFromUsers(t *testing.T) {
	t.Parallel()
	const bound = 2000
	for _, mine := range []int{1, 10, 100, 900} {
		s := New(Options{MaxRecords: bound})
		var users []string
		for n := range 900 {
			users = append(users, fmt.Sprint("user", n))
			s.login(t, users[n], fmt.Sprint("subject", n/mine), 100)
		}
		s.visitors(t, 3*bound)
		if n := s.lost(t, users); n > 0 {
			t.Errorf("users with %d sessions have lost %d to visitors", mine, n)
		}
		verify(t, s)
	}
}

// TestD3HeaviestLosesTheLongestIdle has somebody use the sessions of the account with the most in another order than they
// were made in. They must go in the order of use.
func TestD3HeaviestLosesTheLongestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const mine, others = 100, 50
		s := New(Options{MaxRecords: mine + others})
		for n := range others {
			s.login(t, fmt.Sprint("other", n), fmt.Sprint("user", n), 1)
		}
		keys := make([]string, mine)
		for n := range keys {
			keys[n] = fmt.Sprint("mine", n)
			s.login(t, keys[n], "someone", 1)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(mine, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] }) //nolint:gosec // any order will do
		use := func(key string) {
			time.Sleep(time.Microsecond) // since the order of use is told by the clock
			if _, err := s.Load(t.Context(), key); err != nil {
				t.Fatalf("Load(%q) = %v", key, err)
			}
		}
		for _, key := range keys {
			use(key)
		}
		for n := range mine / 2 {
			if n%5 == 0 { // While some go, others are used.
				use(keys[n])
				keys = append(keys, keys[n])
			} else {
				s.login(t, fmt.Sprint("new", n), fmt.Sprint("newcomer", n), 1)
				if s.lost(t, keys[n:n+1]) != 1 || s.lost(t, keys[n+1:]) != 0 {
					t.Fatalf("login %d: the session idle longest of the account with the most is not the one that went", n)
				}
			}
		}
		verify(t, s)
	})
}

// TestD3EqualUsersLoseTheLongestIdle has users with one to three sessions each, of whom those idle longest lose theirs
// whoever has more.
func TestD3EqualUsersLoseTheLongestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 2000
		s := New(Options{MaxRecords: bound})
		var keys []string
		for n := 0; len(keys) < bound; n++ {
			for i := range min(1+n%3, bound-len(keys)) {
				time.Sleep(time.Microsecond) // since the order of use is told by the clock
				keys = append(keys, fmt.Sprint("user", n, "-", i))
				s.login(t, keys[len(keys)-1], fmt.Sprint("user", n), 50*(n%7))
			}
		}
		for n := range bound / 4 {
			time.Sleep(time.Microsecond)
			s.login(t, fmt.Sprint("new", n), fmt.Sprint("newcomer", n), 1)
		}
		if gone := s.lost(t, keys[:bound/4]); gone != bound/4 {
			t.Errorf("%d of the %d sessions idle longest are gone, want all", gone, bound/4)
		}
	})
}

// TestD3KeepSignedInKeepsTheHeaviest has KeepSignedIn hold for whoever has most, too.
func TestD3KeepSignedInKeepsTheHeaviest(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 100, KeepSignedIn: true})
	var keys []string
	for n := range 90 {
		keys = append(keys, fmt.Sprint("mine", n))
		s.login(t, keys[n], "someone", 1)
	}
	s.visitors(t, 100)
	for n := range 10 {
		s.login(t, fmt.Sprint("other", n), fmt.Sprint("user", n), 1)
	}
	if n := s.lost(t, keys); n > 0 {
		t.Errorf("%d sessions of a signed-in user are gone", n)
	}
}

// TestD3ParallelLoginsPushNobodyOut has several accounts sign in at once, while others use their sessions.
func TestD3ParallelLoginsPushNobodyOut(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 2000})
	others := s.users(t, 1000)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 1500 {
				key := fmt.Sprint("attack", w, "-", n)
				_, err := s.Save(t.Context(), store.Record{Key: key, Subject: fmt.Sprint("attacker", w%2), Data: make([]byte, n%200)})
				if err != nil {
					t.Errorf("Save = %v", err)
				}
			}
		})
	}
	for w := range 2 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 5)) //nolint:gosec // a test's choice of what to do next
			for range 3000 {
				key := others[random.IntN(len(others))]
				rec, err := s.Load(t.Context(), key)
				if err != nil {
					t.Errorf("Load(%q) = %v", key, err)
					return
				}
				if random.IntN(4) == 0 {
					_, _ = s.Save(t.Context(), rec) // the other may have been faster
				}
			}
		})
	}
	wg.Wait()
	if n := s.lost(t, others); n > 0 {
		t.Errorf("%d of %d sessions of others are gone", n, len(others))
	}
	verify(t, s)
}

// TestVictimsAreChosenSeldom counts how often the store looks at all sessions of an account while it takes them. Two
// accounts sign in by turns, so that the one with the most changes.
func TestVictimsAreChosenSeldom(t *testing.T) {
	t.Parallel()
	const bound, logins = 5000, 2000
	s := New(Options{MaxRecords: bound})
	for n := range bound {
		subject := fmt.Sprint("attacker", n%2)
		if n < bound/5 {
			subject = fmt.Sprint("user", n)
		}
		s.login(t, fmt.Sprint("session", n), subject, 100)
	}
	chosen, left := 0, 0
	for n := range logins {
		s.login(t, fmt.Sprint("more", n), fmt.Sprint("attacker", n%2), 100)
		if len(s.evictor.victims) > left {
			chosen++
		}
		left = len(s.evictor.victims)
	}
	if chosen == 0 || chosen > logins/50 {
		t.Errorf("all sessions of an account were looked at %d times for %d that had to go", chosen, logins)
	}
}
