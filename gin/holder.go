package sessions

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// holder is the writer of a response that is held back: see [httpwriter.Held]. To the handler the
// response has begun.
type holder struct {
	gin.ResponseWriter
	held *httpwriter.Held
}

// Written reports whether the response has begun, or would have if it were not held back.
func (h *holder) Written() bool { return h.held.Holds() || h.ResponseWriter.Written() }

// Size returns the number of bytes of the body that have been written.
func (h *holder) Size() int {
	if h.held.Holds() {
		return h.held.Size()
	}
	return h.ResponseWriter.Size()
}

// WriteHeader has Gin note the status, unless the header is held back already.
func (h *holder) WriteHeader(code int) {
	if !h.held.Holds() {
		h.ResponseWriter.WriteHeader(code)
	}
}

// WriteHeaderNow holds the header back.
func (h *holder) WriteHeaderNow() {
	if h.held.Released() {
		h.ResponseWriter.WriteHeaderNow()
		return
	}
	h.held.WriteHeader(h.Status())
}

// Write holds b back, or releases the response and writes it.
func (h *holder) Write(b []byte) (int, error) {
	h.WriteHeaderNow()
	return h.held.Write(b)
}

// WriteString is like Write.
func (h *holder) WriteString(s string) (int, error) {
	h.WriteHeaderNow()
	return h.held.WriteString(s)
}

// ReadFrom releases the response and copies from r.
func (h *holder) ReadFrom(r io.Reader) (int64, error) {
	h.WriteHeaderNow()
	return h.held.ReadFrom(r)
}

// Flush releases and flushes the response.
func (h *holder) Flush() {
	h.WriteHeaderNow()
	h.held.Flush()
}

// Unwrap returns the writer that the response is for.
func (h *holder) Unwrap() http.ResponseWriter { return h.ResponseWriter }
