package tests_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

// same fails the test unless the counts are what was wanted.
func same(t *testing.T, what string, got, wanted map[string]int64) {
	t.Helper()
	if !maps.Equal(got, wanted) {
		t.Errorf("%s are %v, want %v", what, got, wanted)
	}
}

// Each thing that happens is counted once under its name, and the application's hook is told of the same things.
func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := map[string]int64{}
		r := newRig(t, core.Options{
			Expiry: time.Hour, Grace: time.Second, RevokeOnReuse: true, MaxSessions: 1,
			OnEvent: func(e core.Event) { told[e.Kind.String()]++ },
		}, otelsessions.Options{})
		ctx := t.Context()
		ann := &browser{m: r.m}
		must(t, ann.visit(ctx, increment))
		must(t, ann.visit(ctx, increment))
		must(t, ann.visit(ctx, login(t, "ann")))
		thief := *ann
		must(t, ann.visit(ctx, func(s *core.Session) { must(t, s.Renew()) }))
		must(t, ann.visit(ctx, read)) // the new secret is delivered
		time.Sleep(2 * time.Minute)
		must(t, thief.visit(ctx, read)) // the session is revoked
		must(t, ann.visit(ctx, login(t, "ann")))
		other := &browser{m: r.m}
		must(t, other.visit(ctx, login(t, "ann"))) // evicts the first
		_, err := r.m.RevokeAll(ctx, "ann")
		must(t, err)
		must(t, other.visit(ctx, increment)) // the session is remembered
		time.Sleep(2 * time.Minute)
		must(t, other.visit(ctx, increment))
		time.Sleep(30 * time.Minute)
		must(t, other.visit(ctx, read)) // touches
		must(t, other.visit(ctx, (*core.Session).Destroy))
		r.close()
		same(t, "events", r.counts("session.events"), map[string]int64{
			"created": 4, "loaded": 6, "committed": 3, "touched": 2, "login": 3, "renewed": 1, "destroyed": 1,
			"secret_reused": 1, "limit_reached": 1, "revoked secret_reused": 1,
			"revoked limit_reached": 1, "revoked revoked_all": 1, "gone revoked_all": 1,
		})
		same(t, "events of the application's hook", told, map[string]int64{
			"created": 4, "loaded": 6, "committed": 3, "touched": 2, "login": 3, "renewed": 1, "destroyed": 1,
			"secret reused": 1, "limit reached": 1, "revoked": 3, "gone": 1,
		})
	})
}

// The histogram has seconds, one series for each operation and outcome.
func TestStoreCallsAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newRemote()
		store.meet(func(string) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		})
		r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
		b := &browser{m: r.m}
		must(t, b.visit(t.Context(), increment))
		must(t, b.visit(t.Context(), increment))
		stale := *b
		must(t, b.visit(t.Context(), (*core.Session).Destroy)) // saves a mark
		must(t, stale.visit(t.Context(), read))
		must(t, (&browser{m: r.m}).visit(t.Context(), func(s *core.Session) {
			increment(s)
			must(t, s.Save(t.Context()))
			s.Destroy() // deletes, because no cookie has left
		}))
		stranger := &browser{m: newRig(t, core.Options{}, otelsessions.Options{}).m}
		must(t, stranger.visit(t.Context(), increment))
		stranger.m = r.m
		must(t, stranger.visit(t.Context(), read))
		r.close()
		calls := r.collect()["session.store.duration"]
		equal(t, "unit", calls.Unit, "s")
		for _, p := range calls.Data.(metricdata.Histogram[float64]).DataPoints {
			if mean := p.Sum / float64(p.Count); mean < 0.0199 || mean > 0.0201 {
				t.Errorf("%s took %v seconds, want 0.02", spell(p.Attributes), mean)
			}
		}
		got := r.counts("session.store.duration")
		same(t, "calls", got, map[string]int64{"load ok": 5, "load not_found": 1, "save ok": 4, "delete ok": 1})
	})
}

// Two requests change one session: the slower one meets a conflict and merges.
func TestConflictsAreCounted(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]core.Store{"memory": nil, "remote": newRemote()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
			b := &browser{m: r.m}
			must(t, b.visit(t.Context(), increment))
			fast := *b
			must(t, b.visit(t.Context(), func(s *core.Session) {
				must(t, fast.visit(t.Context(), increment))
				increment(s)
			}))
			r.close()
			same(t, "conflicts", r.counts("session.store.conflicts"), map[string]int64{"save": 1})
			equal(t, "merged", r.counts("session.events")["merged"], 1)
			equal(t, "conflicts among the calls", r.counts("session.store.duration")["save conflict"], 1)
		})
	}
}

// ended is one way for a call of the store to end.
type ended struct {
	err     error
	outcome string
	failure bool
}

func endings() []ended {
	return []ended{
		{errDown, "error", true},
		{context.DeadlineExceeded, "timeout", true},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "timeout", true},
		{core.ErrFull, "full", true},
		{core.ErrTooLarge, "too_large", true},
		{context.Canceled, "canceled", false},
		{core.ErrNotFound, "not_found", false},
		{core.ErrConflict, "conflict", false},
		{errors.ErrUnsupported, "unsupported", false},
	}
}

// Every way to end has its name in the metrics; in a span only a failure of the store is an error, with its text.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, end := range endings() {
		t.Run(end.outcome, func(t *testing.T) {
			t.Parallel()
			store := newRemote()
			r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
			b := &browser{m: r.m}
			must(t, b.visit(t.Context(), increment))
			store.meet(func(string) error { return fmt.Errorf("driver: %w", end.err) })
			ctx, span := r.tracer.Start(t.Context(), "request")
			_ = b.visit(ctx, read)
			span.End()
			r.close()
			equal(t, "calls", r.counts("session.store.duration")["load "+end.outcome], 1)
			checkStatus(t, r.only("session store load"), end)
		})
	}
}

// What comes from users or stores never becomes an attribute of a metric, however much of it there is.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	store := newRemote()
	r := newRig(t, core.Options{Store: store}, otelsessions.Options{Subjects: true})
	for i := range 100 {
		b := &browser{m: r.m}
		must(t, b.visit(t.Context(), login(t, fmt.Sprintf("user-%d\x00", i))))
		store.meet(func(string) error { return fmt.Errorf("failure number %d", i) })
		_ = b.visit(t.Context(), increment)
		store.meet(nil)
	}
	r.close()
	same(t, "events", r.counts("session.events"), map[string]int64{"created": 100, "login": 100, "store_failed": 100})
	same(t, "calls", r.counts("session.store.duration"), map[string]int64{"save ok": 100, "load not_found": 100, "load error": 100})
}

// An operation, a reason or a kind that this version has never heard of is counted as such.
func TestUnknownValuesAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	hook := r.telemetry.Instrument(core.Options{}).OnEvent
	for i := range 10 {
		text := fmt.Sprint("made up ", i)
		hook(core.Event{Kind: core.EventStoreCalled, Operation: text})
		hook(core.Event{Kind: core.EventRevoked, Reason: core.Reason(text)})
		hook(core.Event{Kind: core.EventGone, Reason: core.Reason(text)})
		hook(core.Event{Kind: core.EventGone})
		hook(core.Event{Kind: core.EventKind(200 + i), Reason: core.Reason(text)})
	}
	same(t, "events", r.counts("session.events"), map[string]int64{"revoked other": 10, "gone other": 10, "gone": 10, "unknown": 10})
	same(t, "calls", r.counts("session.store.duration"), map[string]int64{"other ok": 10})
}

// Each operation that core names has a series of its own.
func TestOperationsAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	hook := r.telemetry.Instrument(core.Options{}).OnEvent
	wanted := map[string]int64{}
	for _, operation := range []string{"load", "save", "touch", "delete", "list", "list subject", "count", "purge"} {
		hook(core.Event{Kind: core.EventStoreCalled, Operation: operation})
		wanted[strings.ReplaceAll(operation, " ", "_")+" ok"] = 1
	}
	same(t, "calls", r.counts("session.store.duration"), wanted)
}

// Two managers in one program are told apart by name.
func TestManagerName(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{Manager: "admin"})
	must(t, (&browser{m: r.m}).visit(t.Context(), increment))
	r.close()
	same(t, "events", r.counts("session.events"), map[string]int64{"created admin": 1})
	same(t, "calls", r.counts("session.store.duration"), map[string]int64{"admin save ok": 1})
}

// A hook that blocks makes the manager drop events: that is counted, and the application's hook is told the same number
// although it is not told of the calls of the store that carried some of it.
func TestDroppedEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var told uint64
		r := newRig(t, core.Options{OnEvent: func(e core.Event) {
			<-release
			told += e.Dropped
		}}, otelsessions.Options{})
		b := &browser{m: r.m}
		must(t, b.visit(t.Context(), increment))
		synctest.Wait()
		for range 600 {
			must(t, b.visit(t.Context(), read)) // two events each
		}
		close(release)
		synctest.Wait()
		must(t, b.visit(t.Context(), read)) // whose store call is the first event to tell
		r.close()
		dropped := r.m.Stats().EventsDropped
		equal(t, "told to the application", told, dropped)
		same(t, "dropped", r.counts("session.dropped_events"), map[string]int64{"": int64(dropped)})
		if dropped == 0 {
			t.Error("nothing was dropped")
		}
	})
}

// The application's hook gets calls of the store where it asked for them.
func TestStoreEventsReachTheHook(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{false, true} {
		var kinds []string
		r := newRig(t, core.Options{StoreEvents: wanted, OnEvent: func(e core.Event) { kinds = append(kinds, e.Kind.String()) }},
			otelsessions.Options{})
		must(t, (&browser{m: r.m}).visit(t.Context(), increment))
		r.close()
		equal(t, "kinds", strings.Join(kinds, ", "), map[bool]string{false: "created", true: "store called, created"}[wanted])
	}
}
