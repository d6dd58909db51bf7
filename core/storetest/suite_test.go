package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// recorder takes the place of a case's test, so that its failure can be looked at instead of failing.
type recorder struct {
	testing.TB
	mu      sync.Mutex
	failed  bool
	skipped bool
	log     []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(args ...any) {
	r.mu.Lock()
	r.skipped = true
	r.log = append(r.log, fmt.Sprint(args...))
	r.mu.Unlock()
	runtime.Goexit()
}

// find returns the case of that name, as in "Races/TornReads".
func find(t *testing.T, name string) testCase {
	t.Helper()
	for _, g := range groups() {
		for _, c := range g.cases {
			if g.name+"/"+c.name == name {
				return c
			}
		}
	}
	t.Fatalf("there is no case %q", name)
	return testCase{}
}

// try runs one case against the store of config and returns what it reported.
func try(t *testing.T, config Config, c testCase) *recorder {
	t.Helper()
	var result *recorder
	c.execute(t, config, func(tb testing.TB, run func(testing.TB)) {
		tb.Helper()
		r := &recorder{TB: tb}
		done := make(chan struct{})
		go func() {
			defer close(done)
			run(r)
		}()
		<-done
		result = r
	})
	return result
}

// over returns the configuration of a store made of a good one.
func over(wrap func(good *memstore.Store) store.Store) Config {
	return Config{InProcess: true, New: func(testing.TB) store.Store { return wrap(memstore.New(memstore.Options{})) }}
}

func good() Config { return over(func(s *memstore.Store) store.Store { return s }) }

func TestGoodStorePasses(t *testing.T) {
	Run(t, good())
}

func TestGoodStoreWithTwoHandlesPasses(t *testing.T) {
	c := good()
	c.Second = func(_ testing.TB, first store.Store) store.Store { return struct{ full }{first.(full)} }
	Run(t, c)
}

// TestGoodPurgePasses has a store with a purge, which the memory store has no need of.
func TestGoodPurgePasses(t *testing.T) {
	t.Parallel()
	c := over(purging((*purges).deleteOver))
	if r := try(t, c, find(t, "Purge/OnlyExpired")); r.failed || r.skipped {
		t.Error(strings.Join(r.log, "\n"))
	}
}

// TestOddPagesPass has a store whose pages are sometimes empty, and which returns keys more than once.
func TestOddPagesPass(t *testing.T) {
	t.Parallel()
	c := over(func(s *memstore.Store) store.Store { return &oddPages{full: s} })
	for _, tc := range subjectKeysCases() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if r := try(t, c, tc); r.failed || r.skipped {
				t.Error(strings.Join(r.log, "\n"))
			}
		})
	}
}

// TestRemoteStorePasses runs the suite as it is for a server: in real time, with expiries rounded up, and with nothing
// optional.
func TestRemoteStorePasses(t *testing.T) {
	shared := &remote{good: memstore.New(memstore.Options{MaxBytes: 32 << 20})}
	Run(t, Config{
		New:        func(testing.TB) store.Store { return shared },
		Resolution: resolution,
		TooLarge:   33 << 20,
	})
}

func TestUnsupportedMethodsAreSkipped(t *testing.T) {
	t.Parallel()
	c := over(func(s *memstore.Store) store.Store { return &unsupported{full: s} })
	for _, g := range groups() {
		for _, tc := range g.cases {
			t.Run(g.name+tc.name, func(t *testing.T) {
				t.Parallel()
				r := try(t, c, tc)
				if r.failed {
					t.Errorf("failed: %s", strings.Join(r.log, "\n"))
				}
				optional := slices.Contains([]string{"Touch", "Index", "SubjectKeys", "List", "Purge", "Count"}, g.name)
				if optional && tc.name != "Unsupported" && !r.skipped {
					t.Error("was not skipped")
				}
			})
		}
	}
}

func TestBrokenStoresAreCaught(t *testing.T) {
	t.Parallel()
	for _, b := range brokenStores() {
		for name := range strings.SplitSeq(b.caughtBy, " ") {
			t.Run(b.fault+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := find(t, name)
				r := try(t, over(b.wrap), c)
				if !r.failed {
					t.Fatalf("a store that %s passed the case %s", b.fault, name)
				}
				if !strings.Contains(r.log[0], c.rule) {
					t.Errorf("the failure does not say what the rule is: %s", r.log[0])
				}
			})
		}
	}
}

// TestEveryCaseCatches makes sure that there is a broken store for each case, so that none of them is for show.
func TestEveryCaseCatches(t *testing.T) {
	t.Parallel()
	caught := make(map[string]bool)
	for _, b := range brokenStores() {
		for name := range strings.SplitSeq(b.caughtBy, " ") {
			caught[name] = true
		}
	}
	for _, g := range groups() {
		for _, c := range g.cases {
			if name := g.name + "/" + c.name; !caught[name] && name != "Save/TooLarge" {
				t.Errorf("no broken store is caught by %s", name)
			}
		}
	}
}

func TestOversizeThatDeletesIsCaught(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	c := over(func(s *memstore.Store) store.Store { return &dropsOnTooLarge{full: s, limit: limit} })
	c.TooLarge = limit + 1
	if r := try(t, c, find(t, "Save/TooLarge")); !r.failed {
		t.Error("a store that loses the old record when it refuses a larger one passed")
	}
	if r := try(t, good(), find(t, "Save/TooLarge")); !r.skipped {
		t.Error("a store without a limit was not spared the case")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {New: good().New, Resolution: -1}, {New: good().New, Resolution: 2 * time.Second}} {
		if c.check() == "" {
			t.Errorf("%+v was accepted", c)
		}
	}
	if c := good(); c.check() != "" {
		t.Error(c.check())
	}
}

func TestCasesAreWellFormed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, g := range groups() {
		for _, c := range g.cases {
			name := g.name + "/" + c.name
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			if !strings.HasSuffix(c.rule, ".") || len(c.rule) < 40 || strings.ContainsAny(c.name, " /_") {
				t.Errorf("%s: the rule is no sentence, or the name is none that -run can pick", name)
			}
		}
	}
}

func BenchmarkGoodStore(b *testing.B) { Bench(b, good()) }
