package httpwriter_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
	"github.com/cloakroom-go/sessions/core/memstore"
)

const visits = core.Key[int]("visits")

var errDown = errors.New("connection refused")

// brokenStore is a store that saves nothing.
type brokenStore struct{ *memstore.Store }

func (brokenStore) Save(context.Context, core.Record) (core.Record, error) {
	return core.Record{}, errDown
}

// server is a response writer at the bottom that can do everything.
type server struct {
	*httptest.ResponseRecorder
	codes              []int
	pushed             string
	hijacked, readFrom bool
	flushErr           error
}

func (s *server) WriteHeader(code int) {
	s.codes = append(s.codes, code)
	if !httpwriter.Informational(code) {
		s.ResponseRecorder.WriteHeader(code)
	}
}

func (s *server) ReadFrom(r io.Reader) (int64, error) {
	s.readFrom = true
	return io.Copy(s.ResponseRecorder, r)
}

func (s *server) FlushError() error {
	s.Flush()
	return s.flushErr
}

func (s *server) Push(target string, _ *http.PushOptions) error {
	s.pushed = target
	return nil
}

func (s *server) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.hijacked = true
	return nil, nil, nil
}

// wrapper is the writer of middleware outside of the sessions. It can do nothing but unwrap.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin returns a writer for a request that starts a session, and the server below it. Without a store
// every commit fails.
func begin(t *testing.T, store core.Store) (*httpwriter.Writer, *core.Scope, *server) {
	t.Helper()
	if store == nil {
		store = brokenStore{memstore.New(memstore.Options{})}
	}
	m, err := core.NewManager(core.Options{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	scope := new(core.Scope)
	if err := scope.Open(t.Context(), nil, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := visits.Set(scope.Get(), 1); err != nil {
		t.Fatal(err)
	}
	bottom := &server{ResponseRecorder: httptest.NewRecorder()}
	w := httpwriter.New(wrapper{bottom}, scope)
	return &w, scope, bottom
}

// ways are the ways to send the first byte of a response.
func ways() map[string]func(w *httpwriter.Writer) error {
	body := []byte("x")
	return map[string]func(w *httpwriter.Writer) error{
		"WriteHeader": func(w *httpwriter.Writer) error { w.WriteHeader(http.StatusOK); return w.Commit() },
		"101":         func(w *httpwriter.Writer) error { w.WriteHeader(http.StatusSwitchingProtocols); return w.Commit() },
		"Write":       func(w *httpwriter.Writer) error { _, err := w.Write(body); return err },
		"WriteString": func(w *httpwriter.Writer) error { _, err := w.WriteString("x"); return err },
		"ReadFrom":    func(w *httpwriter.Writer) error { _, err := w.ReadFrom(strings.NewReader("x")); return err },
		"Flush":       func(w *httpwriter.Writer) error { w.Flush(); return w.Commit() },
		"FlushError":  (*httpwriter.Writer).FlushError,
		"Commit":      (*httpwriter.Writer).Commit,
	}
}

// Each way to send the first byte commits before it, and only once.
func TestCommitsBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	for name, send := range ways() {
		w, _, bottom := begin(t, memstore.New(memstore.Options{}))
		if err := send(w); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.WriteHeader(http.StatusOK) // the header that is sent holds the cookie
		if cookies := bottom.Result().Header.Values("Set-Cookie"); len(cookies) != 1 {
			t.Errorf("%s: the cookies are %q", name, cookies)
		}
		delete(bottom.Header(), "Set-Cookie")
		if err := w.Commit(); err != nil || len(bottom.Header().Values("Set-Cookie")) != 0 {
			t.Errorf("%s: the second commit returned %v, cookies %q", name, err, bottom.Header().Values("Set-Cookie"))
		}
	}
}

// Nothing that the handler sends after a failed commit goes out, except for the error status on a flush.
func TestDiscardsAfterAFailedCommit(t *testing.T) {
	t.Parallel()
	for name, send := range ways() {
		w, _, bottom := begin(t, nil)
		if err := send(w); !errors.Is(err, core.ErrStore) {
			t.Errorf("%s: the error is %v, want ErrStore", name, err)
		}
		if flushed := strings.HasPrefix(name, "Flush"); w.Rejected() != flushed || (len(bottom.codes) > 0) != flushed {
			t.Errorf("%s: Rejected is %t, the server got %v", name, w.Rejected(), bottom.codes)
		}
		if bottom.Body.Len() > 0 {
			t.Errorf("%s: the server got the body %q", name, bottom.Body)
		}
	}
}

// A flush after a failed commit sends the error status, without what described the handler's response, and only once.
func TestFlushRejects(t *testing.T) {
	t.Parallel()
	w, _, bottom := begin(t, nil)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("X-Request-Id", "7")
	w.Flush()
	w.Flush()
	if len(bottom.codes) != 1 || bottom.codes[0] != http.StatusServiceUnavailable {
		t.Errorf("the server got %v, want one 503", bottom.codes)
	}
	head := bottom.Result().Header
	if head.Get("Content-Type") != "" || head.Get("X-Request-Id") != "7" || head.Get("Cache-Control") != "no-store" {
		t.Errorf("the header is %v", head)
	}
}

func TestFlushErrorReportsBoth(t *testing.T) {
	t.Parallel()
	w, _, bottom := begin(t, nil)
	bottom.flushErr = net.ErrClosed
	if err := w.FlushError(); !errors.Is(err, core.ErrStore) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("FlushError returned %v, want the error of the commit and that of the flush", err)
	}
}

func TestFlushErrorNotSupported(t *testing.T) {
	t.Parallel()
	_, scope, bottom := begin(t, memstore.New(memstore.Options{}))
	w := httpwriter.New(struct{ http.ResponseWriter }{bottom}, scope)
	if err := w.FlushError(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("FlushError returned %v, want ErrNotSupported", err)
	}
	w.Flush()
	if bottom.Header().Get("Set-Cookie") == "" {
		t.Error("the flush did not commit")
	}
}

// Informational responses go out at once, and the session can still be changed.
func TestInformational(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	w, _, bottom := begin(t, store)
	w.WriteHeader(http.StatusEarlyHints)
	if len(bottom.codes) != 1 || bottom.codes[0] != http.StatusEarlyHints || store.Len() != 0 {
		t.Errorf("the server got %v, with %d records", bottom.codes, store.Len())
	}
	for code, want := range map[int]bool{99: false, 100: true, 101: false, 102: true, 103: true, 199: true, 200: false} {
		if got := httpwriter.Informational(code); got != want {
			t.Errorf("Informational(%d) is %t", code, got)
		}
	}
}

// A session that needs a cookie is not stored when the connection is taken over, unless its cookie is in the header already.
func TestHijack(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	w, _, bottom := begin(t, store)
	if _, _, err := w.Hijack(); !errors.Is(err, core.ErrLate) || bottom.hijacked || store.Len() != 0 {
		t.Errorf("Hijack returned %v, hijacked is %t, with %d records", err, bottom.hijacked, store.Len())
	}

	w, scope, bottom := begin(t, store)
	if err := scope.Commit(func(r *adapter.Reply) { r.Apply(w.Header()) }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Hijack(); err != nil || !bottom.hijacked || store.Len() != 1 {
		t.Errorf("Hijack returned %v, hijacked is %t, with %d records", err, bottom.hijacked, store.Len())
	}

	w, _, bottom = begin(t, store)
	w.WriteHeader(http.StatusSwitchingProtocols)
	if _, _, err := w.Hijack(); err != nil || !bottom.hijacked || store.Len() != 2 {
		t.Errorf("after 101 Hijack returned %v, hijacked is %t, with %d records", err, bottom.hijacked, store.Len())
	}
}

func TestReadFromPassesOn(t *testing.T) {
	t.Parallel()
	_, scope, bottom := begin(t, memstore.New(memstore.Options{}))
	w := httpwriter.New(bottom, scope)
	// The reader hides its own WriteTo, which a copy would prefer.
	n, err := w.ReadFrom(struct{ io.Reader }{strings.NewReader("copied")})
	if n != 6 || err != nil || !bottom.readFrom || bottom.Body.String() != "copied" {
		t.Errorf("ReadFrom returned %d, %v; used is %t with body %q", n, err, bottom.readFrom, bottom.Body)
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	w, scope, bottom := begin(t, store)
	if err := w.Push("/style.css", nil); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("a wrapper without Push returned %v, want ErrNotSupported", err)
	}
	direct := httpwriter.New(bottom, scope)
	if err := direct.Push("/style.css", nil); err != nil || bottom.pushed != "/style.css" || store.Len() != 0 {
		t.Errorf("Push returned %v, pushed %q, with %d records", err, bottom.pushed, store.Len())
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	w, _, bottom := begin(t, nil)
	want := []http.ResponseWriter{w, wrapper{bottom}, bottom}
	n := 0
	for layer := range httpwriter.Layers(w) {
		if layer != want[n] {
			t.Errorf("layer %d is a %T, want a %T", n, layer, want[n])
		}
		n++
	}
	if n != len(want) {
		t.Errorf("there are %d layers, want %d", n, len(want))
	}
	for layer := range httpwriter.Layers(w) {
		if layer != want[0] {
			t.Error("the iterator went on after it was left")
		}
		break
	}
	if httpwriter.Innermost(w) != want[2] || w.Unwrap() != want[1] {
		t.Errorf("the innermost writer is a %T, the next a %T", httpwriter.Innermost(w), w.Unwrap())
	}
}
