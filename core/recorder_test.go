package core

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// recorder collects events.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// closeAndList closes the manager, so that all events have been delivered, and returns them.
func (r *recorder) closeAndList(tb testing.TB, m *Manager) []Event {
	tb.Helper()
	if err := m.Close(tb.Context()); err != nil {
		tb.Fatalf("Close: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

func kinds(events []Event) string {
	names := make([]string, len(events))
	for i := range events {
		names[i] = events[i].Kind.String()
	}
	return strings.Join(names, " ")
}

// hasKind reports whether there is an event of the kind.
func hasKind(events []Event, kind EventKind) bool {
	for i := range events {
		if events[i].Kind == kind {
			return true
		}
	}
	return false
}

// buffer is a log to which several goroutines may write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(b, format, args...)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// debugLog returns a logger for all levels, and what it has written.
func debugLog() (*slog.Logger, *buffer) {
	out := new(buffer)
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), out
}
