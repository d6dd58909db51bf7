package sessions

import (
	"context"
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
	if res, ok := r.outer.(*echo.Response); ok && res.Committed {
		_ = r.scope.HeaderSent() // Nothing has been changed yet.
	}
	returned := false
	defer func() { r.restore(returned) }()
	err := handlerError(next(r.echo))
	returned = true
	return r.end(err)
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
	if _, err := echo.UnwrapResponse(r.outer); err != nil {
		return r.writer.Commit() // There can be no guard, so this is the last commit.
	}
	// Middleware outside may drop the error and write nothing.
	r.scope.Unguard()
	context.AfterFunc(r.scope.Context, r.scope.ReportUnsent)
	return httpwriter.CommitEnd(r.writer.Header(), &r.scope, http.StatusInternalServerError)
}

// guard makes the header of a response that has not begun final when it leaves. A commit that
// fails then takes the place of the response.
func (r *request) guard() {
	res, err := echo.UnwrapResponse(r.outer)
	if err != nil || res.Committed || r.scope.Begun() && !r.scope.InUse() {
		return
	}
	res.Before(func() {
		err := httpwriter.Leave(res.Header(), &r.scope, res.Status)
		if err != nil {
			adapter.ClearContent(res.Header())
			res.Status = core.StatusCode(err)
			res.ResponseWriter = httpwriter.Nowhere(res.ResponseWriter)
		}
	})
}

// restore puts the original response back and returns the form to the original request. After a
// failed commit, and for what a handler that has panicked has held back, it also makes Echo forget
// the response of the handler, which has not been sent, so that the error handler can write
// another.
func (r *request) restore(returned bool) {
	r.returnForm()
	dropped := r.writer.Drop()
	r.echo.SetResponse(r.outer) // A handler may have replaced the response.
	if !returned {
		httpwriter.Panicked(r.outer.Header(), &r.scope)
	}
	failed := r.scope.CommitErr() != nil && !r.writer.Rejected()
	if failed {
		adapter.ClearContent(r.outer.Header())
	}
	if res, ok := r.outer.(*echo.Response); ok { // Otherwise the one that wrap made is gone.
		res.ResponseWriter = r.writer.Unwrap()
		switch {
		case failed, dropped:
			res.Committed, res.Size, res.Status = false, 0, http.StatusOK
		case r.writer.Rejected():
			res.Committed = true
		}
	}
	r.guard()
}

// returnForm gives the original request the form that the handlers have parsed from the body of
// the copy. The server removes the temporary files of the form of its own request only.
//
// Echo's error handler and middleware outside may parse the form later. They then get the original
// request, which leads to the session as well.
func (r *request) returnForm() {
	parsed := r.echo.Request() // A handler may have replaced the request.
	if parsed == &r.http && httpwriter.Unparsed(parsed) {
		*r.sent = r.http
		r.echo.SetRequest(r.sent)
		return
	}
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
