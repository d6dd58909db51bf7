package sessions

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
)

// writer commits the session before the first byte of the response. When the commit fails it swallows what the handler
// writes, so that an error can take its place.
type writer struct {
	gin.ResponseWriter
	scope *core.Scope
}

// run runs the handlers with w as their writer. If they panic the writer is put back and nothing else happens, so that
// nothing is saved.
func (w *writer) run(c *gin.Context) {
	c.Writer = w
	defer func() { c.Writer = w.ResponseWriter }()
	c.Next()
	w.end(c)
}

// covers reports whether what is written to w passes a writer of sc. One that hides behind a wrapper without Unwrap
// does not count, which is harmless: the commit happens once, whichever writer comes first.
func covers(w http.ResponseWriter, sc *core.Scope) bool {
	for {
		if own, ok := w.(*writer); ok && own.scope == sc {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// begin commits, once.
func (w *writer) begin() error { return w.scope.Begin(w.Header()) }

// end commits what is not committed yet and settles the response.
func (w *writer) end(c *gin.Context) {
	if err := w.begin(); err != nil {
		w.refuse(c, err)
		return
	}
	if err := w.scope.Close(); err != nil {
		_ = c.Error(err)
	}
}

// refuse makes the response an error that middleware outside may still give a body.
func (w *writer) refuse(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	w.reject(err)
}

// reject sets the error's status in place of the handler's response, unless that has gone out.
func (w *writer) reject(err error) {
	if w.Written() {
		return
	}
	core.ClearContent(w.Header())
	w.ResponseWriter.WriteHeader(core.StatusCode(err))
}

// WriteHeader sends informational responses at once, which are not the response, and leaves everything else to Gin,
// which notes it.
func (w *writer) WriteHeader(code int) {
	if code < 100 || code > 199 || code == http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	var bottom http.ResponseWriter = w.ResponseWriter
	for {
		u, ok := bottom.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		bottom = u.Unwrap()
	}
	bottom.WriteHeader(code)
}

// WriteHeaderNow commits and sends the header.
func (w *writer) WriteHeaderNow() {
	if w.begin() == nil {
		w.ResponseWriter.WriteHeaderNow()
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
	return w.ResponseWriter.WriteString(s)
}

// ReadFrom commits and copies, by the shortest way the writer below has.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush commits and sends what there is. A handler that streams may never return, so an error is sent at once.
func (w *writer) Flush() {
	if err := w.begin(); err != nil {
		w.reject(err)
	}
	w.ResponseWriter.Flush()
}

// FlushError is Flush for [http.ResponseController].
func (w *writer) FlushError() error {
	w.Flush()
	return w.scope.CommitErr()
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
	return w.ResponseWriter.Hijack()
}

// Unwrap gives [http.ResponseController] the writer below.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
