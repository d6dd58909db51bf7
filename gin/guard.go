package sessions

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// guard is below Gin's own writer when the session middleware has returned before the response has
// begun. At the moment the header leaves it saves what middleware outside has changed in the
// session, and sees to it that no cache keeps what such middleware has shown of it.
//
// It takes the place of the middleware's writer, which is not needed any more, so that it costs no
// memory.
type guard struct {
	http.ResponseWriter // the writer below Gin's
	scope               *core.Scope
}

// guard puts a guard below Gin's writer, unless the header has left, and reports whether it has.
// It does nothing if it does not find Gin's writer, because middleware outside has wrapped it in
// one without an Unwrap method: the header then stays as the commit has left it, unless that
// middleware changes it.
func (w *writer) guard() bool {
	if w.Written() || !w.scope.InUse() {
		return false
	}
	place := placeBelow(w.ResponseWriter) //nolint:bodyclose // There is none.
	if place == nil {
		return false
	}
	w.ResponseWriter, *place = *place, (*guard)(w)
	return true
}

// idle reports whether the session has nothing to save before the header leaves.
func (w *writer) idle() bool { return w.held() == nil && w.scope.Idle() }

// WriteHeader makes the header final and sends it.
func (g *guard) WriteHeader(code int) {
	if httpwriter.Informational(code) {
		g.ResponseWriter.WriteHeader(code)
		return
	}
	if err := httpwriter.Leave(g.Header(), g.scope, code); err != nil {
		httpwriter.Reject(g.ResponseWriter, err)
		g.ResponseWriter = httpwriter.Nowhere(g.ResponseWriter)
		return
	}
	g.ResponseWriter.WriteHeader(code)
}

// WriteString writes s.
func (g *guard) WriteString(s string) (int, error) { return io.WriteString(g.ResponseWriter, s) }

// ReadFrom copies from r.
func (g *guard) ReadFrom(r io.Reader) (int64, error) { return io.Copy(g.ResponseWriter, r) }

// Flush flushes the response.
func (g *guard) Flush() { _ = http.NewResponseController(g.ResponseWriter).Flush() }

// Hijack takes over the connection.
func (g *guard) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return httpwriter.Hijack(g.ResponseWriter, g.scope)
}

// CloseNotify is that of the writer below, if it has one.
func (g *guard) CloseNotify() <-chan bool {
	if n, ok := g.ResponseWriter.(http.CloseNotifier); ok { //nolint:staticcheck // Gin has it.
		return n.CloseNotify()
	}
	return nil
}

// Push initiates a server push, if the writer below supports it.
func (g *guard) Push(target string, o *http.PushOptions) error {
	if p, ok := g.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// Unwrap returns the writer below, for [http.ResponseController].
func (g *guard) Unwrap() http.ResponseWriter { return g.ResponseWriter }
