package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

const (
	visits = Key[int]("visits")
	note   = Key[string]("note")
)

// errDown is the error of a store that cannot be reached.
var errDown = errors.New("connection refused")

// newTestManager returns a manager that is closed at the end of the test. It discards its log
// unless the options have a logger.
func newTestManager(tb testing.TB, o Options) *Manager {
	tb.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := NewManager(o)
	if err != nil {
		tb.Fatalf("NewManager: %v", err)
	}
	tb.Cleanup(func() { _ = m.Close(context.WithoutCancel(tb.Context())) })
	return m
}

// want fails the test unless err is the target, or nil if the target is nil.
func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("error is %v, want %v", err, target)
	}
}

// equal fails the test unless got equals wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}

// wantNoReply fails the test if the reply changes the header.
func wantNoReply(tb testing.TB, what string, r adapter.Reply) {
	tb.Helper()
	if r.SetCookie != "" || r.Private {
		tb.Errorf("%s asks for Set-Cookie %q and private %v, want nothing", what, r.SetCookie, r.Private)
	}
}

func sprint(v any) string { return fmt.Sprint(v) }

// unsafeString returns a string that shares the memory of b, as the strings of Fiber do.
func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

// canceledContext returns the context of a request whose client has disconnected.
func canceledContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	return ctx
}

// textOf returns the cookie value of t.
func textOf(t *ticket.Ticket) string { return string(t.AppendText(nil)) }

func parseTicket(value string) (t ticket.Ticket, ok bool) {
	ok = t.Parse(value)
	return t, ok
}

// newTestTicket returns a random ticket, as a new session gets.
func newTestTicket(tb testing.TB, m *Manager) ticket.Ticket {
	tb.Helper()
	return m.executor.entropy.newTicket(time.Now())
}

func decodeRecord(rec Record) (snap record.Snapshot, err error) {
	snap.Record = rec
	err = snap.Decode()
	return snap, err
}

// counting returns the secret of 32 bytes counting up from first.
func counting(first byte) (s ticket.Secret) {
	for i := range s {
		s[i] = first + byte(i)
	}
	return s
}

// unloadedSession returns the session of a request with these Cookie fields, before it is
// loaded.
func unloadedSession(m *Manager, cookieFields ...string) *Session {
	s := &Session{manager: m, response: &response{arrival: m.records.revocations.arrive()}}
	s.setTickets(cookieFields...)
	return s
}

// finish commits before the first byte of the response. If it is called again, it saves what
// was changed afterwards.
func (s *Session) finish(ctx context.Context) (r adapter.Reply, err error) {
	if s.response.sent() {
		return r, s.commitLate(ctx)
	}
	err = s.commitHeader(ctx, &r, true)
	return r, err
}

// commit commits early: the response has not begun, and more may be committed later.
func (s *Session) commit(ctx context.Context) (adapter.Reply, error) { return s.commitEarly(ctx) }

// sendHeaders notes that the headers of the response have been sent.
func (s *Session) sendHeaders() { s.response.markSent() }

// finishInTime calls finish and fails the test if that takes five seconds.
func finishInTime(t *testing.T, s *Session) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := s.finish(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		want(t, err, nil)
	case <-time.After(5 * time.Second):
		t.Fatal("Finish hangs")
	}
}

// contents returns the session's values as text.
func contents(s *Session) string {
	var out []string
	for _, k := range s.Keys() {
		out = append(out, fmt.Sprintf("%s=%v", k, Key[any](k).Get(s)))
	}
	return strings.Join(out, " ")
}

// encodeRecord returns the snapshot of a record with this header and these entries.
func encodeRecord(rec *Record, h *record.Header, entries []record.Entry) record.Snapshot {
	s := record.Snapshot{Record: *rec}
	s.Encode(h, entries)
	return s
}
