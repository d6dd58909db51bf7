package sessions

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// request is what the middleware keeps for one request, in a single allocation.
type request struct {
	gin    *gin.Context
	scope  core.Scope
	writer writer
	http   http.Request // a copy of the server's request whose context is the scope
}

// open opens the scope, which loads the session unless m is lazy.
func (r *request) open(outer *core.Scope, m *Manager) error {
	sent := r.gin.Request
	r.writer = writer{ResponseWriter: r.gin.Writer, scope: &r.scope}
	return r.scope.Open(sent.Context(), outer, m, r, sent.Header["Cookie"]...)
}

// serve runs the handlers with the scope as the context of the request.
func (r *request) serve() {
	sent := r.gin.Request
	r.http = *sent.WithContext(&r.scope)
	r.gin.Request = &r.http
	defer r.returnForm(sent)
	if r.writer.Written() {
		_ = r.scope.HeaderSent() // Nothing has been changed yet.
	}
	r.writer.serve(r.gin, r.end)
}

// end ends the response, whose handlers have returned or panicked. The header may still leave
// later, and is guarded until then.
func (r *request) end(returned bool) {
	w := &r.writer
	switch {
	case !returned:
		httpwriter.Panicked(w.Header(), &r.scope)
	case w.idle() && w.guard():
		_ = r.scope.Close() // There is nothing to save.
		return
	default:
		w.end(r.gin)
	}
	w.guard()
}

// returnForm gives sent, the request as the middleware found it, the form that the handlers have
// parsed from the body of the copy. The server removes the temporary files of the form of its own
// request only. returnForm writes only what has changed, so that a handler that outlives its
// response, as under a timeout, does not race with readers of the original request.
//
// Middleware outside may parse the form later. It then gets the original request, which leads to
// the session as well.
func (r *request) returnForm(sent *http.Request) {
	parsed := r.gin.Request // A handler may have replaced the request.
	if parsed == &r.http && httpwriter.Unparsed(parsed) {
		*sent, r.gin.Request = r.http, sent
		return
	}
	if sent.Form == nil && parsed.Form != nil {
		sent.Form, sent.PostForm = parsed.Form, parsed.PostForm
	}
	if sent.MultipartForm == nil && parsed.MultipartForm != nil {
		sent.MultipartForm = parsed.MultipartForm
	}
}

// serveAgain runs the handlers of a request that has a session of the same manager. There is
// nothing to add, unless gin.Engine.HandleContext has replaced our writer by Gin's own.
func serveAgain(c *gin.Context, scope *core.Scope) {
	if !covers(c.Writer, scope) {
		w := &writer{ResponseWriter: c.Writer, scope: scope}
		w.serve(c, func(returned bool) {
			if returned {
				w.end(c)
			}
		})
	}
}

// Client implements [adapter.Client]. It trusts the proxies that the engine trusts.
func (r *request) Client() (ip, userAgent string) {
	return r.gin.ClientIP(), r.gin.Request.UserAgent()
}

// Fetch returns why the browser sends the request.
func (r *request) Fetch() adapter.Fetch { return adapter.FetchOf(r.http.Method, r.http.Header) }
