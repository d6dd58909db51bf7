package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// purgeable is a store with a Purge method of the test.
type purgeable struct {
	*spy
	purge func(ctx context.Context, limit int) (int, error)

	mu sync.Mutex
	at []time.Time // when Purge was called
}

func (p *purgeable) Purge(ctx context.Context, limit int) (int, error) {
	p.mu.Lock()
	p.at = append(p.at, time.Now())
	p.mu.Unlock()
	return p.purge(ctx, limit)
}

func (p *purgeable) purges() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

func newPurgeable(purge func(ctx context.Context, limit int) (int, error)) *purgeable {
	return &purgeable{spy: newSpy(), purge: purge}
}

// nothingToPurge is the Purge method of a store in which nothing has expired.
func nothingToPurge(context.Context, int) (int, error) { return 0, nil }

// early and late are the bounds of the time between two purges.
const (
	early = DefaultPurgeInterval * 3 / 4
	late  = DefaultPurgeInterval * 5 / 4
)

func TestPurgeInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newPurgeable(nothingToPurge)
		start := time.Now()
		newTestManager(t, Options{Store: store})
		time.Sleep(500 * DefaultPurgeInterval)
		gaps := make(map[time.Duration]bool)
		shortest, longest := late, early
		last := start
		for _, at := range store.purges() {
			gap := at.Sub(last)
			if gap < early || gap > late {
				t.Errorf("a purge %v after the one before, want between %v and %v", gap, early, late)
			}
			gaps[gap], last = true, at
			shortest, longest = min(shortest, gap), max(longest, gap)
		}
		if n := len(gaps); n < 300 {
			t.Errorf("%d different times between purges, want about 500", n)
		}
		if shortest > early+10*time.Second || longest < late-10*time.Second {
			t.Errorf("purges come %v to %v after each other, want all of %v to %v", shortest, longest, early, late)
		}
	})
}

// The longest intervals do not overflow when the jitter is added.
func TestPurgeWait(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{time.Second, time.Minute, 40 * time.Hour, 365 * 24 * time.Hour, math.MaxInt64 / 2, math.MaxInt64} {
		for range 100 {
			usual := min(interval, math.MaxInt64/2)
			if got := spread(interval); got < usual/4*3 || got-usual > usual/4 {
				t.Fatalf("with an interval of %v the wait is %v", interval, got)
			}
		}
	}
}

func TestPurgeInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		expired := 2*purgeBatch + 3
		store := newPurgeable(func(_ context.Context, limit int) (int, error) {
			equal(t, "limit", limit, 500)
			deleted := min(limit, expired)
			expired -= deleted
			return deleted, nil
		})
		newTestManager(t, Options{Store: store})
		time.Sleep(late)
		at := store.purges()
		equal(t, "batches", len(at), 3)
		for i := range at[1:] {
			if pause := at[i+1].Sub(at[i]); pause <= 0 || pause > time.Second {
				t.Errorf("a pause of %v between batches", pause)
			}
		}
		time.Sleep(late)
		if n := len(store.purges()); n != 4 && n != 5 {
			t.Errorf("%d purges, want one or two more", n)
		}
	})
}

// The purger continues after an error, and after a purge that did not answer in time.
func TestPurgeContinuesAfterErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var call int
		store := newPurgeable(func(ctx context.Context, limit int) (int, error) {
			call++
			deadline, ok := ctx.Deadline()
			equal(t, "time for a batch", time.Until(deadline), 3*time.Second)
			equal(t, "deadline", ok, true)
			switch call {
			case 1:
				return limit, errDown // Although it has deleted a batch, it is not called again at once.
			case 2:
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return 0, nil
		})
		log, out := debugLog()
		var events recorder
		m := newTestManager(t, Options{Store: store, StoreTimeout: 3 * time.Second, Logger: log, OnEvent: events.add})
		for i := range 3 {
			time.Sleep(late + 3*time.Second)
			if len(store.purges()) <= i {
				t.Fatalf("%d purges after %d intervals", len(store.purges()), i+1)
			}
		}
		got := events.closeAndList(t, m)
		equal(t, "events", kinds(got), "store failed store failed")
		for i, reason := range []error{errDown, context.DeadlineExceeded} {
			want(t, got[i].Err, reason)
			want(t, got[i].Err, ErrStore)
			equal(t, "session", got[i].SessionID, "")
		}
		text := out.String()
		equal(t, "lines", strings.Count(text, "\n"), 2)
		equal(t, "warnings", strings.Count(text, `"level":"`+slog.LevelWarn.String()+`","msg":"sessions: store failed"`), 2)
		equal(t, "operations", strings.Count(text, "purge: "), 2)
	})
}

func TestPurgeUnsupported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newPurgeable(func(context.Context, int) (int, error) {
			return 0, fmt.Errorf("the server does it: %w", errors.ErrUnsupported)
		})
		log, out := debugLog()
		var events recorder
		m := newTestManager(t, Options{Store: store, Logger: log, OnEvent: events.add})
		time.Sleep(10 * late)
		if n := len(store.purges()); n < 10 || n > 10*5/3 {
			t.Errorf("%d purges, want one in each interval", n)
		}
		equal(t, "events", kinds(events.closeAndList(t, m)), "")
		equal(t, "log", out.String(), "")
	})
}

// Close ends the purger, both while it waits and between two batches.
func TestCloseEndsPurge(t *testing.T) {
	t.Parallel()
	for name, deleted := range map[string]int{"Waiting": 0, "Busy": purgeBatch} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newPurgeable(func(context.Context, int) (int, error) { return deleted, nil })
				m := newTestManager(t, Options{Store: store})
				time.Sleep(late + purgePause/2)
				before := len(store.purges())
				closed := time.Now()
				want(t, m.Close(t.Context()), nil)
				equal(t, "time that Close took", time.Since(closed), 0)
				time.Sleep(10 * late)
				if n := len(store.purges()); before == 0 || n != before {
					t.Errorf("%d purges before Close and %d after it", before, n-before)
				}
				want(t, m.Close(t.Context()), nil)
			})
		})
	}
}

// Close cancels a purge that is running and waits for it, until its context ends. A canceled
// purge is not reported as a failure.
func TestCloseWaitsForPurge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, told := make(chan struct{}), false
		store := newPurgeable(func(ctx context.Context, _ int) (int, error) {
			<-release
			told = errors.Is(ctx.Err(), context.Canceled)
			return 0, ctx.Err()
		})
		log, out := debugLog()
		var events recorder
		m := newTestManager(t, Options{Store: store, StoreTimeout: 24 * time.Hour, Logger: log, OnEvent: events.add})
		time.Sleep(late)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want(t, m.Close(ctx), context.DeadlineExceeded)
		closing := time.Now()
		time.AfterFunc(time.Minute, func() { close(release) })
		want(t, m.Close(t.Context()), nil)
		equal(t, "time that Close took", time.Since(closing), time.Minute)
		equal(t, "Purge was told to stop", told, true)
		equal(t, "events", kinds(events.closeAndList(t, m)), "")
		equal(t, "log", out.String(), "")
	})
}

// If a purge does not end, Close fails, and events are still delivered.
func TestCloseDeliversDespitePurge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		store := newPurgeable(func(context.Context, int) (int, error) { <-release; return 0, nil })
		var events recorder
		m := newTestManager(t, Options{Store: store, OnEvent: events.add})
		time.Sleep(late)
		newClient(t, m).request(set(t, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want(t, m.Close(ctx), context.DeadlineExceeded)
		synctest.Wait()
		newClient(t, m).request(set(t, 1))
		synctest.Wait()
		events.mu.Lock()
		equal(t, "events", kinds(events.events), "created created")
		events.mu.Unlock()
		close(release)
		want(t, m.Close(t.Context()), nil)
	})
}

func TestNoPurge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newPurgeable(nothingToPurge)
		// The managers are not closed, because the bubble waits for a goroutine that is left.
		for name, o := range map[string]Options{
			"a negative interval":     {Store: store, PurgeInterval: -1},
			"a store without a purge": {Store: newSpy()},
			"the default store":       {},
		} {
			m, err := NewManager(o)
			want(t, err, nil)
			if m.purger != nil {
				t.Errorf("with %s there is a purge", name)
			}
		}
		time.Sleep(24 * time.Hour)
		equal(t, "purges", len(store.purges()), 0)
	})
}

// advising is a store that has something to say about the application's settings.
type advising struct {
	*purgeable
	advice func() string
}

func (a advising) Advice(context.Context) string { return a.advice() }

// TestAdvice logs what a store advises once, at the start.
func TestAdvice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, out := debugLog()
		asked := 0
		store := advising{newPurgeable(nothingToPurge), func() string { asked++; return "set it to three" }}
		newTestManager(t, Options{Store: store, Logger: logger})
		time.Sleep(10 * DefaultPurgeInterval)
		if log := out.String(); asked != 1 || strings.Count(log, "set it to three") != 1 || !strings.Contains(log, "WARN") {
			t.Errorf("asked %d times, and logged %s, want one warning", asked, log)
		}
		logger, out = debugLog()
		store.advice = func() string { return "" }
		newTestManager(t, Options{Store: store, Logger: logger})
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("without advice: logged %s", out.String())
		}
	})
}

// TestPurgePanics has a store that panics in the manager's goroutine, which would end the process.
func TestPurgePanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, out := debugLog()
		store := newPurgeable(func(context.Context, int) (int, error) { panic("with what is in the store") })
		newTestManager(t, Options{Store: advising{store, func() string { panic("likewise") }}, Logger: logger})
		time.Sleep(3 * late)
		log := out.String()
		if len(store.purges()) < 3 || !strings.Contains(log, "panicked") || strings.Contains(log, "in the store") {
			t.Errorf("%d purges, and logged %s, want that it goes on and says so", len(store.purges()), log)
		}
	})
}
