package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/memstore"
)

const (
	visits = Key[int]("visits")
	note   = Key[string]("note")
)

// errDown is what a store says that cannot be reached.
var errDown = errors.New("connection refused")

// newTestManager makes a manager that is closed with the test and logs nowhere unless the options say otherwise.
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

// client is a browser with one cookie jar of the simplest kind.
type client struct {
	t      testing.TB
	m      *Manager
	cookie string // name=value, "" for none
}

func newClient(tb testing.TB, m *Manager) *client {
	tb.Helper()
	return &client{t: tb, m: m}
}

// arrive starts a request: the session is attached and loaded.
func (c *client) arrive() *Session {
	c.t.Helper()
	s := attach(c.m, c.cookie)
	if err := s.load(c.t.Context()); err != nil {
		c.t.Fatalf("Load: %v", err)
	}
	return s
}

// leave ends a request that must succeed, and keeps its cookie.
func (c *client) leave(s *Session) adapter.Reply {
	c.t.Helper()
	r, err := s.finish(c.t.Context())
	if err != nil {
		c.t.Fatalf("Finish: %v", err)
	}
	c.keep(r)
	return r
}

func (c *client) keep(r adapter.Reply) {
	if r.SetCookie == "" {
		return
	}
	c.cookie, _, _ = strings.Cut(r.SetCookie, ";")
	if strings.HasSuffix(c.cookie, "=") {
		c.cookie = ""
	}
}

// visit is one whole request.
func (c *client) visit(handler func(s *Session)) adapter.Reply {
	c.t.Helper()
	s := c.arrive()
	handler(s)
	return c.leave(s)
}

// with returns another request's worth of the same browser: a copy that holds the cookie of now.
func (c *client) with() *client {
	clone := *c
	return &clone
}

// id returns the id of the client's session, "" for none, without a trace in the session.
func (c *client) id() string {
	c.t.Helper()
	s := c.arrive()
	if s.IsNew() {
		return ""
	}
	return s.ID()
}

// ticketOf returns the ticket that the client's cookie stands for.
func (c *client) ticketOf() ticket.Ticket {
	c.t.Helper()
	_, value, _ := strings.Cut(c.cookie, "=")
	got, ok := parseTicket(value)
	if !ok {
		c.t.Fatalf("cookie %q is not a token", c.cookie)
	}
	return got
}

// read does nothing but use the session.
func read(s *Session) { visits.Get(s) }

// set returns a handler that stores one value.
func set(tb testing.TB, n int) func(*Session) {
	tb.Helper()
	return func(s *Session) {
		tb.Helper()
		if err := visits.Set(s, n); err != nil {
			tb.Errorf("Set: %v", err)
		}
	}
}

func increment(s *Session) { visits.Update(s, func(n int) int { return n + 1 }) }

// want fails the test unless err is the expected one; nil expects none.
func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("error is %v, want %v", err, target)
	}
}

// equal fails the test unless got is what was wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}

// spy counts the calls of a store and lets a test come in between. It hides every optional interface, Instant too.
type spy struct {
	store Store

	mu     sync.Mutex
	calls  []string                                        // operation and key
	saved  []Record                                        // what Save was handed
	before func(ctx context.Context, op, key string) error // an error takes the place of the call
}

func newSpy() *spy { return &spy{store: memstore.New(memstore.Options{})} }

func (s *spy) enter(ctx context.Context, op, key string) error {
	s.mu.Lock()
	s.calls = append(s.calls, op+" "+key)
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, op, key)
}

func (s *spy) Load(ctx context.Context, key string) (Record, error) {
	if err := s.enter(ctx, "load", key); err != nil {
		return Record{}, err
	}
	rec, err := s.store.Load(ctx, key)
	return rec, err
}

func (s *spy) Save(ctx context.Context, rec Record) (Record, error) {
	s.mu.Lock()
	s.saved = append(s.saved, rec)
	s.mu.Unlock()
	if err := s.enter(ctx, "save", rec.Key); err != nil {
		return Record{}, err
	}
	out, err := s.store.Save(ctx, rec)
	return out, err
}

func (s *spy) Delete(ctx context.Context, key string) error {
	if err := s.enter(ctx, "delete", key); err != nil {
		return err
	}
	err := s.store.Delete(ctx, key)
	return err
}

// count returns how many calls of the operation there were, of any for "".
func (s *spy) count(op string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		if strings.HasPrefix(call, op) {
			n++
		}
	}
	return n
}

// forget makes the counts start again.
func (s *spy) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.saved = nil, nil
}

// hook sets what happens before each call; nil is nothing.
func (s *spy) hook(before func(ctx context.Context, op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// fail makes an operation fail until the next hook.
func (s *spy) fail(op string, err error) {
	s.hook(func(_ context.Context, got, _ string) error {
		if got == op {
			return err
		}
		return nil
	})
}

// once runs f in front of the next save.
func (s *spy) once(f func()) {
	var done atomic.Bool // not a sync.Once: f may come here again
	s.hook(func(_ context.Context, got, _ string) error {
		if got == "save" && done.CompareAndSwap(false, true) {
			f()
		}
		return nil
	})
}

// records returns how many records the store below holds.
func (s *spy) records() int { return s.store.(*memstore.Store).Len() }

// stored returns the one record under key, or fails the test.
func (s *spy) stored(tb testing.TB, key string) Record {
	tb.Helper()
	rec, err := s.store.Load(tb.Context(), key)
	if err != nil {
		tb.Fatalf("stored record: %v", err)
	}
	return rec
}

// touchSpy is a spy with Touch.
type touchSpy struct{ *spy }

func newTouchSpy() touchSpy { return touchSpy{newSpy()} }

func (s touchSpy) Touch(ctx context.Context, rec Record) error {
	if err := s.enter(ctx, "touch", rec.Key); err != nil {
		return err
	}
	return s.store.(Toucher).Touch(ctx, rec)
}

// fullSpy is a spy with every optional interface but Instant.
type fullSpy struct{ touchSpy }

func newFullSpy() fullSpy { return fullSpy{newTouchSpy()} }

func (s fullSpy) BySubject(ctx context.Context, subject string) ([]Record, error) {
	if err := s.enter(ctx, "by subject", subject); err != nil {
		return nil, err
	}
	return s.store.(Indexer).BySubject(ctx, subject)
}

func (s fullSpy) List(ctx context.Context, prefix, cursor string, limit int) ([]Record, string, error) {
	if err := s.enter(ctx, "list", prefix); err != nil {
		return nil, "", err
	}
	return s.store.(Lister).List(ctx, prefix, cursor, limit)
}

func (s fullSpy) Count(ctx context.Context, prefix string) (int, error) {
	if err := s.enter(ctx, "count", prefix); err != nil {
		return 0, err
	}
	return s.store.(Counter).Count(ctx, prefix)
}

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

// after closes the manager, so that all events are there, and returns them.
func (r *recorder) after(tb testing.TB, m *Manager) []Event {
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

// has reports whether there is an event of the kind.
func has(events []Event, kind EventKind) bool {
	for i := range events {
		if events[i].Kind == kind {
			return true
		}
	}
	return false
}

// buffer is a log that several goroutines write.
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

// debugLog returns a logger of everything with what it wrote.
func debugLog() (*slog.Logger, *buffer) {
	out := new(buffer)
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), out
}

// unsafeString returns a string over b's own memory, as Fiber hands them out.
func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

// nothing fails the test if the reply asks for anything.
func nothing(tb testing.TB, what string, r adapter.Reply) {
	tb.Helper()
	if r.SetCookie != "" || r.Private {
		tb.Errorf("%s asks for Set-Cookie %q and private %v, want nothing", what, r.SetCookie, r.Private)
	}
}

// inBubble runs a test against each kind of store, each in a bubble with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, open, test)
		})
	}
}

// inBubbleWith runs a test in a bubble, in which the store is made too.
func inBubbleWith[S any](t *testing.T, open func() S, test func(t *testing.T, store S)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, open()) })
}

func sprint(v any) string { return fmt.Sprint(v) }

// eachIndexed runs a test against each kind of store that has an index, each in a bubble with a clock of its own.
func eachIndexed(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range map[string]func() Store{
		"memory":          func() Store { return memstore.New(memstore.Options{}) },
		"without Instant": func() Store { return newFullSpy() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, open, test)
		})
	}
}

// visitor is a framework's view of who sends requests.
type visitor struct {
	ip, agent string
	asked     int
}

func (v *visitor) Client() (ip, userAgent string) {
	v.asked++
	return v.ip, v.agent
}

// from is one whole request as an adapter carries it out, sent by v.
func (c *client) from(v adapter.Client, handler func(s *Session)) {
	c.t.Helper()
	sc := c.answered(v, func(sc *Scope) { handler(sc.Get()) })
	want(c.t, sc.Close(), nil)
}

// answered is from up to the response, which has begun after the handler.
func (c *client) answered(v adapter.Client, handler func(sc *Scope)) *Scope {
	c.t.Helper()
	sc := new(Scope)
	want(c.t, sc.Open(c.t.Context(), nil, c.m, v, c.cookie), nil)
	handler(sc)
	r, err := sc.CommitHeader()
	want(c.t, err, nil)
	c.keep(r)
	return sc
}

// info returns what a list shows of the client's session.
func (c *client) info() Info {
	c.t.Helper()
	info, err := c.m.Lookup(c.t.Context(), c.ticketOf().ID.String())
	want(c.t, err, nil)
	return info
}

// as returns a handler that signs a subject in.
func as(tb testing.TB, subject string) func(*Session) {
	tb.Helper()
	return func(s *Session) {
		tb.Helper()
		want(tb, s.Login(subject), nil)
	}
}

// newSignedIn returns a new browser in which a subject is signed in.
func newSignedIn(tb testing.TB, m *Manager, subject string) *client {
	tb.Helper()
	c := newClient(tb, m)
	c.visit(as(tb, subject))
	return c
}

// hungUp returns a context that has ended, as that of a client that hung up.
func hungUp(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	return ctx
}

func renew(s *Session) { _ = s.Renew() }

// textOf returns the cookie value of t.
func textOf(t *ticket.Ticket) string { return string(t.AppendText(nil)) }

func parseTicket(value string) (t ticket.Ticket, ok bool) {
	ok = t.Parse(value)
	return t, ok
}

func decodeRecord(rec Record) (snap record.Snapshot, err error) {
	snap.Record = rec
	err = snap.Decode()
	return snap, err
}

// attach returns a session that is still to be loaded, for a request with these Cookie fields.
func attach(m *Manager, cookieFields ...string) *Session {
	s := &Session{manager: m, response: &response{}}
	s.setTickets(cookieFields...)
	return s
}

// finish commits before the first byte of the response; called again, it saves what was changed since.
func (s *Session) finish(ctx context.Context) (r adapter.Reply, err error) {
	if s.response.headersSent.Load() {
		return r, s.commitLate(ctx)
	}
	err = s.commitHeader(ctx, nil, &r)
	return r, err
}

// commit commits while the response has not begun.
func (s *Session) commit(ctx context.Context) (adapter.Reply, error) { return s.commitEarly(ctx, nil) }

// seal makes the response one that has begun.
func (s *Session) seal() { s.response.headersSent.Store(true) }

// encodeRecord returns the snapshot of a record with this header and these entries.
func encodeRecord(rec *Record, h *record.Header, entries []record.Entry) record.Snapshot {
	s := record.Snapshot{Record: *rec}
	s.Encode(h, entries)
	return s
}
