package core

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// pooled is a context that a framework reuses.
type pooled struct {
	context.Context //nolint:containedctx // It is one.
	of              string
}

// framework knows the contexts of the framework of that name.
type framework struct{ name string }

func (f framework) Lasting(ctx context.Context) context.Context {
	if p, ok := ctx.(pooled); ok && p.of == f.name {
		return p.Context
	}
	return ctx
}

// logged keeps the context of the last line that was logged.
type logged struct {
	slog.Handler
	last chan context.Context
}

func (l logged) Enabled(context.Context, slog.Level) bool { return true }

func (l logged) Handle(ctx context.Context, _ slog.Record) error { //nolint:gocritic // slog's signature
	l.last <- ctx
	return nil
}

// TestEventsKeepNoContextThatIsReused hands over contexts of two frameworks, and looks at those of events and log lines.
func TestEventsKeepNoContextThatIsReused(t *testing.T) {
	t.Parallel()
	type key struct{}
	events, lines := make(chan Event, 10), logged{slog.DiscardHandler, make(chan context.Context, 10)}
	m, err := NewManager(Options{OnEvent: func(e Event) { events <- e }, Logger: slog.New(lines)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []adapter.Contexts{framework{"a"}, framework{"b"}, framework{"a"}} {
		m.KnowContexts(c)
	}
	if n := len(*m.observer.contexts.Load()); n != 2 {
		t.Errorf("the manager knows %d frameworks, want 2", n)
	}
	standard := context.WithValue(t.Context(), key{}, "value")
	for name, test := range map[string][2]context.Context{ // given, and kept
		"standard":         {standard, standard},
		"of a":             {pooled{standard, "a"}, standard},
		"of b":             {pooled{standard, "b"}, standard},
		"b within a":       {pooled{pooled{standard, "b"}, "a"}, standard},
		"a with no other":  {pooled{nil, "a"}, nil},
		"of neither, kept": {pooled{standard, "c"}, pooled{standard, "c"}},
	} {
		given, want := test[0], test[1]
		m.observer.report(slog.LevelWarn, Event{Kind: EventStoreFailed, Context: given})
		if e := <-events; e.Context != want {
			t.Errorf("%s: the event has %v, want %v", name, e.Context, want)
		}
		if got := <-lines.last; got != want && want != nil { // Package slog replaces nil.
			t.Errorf("%s: the line has %v, want %v", name, got, want)
		}
		m.observer.emit(Event{Kind: EventLoaded, Context: given})
		if e := <-events; e.Context != want {
			t.Errorf("%s: the event that is not logged has %v, want %v", name, e.Context, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
}
