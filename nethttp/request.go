package sessions

import (
	"cmp"
	"errors"
	"log"
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
	http   http.Request // a copy of the original request whose context is the scope
}

// open opens the scope, which loads the session unless m is lazy.
func (r *request) open(original *http.Request, outer *core.Scope, m *Manager) error {
	return r.scope.Open(original.Context(), outer, m, r, original.Header["Cookie"]...)
}

// serve runs the handler with the scope as the context of the request, and ends the response. If
// the handler panics, serve saves nothing.
func (r *request) serve(next http.Handler, w http.ResponseWriter, original *http.Request) {
	r.writer = httpwriter.New(w, &r.scope)
	r.http = *original.WithContext(&r.scope)
	returned := false
	defer func() {
		if !returned {
			httpwriter.Panicked(w.Header(), &r.scope)
		}
		r.handBack(original)
	}()
	next.ServeHTTP(&r.writer, &r.http)
	returned = true
	r.end()
}

// end commits, unless that has been done, and saves what was changed after the commit.
func (r *request) end() {
	begun := r.writer.Begun()
	err := r.writer.Commit()
	if err == nil {
		// A failure has been logged and reported as an event.
		_ = httpwriter.Close(r.writer.Unwrap(), &r.scope, begun)
		return
	}
	r.log(err)
	if !r.writer.Rejected() {
		reject(r.writer.Unwrap(), err)
	}
}

// log writes why the session could not be saved to the log of the server, where net/http writes
// what goes wrong in a handler. It leaves out what the manager has logged, and refused logins.
func (r *request) log(err error) {
	for _, known := range []error{ErrStore, ErrLate, ErrLimit, ErrGone} {
		if errors.Is(err, known) {
			return
		}
	}
	logFailure(&r.http, err)
}

// logFailure writes the error to the log of the server.
func logFailure(r *http.Request, err error) {
	printf := log.Printf
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && server.ErrorLog != nil {
		printf = server.ErrorLog.Printf
	}
	printf("%v (%s)", err, cmp.Or(r.Pattern, r.Method))
}

// handBack sets in the original request what has been set in the handler's copy. The server
// removes the temporary files of the form that it finds there, and middleware outside the sessions
// reads the form and the pattern. handBack writes only what has changed, so that a handler that
// outlives its response, as under a timeout, does not race with readers of the original request.
func (r *request) handBack(original *http.Request) {
	if original.Form == nil && r.http.Form != nil {
		original.Form, original.PostForm = r.http.Form, r.http.PostForm
	}
	if original.MultipartForm != r.http.MultipartForm {
		original.MultipartForm = r.http.MultipartForm
	}
	if original.Pattern != r.http.Pattern {
		original.Pattern = r.http.Pattern
	}
}

// Client implements [adapter.Client]. It reads the copy of the request, so that middleware inside
// the sessions may set the address, too.
func (r *request) Client() (ip, userAgent string) {
	return addressOf(r.http.RemoteAddr), r.http.UserAgent()
}

// Fetch returns why the browser sends the request.
func (r *request) Fetch() adapter.Fetch { return adapter.FetchOf(r.http.Method, r.http.Header) }

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
