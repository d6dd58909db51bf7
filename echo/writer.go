package sessions

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
)

// writer commits the session before the first byte of the response. When the commit fails it swallows what the handler
// writes, so that an error can take its place.
type writer struct {
	http.ResponseWriter
	scope *core.Scope
	sent  bool // an error has gone out in place of the handler's response
}

// begin commits, once.
func (w *writer) begin() error { return w.scope.Begin(w.Header()) }

// withdraw makes Echo forget the response that a failed commit kept back, so that its error handler can write another.
func (w *writer) withdraw(res *echo.Response) {
	if w.scope.CommitErr() == nil {
		return
	}
	if w.sent {
		res.Committed = true
		return
	}
	core.ClearContent(w.Header())
	res.Committed, res.Size, res.Status = false, 0, http.StatusOK
}

// WriteHeader commits and sends the header. Informational responses are not the response and go out at once.
func (w *writer) WriteHeader(code int) {
	informational := code >= 100 && code <= 199 && code != http.StatusSwitchingProtocols
	if informational || w.begin() == nil {
		w.ResponseWriter.WriteHeader(code)
	}
}

// Write commits and writes.
func (w *writer) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits and writes.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom commits and copies, by the shortest way the writer below has.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush commits and sends what there is.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is Flush for [http.ResponseController]. A handler that streams may never return, so the error of a failed
// commit is sent at once.
func (w *writer) FlushError() error {
	err := w.begin()
	if err != nil && !w.sent {
		w.sent = true
		core.ClearContent(w.Header())
		w.ResponseWriter.WriteHeader(core.StatusCode(err))
	}
	return errors.Join(err, http.NewResponseController(w.ResponseWriter).Flush())
}

// Hijack commits and hands over the connection. Nobody sends the header then, so a session that needs a cookie has to be
// committed with [Commit] first, and the header's Set-Cookie sent by whoever took the connection.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.scope.Begun() {
		w.scope.Seal()
	}
	if err := w.begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Push starts a server push where the writer below can.
func (w *writer) Push(target string, o *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// Unwrap gives [http.ResponseController] the writer below.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
