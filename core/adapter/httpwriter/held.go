package httpwriter

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// Held holds a response back until it is known whether its handler uses the session. A response
// that the application lets caches keep becomes private if the handler reads the session after it
// has begun to write, as templates and GraphQL resolvers do.
//
// It holds one piece of the body. A second piece, or a flush, shows that the response is made
// while it is sent: it then counts as one that uses the session, because nothing could be taken
// back if the handler used the session later.
type Held struct {
	http.ResponseWriter // the writer that the response is for

	scope    *core.Scope
	status   int         // 0 until the header is held
	header   http.Header // as it was then
	body     []byte
	hasBody  bool
	released bool
}

// Hold returns a writer that holds the response back, or nil if there is no need to: the response
// has begun, caches may not keep it, its length is announced (so its body is known), or no session
// was presented or it has been used.
func Hold(w http.ResponseWriter, scope *core.Scope) *Held {
	header := w.Header()
	if scope.Begun() || !adapter.Cacheable(header) || header["Content-Length"] != nil ||
		!scope.MayBeUsed() {
		return nil
	}
	return &Held{ResponseWriter: w, scope: scope}
}

// maxHeld is how large a piece of the body may be that is held back.
const maxHeld = 64 << 10

// Holds reports whether anything is held back.
func (h *Held) Holds() bool { return !h.released && h.status != 0 }

// Released reports whether the response is not held back any more.
func (h *Held) Released() bool { return h.released }

// Size returns the number of bytes of the body that are held back.
func (h *Held) Size() int { return len(h.body) }

// WriteHeader holds the header back. It sends an informational response at once.
func (h *Held) WriteHeader(code int) {
	switch {
	case h.released || Informational(code):
		h.ResponseWriter.WriteHeader(code)
	case h.status == 0:
		h.status, h.header = code, h.Header().Clone()
	}
}

// restore makes the header what it was when it was held, but for what commits have set since. It
// returns the fields that the handler has set for the trailer.
func (h *Held) restore() (trailer http.Header) {
	header := h.Header()
	trailer = http.Header{}
	for name, values := range header {
		switch {
		case setByCommits(name):
			continue
		case h.declares(name):
			trailer[name] = values
		}
		delete(header, name)
	}
	for name, values := range h.header {
		if !setByCommits(name) {
			header[name] = values
		}
	}
	return trailer
}

// setByCommits reports whether a field is one that a commit sets.
func setByCommits(name string) bool {
	switch name {
	case "Set-Cookie", "Cache-Control", "Vary", "Clear-Site-Data":
		return true
	}
	return false
}

// declares reports whether a field belongs into the trailer.
func (h *Held) declares(name string) bool {
	for _, line := range h.header["Trailer"] {
		for declared := range strings.SplitSeq(line, ",") {
			if http.CanonicalHeaderKey(strings.TrimSpace(declared)) == name {
				return true
			}
		}
	}
	return strings.HasPrefix(name, http.TrailerPrefix)
}

// Write holds b back if it is the first piece of the body. Otherwise it releases the response.
func (h *Held) Write(b []byte) (int, error) {
	if len(b) <= maxHeld && h.keep() {
		h.body = append(h.body, b...)
		return len(b), nil
	}
	if err := h.Release(true); err != nil {
		return 0, err
	}
	return h.ResponseWriter.Write(b)
}

// WriteString is like Write.
func (h *Held) WriteString(s string) (int, error) {
	if len(s) <= maxHeld && h.keep() {
		h.body = append(h.body, s...)
		return len(s), nil
	}
	if err := h.Release(true); err != nil {
		return 0, err
	}
	return io.WriteString(h.ResponseWriter, s)
}

// keep reports whether the piece of the body that is about to be written can be held back.
func (h *Held) keep() bool {
	first := !h.released && !h.hasBody
	if first {
		h.hasBody = true
		h.WriteHeader(http.StatusOK)
	}
	return first
}

// ReadFrom releases the response and copies from r.
func (h *Held) ReadFrom(r io.Reader) (int64, error) {
	if err := h.Release(true); err != nil {
		return 0, err
	}
	return io.Copy(h.ResponseWriter, r)
}

// Flush is like FlushError, but discards the error.
func (h *Held) Flush() { _ = h.FlushError() }

// FlushError releases and flushes the response.
func (h *Held) FlushError() error {
	err := h.Release(true)
	return errors.Join(err, http.NewResponseController(h.ResponseWriter).Flush())
}

// Unwrap returns the writer that the response is for.
func (h *Held) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// Release commits the session and sends what is held back. If more is to come, the response counts
// as one that uses the session. After an error nothing has been sent.
func (h *Held) Release(more bool) error {
	if h.released {
		return h.scope.CommitErr()
	}
	h.released = true
	if more {
		h.scope.ExpectUse()
	}
	var trailer http.Header
	if h.status != 0 {
		trailer = h.restore()
	}
	status := max(h.status, http.StatusOK)
	if err := Leave(h.Header(), h.scope, status); err != nil {
		return err
	}
	h.ResponseWriter.WriteHeader(status)
	maps.Copy(h.Header(), trailer)
	if h.hasBody {
		_, _ = h.ResponseWriter.Write(h.body) // A client that is gone is no failure of the commit.
	}
	return nil
}
