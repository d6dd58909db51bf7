package sessions

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// writer commits the session before the first byte of the response. After a failed commit it
// discards what the handler writes, so that an error response can take its place.
//
// It does what [httpwriter.Writer] does, with one difference: Gin only notes the status in
// WriteHeader and sends the header later.
type writer struct {
	gin.ResponseWriter
	scope *core.Scope
}

// serve runs the handlers with w as their writer and ends the response. If a handler panics, serve
// restores the writer of the context and saves nothing.
func (w *writer) serve(c *gin.Context) {
	c.Writer = w
	defer func() { c.Writer = w.ResponseWriter }()
	c.Next()
	w.end(c)
}

// end commits, unless that has been done, and saves what was changed after the commit.
func (w *writer) end(c *gin.Context) {
	if err := w.commit(); err != nil {
		w.abort(c, err)
		return
	}
	if err := w.scope.Close(); err != nil {
		_ = c.Error(err)
	}
}

// abort answers err. Middleware mounted before the sessions can still write a body.
func (w *writer) abort(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	w.reject(err)
}

// reject replaces the handler's response by an error, unless the header has been sent.
func (w *writer) reject(err error) {
	if !w.Written() {
		httpwriter.Reject(w.ResponseWriter, err)
	}
}

// covers reports whether w is, or wraps, a writer that commits scope. It cannot look through a
// wrapper without an Unwrap method. That is harmless: a second writer does not commit again.
func covers(w http.ResponseWriter, scope *core.Scope) bool {
	for layer := range httpwriter.Layers(w) {
		if own, ok := layer.(*writer); ok && own.scope == scope {
			return true
		}
	}
	return false
}

func (w *writer) commit() error { return httpwriter.Commit(w.Header(), w.scope) }

// WriteHeader has Gin note the status. Gin does not send informational responses, so WriteHeader
// sends those itself, without a commit.
func (w *writer) WriteHeader(code int) {
	if httpwriter.Informational(code) {
		httpwriter.Innermost(w.ResponseWriter).WriteHeader(code)
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow commits the session and sends the response header.
func (w *writer) WriteHeaderNow() {
	if w.commit() == nil {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Write commits the session and writes b.
func (w *writer) Write(b []byte) (int, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits the session and writes s.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.WriteString(s)
}

// ReadFrom commits the session and copies from r, with the ReadFrom method of the wrapped writer
// if it has one.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush is like FlushError, but discards the error.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError commits the session and flushes the wrapped writer. If the commit fails, FlushError
// sends the error status at once, because a handler that streams may never return.
func (w *writer) FlushError() error {
	err := w.commit()
	if err != nil {
		w.reject(err)
	}
	w.ResponseWriter.Flush()
	return err
}

// Hijack commits the session and takes over the connection. See [httpwriter.Hijack].
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return httpwriter.Hijack(w.ResponseWriter, w.scope)
}

// Unwrap returns the wrapped writer, for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
