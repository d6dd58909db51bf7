package httpwriter

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// Commit commits the session of scope before the header of a response with the status leaves, and
// sets its cookie in header. Only the first call commits; later calls return the error of the
// first.
func Commit(header http.Header, scope *core.Scope, status int) error {
	if scope.Begun() {
		return scope.CommitErr()
	}
	return Leave(header, scope, status)
}

// CommitEnd commits the session of scope when the handlers have returned and the header has not
// left yet. See [core.Scope.CommitEnd].
func CommitEnd(header http.Header, scope *core.Scope, status int) error {
	reply, err := scope.CommitEnd(status)
	reply.Apply(header)
	return err
}

// Leave makes the header final at the moment it leaves, when the middleware has returned already:
// it saves what error handlers and middleware outside have changed since, and sees to it that no
// cache keeps what they have shown of the session. If it returns an error, the response must be
// an error.
func Leave(header http.Header, scope *core.Scope, status int) error {
	reply, err := scope.Leave(status)
	reply.Apply(header)
	return err
}

// Close closes the scope when the handlers have returned. If they have begun a response to w, the
// deadline of the request has passed and [http.TimeoutHandler] has answered in their place, Close
// ends a session that they have started, because the browser does not get its cookie.
func Close(w http.ResponseWriter, scope *core.Scope, begun bool) error {
	if begun && scope.MayBeUndelivered() {
		if _, err := w.Write(nil); errors.Is(err, http.ErrHandlerTimeout) {
			scope.Undelivered()
		}
	}
	return scope.Close()
}

// Panicked tells scope that the handler has panicked, and tells caches in header what they may
// keep of the error page.
func Panicked(header http.Header, scope *core.Scope) {
	reply := scope.Panicked()
	reply.Apply(header)
}

// Nowhere returns a writer that takes the body of a response and sends nothing of it, and
// otherwise does what w does. It is for an error that has replaced the response.
func Nowhere(w http.ResponseWriter) http.ResponseWriter { return nowhere{w} }

type nowhere struct{ http.ResponseWriter }

// Write discards b.
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// Unwrap returns the wrapped writer.
func (n nowhere) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// Unparsed reports whether r has the form of an upload that nobody has parsed. Whoever parses it
// later must do so in the request of the server, because the server removes the temporary files of
// that one only.
func Unparsed(r *http.Request) bool {
	if r.MultipartForm != nil || r.Method == http.MethodGet {
		return false
	}
	kind := r.Header["Content-Type"]
	return len(kind) > 0 && strings.HasPrefix(strings.ToLower(kind[0]), "multipart/")
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
