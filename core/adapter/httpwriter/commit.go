package httpwriter

import (
	"bufio"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// Commit commits the session of scope and sets its cookie in header. It must be called before the
// first byte of the response is sent. Only the first call commits; later calls return the error of
// the first.
func Commit(header http.Header, scope *core.Scope) error {
	reply, err := scope.CommitHeader()
	if err == nil {
		reply.Apply(header)
	}
	return err
}

// Hijack commits the session of scope and takes over the connection of w.
//
// Whoever takes over the connection need not send the header of w. If the commit needs a cookie,
// Hijack therefore returns [core.ErrLate] and leaves the connection alone, unless the header has
// been sent or the handler has called the adapter's Commit function.
func Hijack(w http.ResponseWriter, scope *core.Scope) (net.Conn, *bufio.ReadWriter, error) {
	if err := scope.HeaderSent(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w).Hijack()
}

// Reject makes the response an error without a body: it clears the fields that describe the
// handler's response and writes the status for err to w.
func Reject(w http.ResponseWriter, err error) {
	adapter.ClearContent(w.Header())
	w.WriteHeader(core.StatusCode(err))
}

// Informational reports whether a response with this status code precedes the actual response.
// The codes from 100 to 199 are informational, except 101 Switching Protocols.
func Informational(code int) bool {
	return code >= 100 && code <= 199 && code != http.StatusSwitchingProtocols
}
