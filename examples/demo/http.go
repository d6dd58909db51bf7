package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/cloakroom-go/sessions/core"
)

// Request is what the application needs of a request. It is valid until the handler returns,
// since some frameworks reuse its memory.
type Request struct {
	Context context.Context //nolint:containedctx // a request has one, as in net/http
	Method  string
	Path    string
	Host    string
	Header  func(name string) string // returns a header field, or "" if it is absent
	Query   func(name string) string // returns a URL parameter, or "" if it is absent
	Field   func(name string) string // returns a field of the posted form, or "" if it is absent

	// Operator is the session of [App.Operators], which has a cookie of its own.
	Operator *core.Session
}

// Response is what the framework sends: header fields and a body, or a stream instead of the
// body.
type Response struct {
	Status int
	Header map[string]string
	Body   []byte

	// Stream, if not nil, sends the body in pieces. The function send flushes each piece, and
	// returns an error if the client is gone.
	Stream func(ctx context.Context, send func(piece string) error)
}

// Handler handles a request with its session.
type Handler func(*core.Session, Request) Response

// withoutStream returns a handler for HEAD, whose responses have no body.
func withoutStream(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		res := next(s, r)
		res.Stream = nil
		return res
	}
}

// Refused reports whether a request must not be handled, because a page of another site has sent
// it, and returns the response to it.
//
// SameSite=Lax keeps the cookie out of most cross-site posts. It does not protect against
// posts from another port or a sibling subdomain, which are the same site, or against requests
// that need no cookie, such as signing a visitor in as another user. A token in each form
// would cover both, but then every visitor would need a session. Browsers send the origin of a
// request in Sec-Fetch-Site and Origin, and a page of another origin can change neither, so
// these fields are checked.
func (a *App) Refused(s *core.Session, r Request) (Response, bool) {
	if a.crossOrigin.Check(r.originRequest()) == nil {
		return Response{}, false
	}
	return a.errorResponse(s, http.StatusForbidden, "Not from this site",
		"The form was sent by a page of another site, so nothing has happened."), true
}

// originRequest returns a request of [net/http] with the parts that say where it comes from.
func (r Request) originRequest() *http.Request {
	return &http.Request{
		Method: r.Method,
		Host:   r.Host,
		URL:    &url.URL{Path: r.Path},
		Header: http.Header{
			"Sec-Fetch-Site": {r.Header("Sec-Fetch-Site")},
			"Origin":         {r.Header("Origin")},
		},
	}
}

// newResponse returns a response with the header fields that all need. It is not cached.
// Otherwise the back button could show a page from before signing out.
func newResponse(status int, mediaType string, body []byte) Response {
	return Response{Status: status, Body: body, Header: map[string]string{
		"Content-Type": mediaType, "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; " +
			"script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'",
	}}
}

// Redirect sends the browser to a path with GET, so that reloading that page does not post the
// form again.
func Redirect(path string) Response {
	res := newResponse(http.StatusSeeOther, "text/plain; charset=utf-8", nil)
	res.Header["Location"] = path
	return res
}

// Done shows a text on top of the page at a path, once.
func (a *App) Done(s *core.Session, path, text string) Response {
	if err := flash.Set(s, text); err != nil {
		return a.Failed(s, err)
	}
	return Redirect(path)
}

// asJSON returns a response with v as JSON.
func asJSON(v any) Response {
	body, err := json.Marshal(v)
	if err != nil {
		return internalError(err)
	}
	return newResponse(http.StatusOK, "application/json", body)
}

// internalError returns a response with the text of an error.
func internalError(err error) Response {
	const mediaType = "text/plain; charset=utf-8"
	return newResponse(http.StatusInternalServerError, mediaType, []byte(err.Error()))
}

// asset returns a handler for an embedded file. It does not use the session, so the response
// may be cached.
func asset(name, mediaType string) Handler {
	body, err := web.ReadFile("web/" + name)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return func(*core.Session, Request) Response {
		res := newResponse(http.StatusOK, mediaType, body)
		res.Header["Cache-Control"] = "public, max-age=300"
		return res
	}
}

// layout is what the layout of every page shows.
type layout struct {
	Framework   string
	Path        string
	User        string
	Preferences Preferences
	Flash       string
	Content     any
}

// page renders a page of the application.
func (a *App) page(s *core.Session, status int, name string, data any) Response {
	l := layout{
		Framework: a.framework, Path: "/" + name, User: s.Subject(),
		Preferences: preferencesOf(s), Content: data,
	}
	l.Flash, _ = flash.Take(s)
	var out bytes.Buffer
	if err := a.pages[name].ExecuteTemplate(&out, "layout.html", l); err != nil {
		return internalError(err)
	}
	return newResponse(status, "text/html; charset=utf-8", out.Bytes())
}

// errorPage is the content of the error page.
type errorPage struct {
	Status      int
	Title, Text string
}

func (a *App) errorResponse(s *core.Session, status int, title, text string) Response {
	return a.page(s, status, "error", errorPage{status, title, text})
}

// Failed returns the response if the session could not be changed, or if a call of the manager
// failed.
func (a *App) Failed(s *core.Session, err error) Response {
	if reason, overtaken := s.Overtaken(); overtaken {
		return a.errorResponse(s, http.StatusConflict, "Your session has ended", endedText(reason))
	}
	switch {
	case errors.Is(err, core.ErrNotFound):
		return a.errorResponse(s, http.StatusNotFound, "No such session",
			"It may have ended already.")
	case errors.Is(err, errors.ErrUnsupported):
		return a.errorResponse(s, http.StatusNotImplemented, "Not on this store",
			"It keeps no list of a user’s sessions, so nobody was signed out.")
	}
	return a.errorResponse(s, core.StatusCode(err), "That did not work",
		"The session could not be read or changed. Please try again.")
}

// NotFound handles all paths that are not a route.
func (a *App) NotFound(s *core.Session, _ Request) Response {
	return a.errorResponse(s, http.StatusNotFound, "There is no such page",
		"Please follow one of the links above.")
}
