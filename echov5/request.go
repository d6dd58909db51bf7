package sessions

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// request is what the middleware keeps for one request, in a single allocation.
type request struct {
	echo   *echo.Context
	scope  core.Scope
	writer httpwriter.Writer
	outer  http.ResponseWriter // the response as the middleware found it
	sent   *http.Request       // the request as the middleware found it
	http   http.Request        // a copy of sent whose context is the scope
}

// open opens the scope, which loads the session unless m is lazy.
func (r *request) open(outer *core.Scope, m *Manager) error {
	return r.scope.Open(r.sent.Context(), outer, m, r, r.sent.Header["Cookie"]...)
}

// serve runs the handlers with the scope as the context of the request, and ends the response. If
// a handler panics, serve restores the response and saves nothing.
func (r *request) serve(next echo.HandlerFunc) error {
	r.http = *r.sent.WithContext(&r.scope)
	r.echo.SetRequest(&r.http)
	r.wrap()
	defer r.restore()
	return r.end(next(r.echo))
}

// wrap puts the session's writer below Echo's Response, so that functions registered with its
// Before method can still change the session and the header.
//
// If middleware outside has put a writer of its own above that Response, nothing of the handler's
// response may reach this writer before the commit: a compressor, for example, sends what it holds
// even if an error is returned. The session's writer then goes on top, below another Response.
func (r *request) wrap() {
	r.outer = r.echo.Response()
	res, ok := r.outer.(*echo.Response)
	if !ok {
		res = echo.NewResponse(r.outer, r.echo.Logger())
		r.echo.SetResponse(res)
	}
	r.writer = httpwriter.New(res.ResponseWriter, &r.scope)
	res.ResponseWriter = &r.writer
}

// end commits, unless that has been done, and saves what was changed after the commit. handlerErr
// is the error of the handler.
func (r *request) end(handlerErr error) error {
	if err := r.writer.Commit(); err != nil {
		return httpError(errors.Join(err, handlerErr))
	}
	if err := r.scope.Close(); err != nil {
		return errors.Join(handlerErr, httpError(err))
	}
	if handlerErr != nil {
		r.saveBeforeAnswer()
	}
	return handlerErr
}

// saveBeforeAnswer has the changes of Echo's error handler, which runs after all middleware, saved
// before it answers.
func (r *request) saveBeforeAnswer() {
	if res, err := echo.UnwrapResponse(r.outer); err == nil {
		res.Before(func() { _ = r.scope.Close() })
	}
}

// restore puts the original response back and returns the form to the original request. After a
// failed commit it also makes Echo forget the response of the handler, which has not been sent, so
// that the error handler can write another.
func (r *request) restore() {
	r.returnForm()
	r.echo.SetResponse(r.outer) // A handler may have replaced the response.
	failed := r.scope.CommitErr() != nil && !r.writer.Rejected()
	if failed {
		adapter.ClearContent(r.outer.Header())
	}
	res, ok := r.outer.(*echo.Response)
	if !ok {
		return // The Response that wrap made is not used any more.
	}
	res.ResponseWriter = r.writer.Unwrap()
	switch {
	case failed:
		res.Committed, res.Size, res.Status = false, 0, http.StatusOK
	case r.writer.Rejected():
		res.Committed = true
	}
}

// returnForm gives the original request the form that the handlers have parsed from the body of
// the copy. The server removes the temporary files of the form of its own request only.
func (r *request) returnForm() {
	parsed := r.echo.Request() // A handler may have replaced the request.
	if r.sent.Form == nil {
		r.sent.Form, r.sent.PostForm = parsed.Form, parsed.PostForm
	}
	if r.sent.MultipartForm == nil {
		r.sent.MultipartForm = parsed.MultipartForm
	}
}

// Client implements [adapter.Client]. It trusts the proxies that Echo's IPExtractor trusts.
func (r *request) Client() (ip, userAgent string) {
	return r.echo.RealIP(), r.echo.Request().UserAgent()
}

// Fetch returns why the browser sends the request.
func (r *request) Fetch() adapter.Fetch { return adapter.FetchOf(r.http.Method, r.http.Header) }
