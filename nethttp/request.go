package sessions

import (
	"net/http"
	"net/netip"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// request is what the middleware keeps for one request, in a single allocation.
type request struct {
	scope  core.Scope
	writer httpwriter.Writer
	http   http.Request // a copy of the request that was sent, whose context is the scope
}

// open opens the scope, which loads the session unless m is lazy.
func (r *request) open(sent *http.Request, outer *core.Scope, m *Manager) error {
	return r.scope.Open(sent.Context(), outer, m, r, sent.Header["Cookie"]...)
}

// serve runs the handler with the scope as the context of the request, and ends the response. If
// the handler panics, serve saves nothing.
func (r *request) serve(next http.Handler, w http.ResponseWriter, sent *http.Request) {
	r.writer = httpwriter.New(w, &r.scope)
	r.http = *sent.WithContext(&r.scope)
	defer r.handBack(sent)
	next.ServeHTTP(&r.writer, &r.http)
	r.end()
}

// end commits, unless that has been done, and saves what was changed after the commit.
func (r *request) end() {
	err := r.writer.Commit()
	switch {
	case err == nil:
		_ = r.scope.Close() // A failure has been logged and reported as an event.
	case !r.writer.Rejected():
		reject(r.writer.Unwrap(), err)
	}
}

// handBack gives the request that was sent what the handler's copy of it has got, for those who
// have only the former: the server removes the temporary files of the form, and middleware for
// logs and metrics reads the pattern. It writes only what has changed, because a handler that
// outlives its response, as under http.TimeoutHandler, must not race with readers of the request.
func (r *request) handBack(sent *http.Request) {
	if sent.MultipartForm != r.http.MultipartForm {
		sent.MultipartForm = r.http.MultipartForm
	}
	if sent.Pattern != r.http.Pattern {
		sent.Pattern = r.http.Pattern
	}
}

// Client implements [adapter.Client]. It reads the copy of the request, so that middleware inside
// the sessions may set the address, too.
func (r *request) Client() (ip, userAgent string) {
	return addressOf(r.http.RemoteAddr), r.http.UserAgent()
}

// addressOf returns the IP address in the RemoteAddr field of a request, or "" if there is none,
// as on a Unix socket.
func addressOf(remoteAddr string) string {
	if with, err := netip.ParseAddrPort(remoteAddr); err == nil {
		return with.Addr().Unmap().String()
	}
	if without, err := netip.ParseAddr(remoteAddr); err == nil {
		return without.Unmap().String()
	}
	return ""
}

// reject makes the response an error, whose body is the text of its status.
func reject(w http.ResponseWriter, err error) {
	adapter.ClearContent(w.Header())
	status := core.StatusCode(err)
	http.Error(w, http.StatusText(status), status)
}
