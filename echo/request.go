package sessions

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// request is what the middleware keeps for one request, in a single allocation.
type request struct {
	echo   echo.Context
	scope  core.Scope
	writer httpwriter.Writer
	http   http.Request // a copy of the server's request whose context is the scope
}

// open opens the scope, which loads the session unless m is lazy.
func (r *request) open(outer *core.Scope, m *Manager) error {
	sent := r.echo.Request()
	return r.scope.Open(sent.Context(), outer, m, r, sent.Header["Cookie"]...)
}

// serve runs the handlers with the scope as the context of the request, and ends the response. If
// a handler panics, serve restores the writer of the response and saves nothing.
func (r *request) serve(next echo.HandlerFunc) error {
	sent := r.echo.Request()
	r.http = *sent.WithContext(&r.scope)
	r.echo.SetRequest(&r.http)
	defer r.returnForm(sent)
	res := r.echo.Response()
	r.writer = httpwriter.New(res.Writer, &r.scope)
	res.Writer = &r.writer
	if res.Committed {
		_ = r.scope.HeaderSent() // Nothing has been changed yet.
	}
	returned := false
	defer func() { r.restore(returned) }()
	err := handlerError(next(r.echo))
	returned = true
	return r.end(err)
}

// end commits, unless that has been done, and saves what was changed after the commit. handlerErr
// is the error of the handler.
//
// Echo's error handler runs after all middleware. If it is going to answer the request, the last
// commit is made when the header leaves, because it may use the session, too.
func (r *request) end(handlerErr error) error {
	begun := r.writer.Begun()
	if err := r.commit(handlerErr); err != nil {
		return httpError(errors.Join(err, handlerErr))
	}
	if err := httpwriter.Close(r.writer.Unwrap(), &r.scope, begun); err != nil {
		return errors.Join(handlerErr, httpError(err))
	}
	return handlerErr
}

func (r *request) commit(handlerErr error) error {
	if handlerErr == nil || r.writer.Begun() {
		return r.writer.Commit()
	}
	// Middleware outside may drop the error and write nothing.
	r.scope.Unguard()
	context.AfterFunc(r.scope.Context, r.scope.ReportUnsent)
	return httpwriter.CommitEnd(r.writer.Header(), &r.scope, http.StatusInternalServerError)
}

// guard makes the header of a response that has not begun final when it leaves. A commit that
// fails then takes the place of the response.
func (r *request) guard(res *echo.Response) {
	res.Before(func() {
		err := httpwriter.Leave(res.Header(), &r.scope, res.Status)
		if err != nil {
			adapter.ClearContent(res.Header())
			res.Status, res.Writer = core.StatusCode(err), httpwriter.Nowhere(res.Writer)
		}
	})
}

// restore puts the original writer back. After a failed commit, and for what a handler that has
// panicked has held back, it also makes Echo forget the response of the handler, which has not
// been sent, so that the error handler can write another.
func (r *request) restore(returned bool) {
	res := r.echo.Response() // A handler may have replaced the response.
	dropped := r.writer.Drop()
	res.Writer = r.writer.Unwrap()
	if !returned {
		httpwriter.Panicked(res.Header(), &r.scope)
	}
	r.forget(res, dropped)
	if !res.Committed && (r.scope.InUse() || !r.scope.Begun()) {
		r.guard(res)
	}
}

// forget makes Echo forget a response that has not been sent, if that is so.
func (r *request) forget(res *echo.Response, dropped bool) {
	switch {
	case dropped:
		res.Committed, res.Size, res.Status = false, 0, http.StatusOK
	case r.scope.CommitErr() == nil:
	case r.writer.Rejected():
		res.Committed = true
	default:
		adapter.ClearContent(res.Header())
		res.Committed, res.Size, res.Status = false, 0, http.StatusOK
	}
}

// returnForm gives sent, the request as the middleware found it, the form that the handlers have
// parsed from the body of the copy. The server removes the temporary files of the form of its own
// request only. returnForm writes only what has changed, so that a handler that outlives its
// response, as under a timeout, does not race with readers of the original request.
//
// Echo's error handler and middleware outside may parse the form later. They then get the original
// request, which leads to the session as well.
func (r *request) returnForm(sent *http.Request) {
	parsed := r.echo.Request() // A handler may have replaced the request.
	if parsed == &r.http && httpwriter.Unparsed(parsed) {
		*sent = r.http
		r.echo.SetRequest(sent)
		return
	}
	if sent.Form == nil && parsed.Form != nil {
		sent.Form, sent.PostForm = parsed.Form, parsed.PostForm
	}
	if sent.MultipartForm == nil && parsed.MultipartForm != nil {
		sent.MultipartForm = parsed.MultipartForm
	}
}

// Client implements [adapter.Client]. It trusts the proxies that Echo's IPExtractor trusts.
func (r *request) Client() (ip, userAgent string) {
	return r.echo.RealIP(), r.echo.Request().UserAgent()
}

// Fetch returns why the browser sends the request.
func (r *request) Fetch() adapter.Fetch { return adapter.FetchOf(r.http.Method, r.http.Header) }
