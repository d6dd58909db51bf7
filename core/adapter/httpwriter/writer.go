package httpwriter

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// Writer is an [http.ResponseWriter] that commits the session before the first byte of the
// response. After a failed commit it discards what the handler writes, and its methods return
// the error of the commit.
//
// Writer supports everything that [http.ResponseController] supports, and [http.Pusher], as far as
// the writer it wraps does. Like any response writer, it must not be used concurrently.
type Writer struct {
	http.ResponseWriter // the wrapped writer

	scope    *core.Scope
	rejected bool
}

// New returns a Writer that wraps w and commits scope. It returns a value rather than a pointer,
// so that an adapter can allocate it together with what else it keeps for the request.
func New(w http.ResponseWriter, scope *core.Scope) Writer {
	return Writer{ResponseWriter: w, scope: scope}
}

// Commit commits the session, unless that has been done before, and returns the error of the
// commit. An adapter calls it when the handler has returned.
func (w *Writer) Commit() error {
	if h := w.held(); h != nil {
		return h.Release(false)
	}
	return w.commit(http.StatusOK)
}

func (w *Writer) commit(status int) error { return Commit(w.Header(), w.scope, status) }

// held returns the writer that holds the response back, or nil if there is none.
func (w *Writer) held() *Held {
	if h, ok := w.ResponseWriter.(*Held); ok && !h.released {
		return h
	}
	return nil
}

// hold is held, but begins to hold the response back if there is a need to.
func (w *Writer) hold() *Held {
	h := w.held()
	if h == nil {
		if h = Hold(w.ResponseWriter, w.scope); h != nil {
			w.ResponseWriter = h
		}
	}
	return h
}

// Begun reports whether the handler has begun the response: it has been sent, or it is held back.
func (w *Writer) Begun() bool { return w.scope.Begun() || w.held() != nil }

// Drop drops what is held back of a response whose handler has panicked, and reports whether there
// was anything.
func (w *Writer) Drop() bool {
	h := w.held()
	if h != nil {
		w.ResponseWriter = h.ResponseWriter
	}
	return h != nil
}

// Rejected reports whether an error response has been sent in place of the handler's response.
// Only a flush sends one; otherwise the adapter has to.
func (w *Writer) Rejected() bool { return w.rejected }

// WriteHeader commits the session and sends the response header. It sends an informational
// response at once, without a commit.
func (w *Writer) WriteHeader(code int) {
	// A response that switches protocols is handed over, so it cannot be held back.
	held := code != http.StatusSwitchingProtocols && !Informational(code) && w.hold() != nil
	if Informational(code) || held || w.commit(code) == nil {
		w.ResponseWriter.WriteHeader(code)
	}
}

// Write commits the session and writes b.
func (w *Writer) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits the session and writes s.
func (w *Writer) WriteString(s string) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom commits the session and copies from r, with the ReadFrom method of the wrapped writer
// if it has one.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush is like [Writer.FlushError], but discards the error.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError commits the session and flushes the wrapped writer. If the commit fails, FlushError
// sends the error status at once, because a handler that streams may never return. The response
// counts as one that uses the session, which the handler may do later.
func (w *Writer) FlushError() error {
	err := w.commitStream()
	if err != nil && !w.rejected {
		w.rejected = true
		Reject(w.ResponseWriter, err)
	}
	return errors.Join(err, http.NewResponseController(w.ResponseWriter).Flush())
}

// begin commits the session before a piece of the body, unless the response is held back.
func (w *Writer) begin() error {
	if w.scope.Begun() {
		return w.scope.CommitErr()
	}
	if w.hold() != nil {
		return nil
	}
	return w.commit(http.StatusOK)
}

// commitStream commits the session before the first byte of a response that is made while it is
// sent.
func (w *Writer) commitStream() error {
	if h := w.held(); h != nil {
		return h.Release(true)
	}
	if !w.scope.Begun() {
		w.scope.ExpectUse()
	}
	return w.commit(http.StatusOK)
}

// Hijack commits the session and takes over the connection. See [Hijack].
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if h := w.held(); h != nil {
		if err := h.Release(true); err != nil {
			return nil, nil, err
		}
	}
	return Hijack(w.ResponseWriter, w.scope)
}

// Push initiates a server push. It returns [http.ErrNotSupported] if the wrapped writer does not
// support it.
func (w *Writer) Push(target string, o *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// Unwrap returns the wrapped writer, for [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter {
	if h, ok := w.ResponseWriter.(*Held); ok {
		return h.ResponseWriter
	}
	return w.ResponseWriter
}
