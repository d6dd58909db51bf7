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
	// ResponseWriter is the writer that the middleware has found, a [gin.ResponseWriter], or a
	// [holder] around it.
	http.ResponseWriter
	scope *core.Scope
}

// serve runs the handlers with w as their writer. It calls ended when they have returned, or
// panicked, and restores the writer of the context.
func (w *writer) serve(c *gin.Context, ended func(returned bool)) {
	found, returned := c.Writer, false
	c.Writer = w
	defer func() {
		if c.Writer = found; !returned {
			w.ResponseWriter = found // What is held back of the response does not go out.
			ended(false)
		}
	}()
	c.Next()
	returned = true
	ended(true)
}

// gin returns the wrapped writer.
func (w *writer) gin() gin.ResponseWriter {
	return w.ResponseWriter.(gin.ResponseWriter) // It is one.
}

// end commits, unless that has been done, and saves what was changed after the commit.
func (w *writer) end(c *gin.Context) {
	err := w.finish()
	if err == nil {
		if err = httpwriter.Close(w.gin(), w.scope, w.Written()); err != nil {
			_ = c.Error(err)
		}
		return
	}
	w.abort(c, err)
}

// finish commits when the handlers have returned. If they have not begun the response, that is not
// the last commit: Gin sends a header without a body only when all middleware has returned, and
// until then middleware outside may use the session. The guard makes the last commit. If there can
// be none, this is the last.
func (w *writer) finish() error {
	if h := w.held(); h != nil {
		return h.Release(false)
	}
	//nolint:bodyclose // There is no response.
	if w.scope.Begun() || w.Written() || !w.scope.InUse() || placeBelow(w.ResponseWriter) == nil {
		return w.commit()
	}
	return httpwriter.CommitEnd(w.Header(), w.scope, w.Status())
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

func (w *writer) commit() error { return httpwriter.Commit(w.Header(), w.scope, w.Status()) }

// begin commits before a piece of the response, unless the response is held back.
func (w *writer) begin() error {
	if w.scope.Begun() {
		return w.scope.CommitErr()
	}
	if w.held() != nil {
		return nil
	}
	// A response that switches protocols is handed over, so it cannot be held back.
	if w.Written() || w.Status() == http.StatusSwitchingProtocols {
		return w.commit()
	}
	if h := httpwriter.Hold(w.ResponseWriter, w.scope); h != nil {
		w.ResponseWriter = &holder{w.gin(), h}
		return nil
	}
	return w.commit()
}

// held returns what holds the response back, or nil if nothing does.
func (w *writer) held() *httpwriter.Held {
	if h, ok := w.ResponseWriter.(*holder); ok && !w.scope.Begun() {
		return h.held
	}
	return nil
}

// Status returns the status of the response.
func (w *writer) Status() int { return w.gin().Status() }

// Size returns the number of bytes of the body that have been written.
func (w *writer) Size() int { return w.gin().Size() }

// Written reports whether the response has begun.
func (w *writer) Written() bool { return w.gin().Written() }

// Pusher returns the wrapped writer's [http.Pusher], or nil if it has none.
func (w *writer) Pusher() http.Pusher { return w.gin().Pusher() }

// CloseNotify is that of the wrapped writer.
func (w *writer) CloseNotify() <-chan bool { return w.gin().CloseNotify() }

// WriteHeader has Gin note the status. Gin does not send informational responses, so WriteHeader
// sends those itself, without a commit.
func (w *writer) WriteHeader(code int) {
	if httpwriter.Informational(code) {
		httpwriter.Innermost(w.ResponseWriter).WriteHeader(code)
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow commits the session and sends the response header. Middleware outside may write
// the body of an error that has none yet, as after [gin.Context.AbortWithError], and use the
// session in it.
func (w *writer) WriteHeaderNow() {
	if w.Status() >= http.StatusBadRequest && !w.scope.Begun() {
		w.scope.ExpectUse()
	}
	if w.begin() == nil {
		w.gin().WriteHeaderNow()
	}
}

// Write commits the session and writes b.
func (w *writer) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits the session and writes s.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.gin().WriteString(s)
}

// ReadFrom commits the session and copies from r, with the ReadFrom method of the wrapped writer
// if it has one.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush is like FlushError, but discards the error.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError commits the session and flushes the wrapped writer. If the commit fails, FlushError
// sends the error status at once, because a handler that streams may never return. The response
// counts as one that uses the session, which the handler may do later.
func (w *writer) FlushError() error {
	err := w.commitStream()
	if err != nil {
		w.reject(err)
	}
	w.gin().Flush()
	return err
}

// commitStream commits the session before the first byte of a response that is made while it is
// sent.
func (w *writer) commitStream() error {
	if h := w.held(); h != nil {
		return h.Release(true)
	}
	if !w.scope.Begun() {
		w.scope.ExpectUse()
	}
	return w.commit()
}

// Hijack commits the session and takes over the connection. See [httpwriter.Hijack].
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if h := w.held(); h != nil {
		if err := h.Release(true); err != nil {
			return nil, nil, err
		}
	}
	return httpwriter.Hijack(w.ResponseWriter, w.scope)
}

// Unwrap returns the wrapped writer, for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
