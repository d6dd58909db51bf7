package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/cloakroom-go/sessions/core"
)

// Request is what the application wants to know of a request. It is good until the handler returns, as some frameworks use
// the memory again.
type Request struct {
	Context context.Context //nolint:containedctx // a request has one, as in net/http
	Method  string
	Path    string
	Host    string
	Remote  string                   // address and port at the other end of the connection
	Header  func(name string) string // a header field, "" if it is absent
	Query   func(name string) string // a parameter of the URL, "" if it is absent
	Field   func(name string) string // a field of the form that was posted, "" if it is absent
}

// Response is what the framework is to send: header fields and a body, or a stream in its place.
type Response struct {
	Status int
	Header map[string]string
	Body   []byte

	// Stream, if there is one, sends the body piece by piece; send flushes, and fails when the client has gone away.
	Stream func(ctx context.Context, send func(piece string) error)
}

// Handler answers a request that belongs to a session.
type Handler func(*core.Session, Request) Response

// guarded refuses requests that other sites make the visitor's browser send, and puts the header fields on all responses
// that the application wants there.
//
// SameSite=Lax keeps the cookie out of most cross-site posts, but not of those from another port or a sibling
// subdomain, which are the same site, and it has no say where no cookie is needed: signing a visitor in as somebody
// else. A token in each form would cover both at the price of a session for everybody who only looks. Browsers tell
// where a request comes from, in Sec-Fetch-Site and Origin, and a page of another origin can change neither, so that is
// what is checked.
func (a *App) guarded(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		res := Response{}
		if err := a.guard.Check(r.origin()); err != nil {
			res = a.failure(s, http.StatusForbidden, "Not from this site", "The form was sent by a page of another site, so nothing has happened.")
		} else {
			res = next(s, r)
		}
		if r.Method == http.MethodHead {
			res.Stream = nil // the head is all that is asked for
		}
		res.Header["X-Content-Type-Options"] = "nosniff"
		res.Header["Referrer-Policy"] = "same-origin"
		res.Header["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
		return res
	}
}

// origin returns the part of the request that tells where it comes from, in the form of [net/http].
func (r Request) origin() *http.Request {
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

// content returns a response that neither the browser nor a cache keeps, so that the back button does not bring back
// what was on the screen before signing out.
func content(status int, mediaType string, body []byte) Response {
	return Response{Status: status, Body: body, Header: map[string]string{"Content-Type": mediaType, "Cache-Control": "no-store"}}
}

// seeOther sends the browser on with a GET, so that reloading the next page does not post the form again.
func seeOther(path string) Response {
	res := content(http.StatusSeeOther, "text/plain; charset=utf-8", nil)
	res.Header["Location"] = path
	return res
}

// asJSON returns v for scripts.
func asJSON(v any) Response {
	body, err := json.Marshal(v)
	if err != nil {
		return content(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()))
	}
	return content(http.StatusOK, "application/json", body)
}

// asset returns a handler for an embedded file. It does not touch the session, so caches may keep the response.
func asset(name, mediaType string) Handler {
	body, err := web.ReadFile("web/" + name)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return func(*core.Session, Request) Response {
		return Response{Status: http.StatusOK, Body: body, Header: map[string]string{"Content-Type": mediaType, "Cache-Control": "public, max-age=300"}}
	}
}

// frame is what every page shows around its content.
type frame struct {
	Framework   string
	Path        string
	User        string
	Preferences Preferences
	Flash       string
	Content     any
}

// page renders a page of the application.
func (a *App) page(s *core.Session, status int, name string, data any) Response {
	f := frame{Framework: a.framework, Path: "/" + name, User: s.Subject(), Preferences: preferencesOf(s), Content: data}
	f.Flash, _ = flash.Take(s)
	var out bytes.Buffer
	if err := a.pages[name].ExecuteTemplate(&out, "layout.html", f); err != nil {
		return content(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()))
	}
	return content(status, "text/html; charset=utf-8", out.Bytes())
}

// problem is the content of the error page.
type problem struct {
	Status      int
	Title, Text string
}

func (a *App) failure(s *core.Session, status int, title, text string) Response {
	return a.page(s, status, "error", problem{status, title, text})
}

// refused answers for a session that does not take a change.
func (a *App) refused(s *core.Session, err error) Response {
	return a.failure(s, core.StatusCode(err), "That did not work", "The session could not be changed. Please try again.")
}

// broken answers for a store that does not do what the manager asks of it.
func (a *App) broken(s *core.Session, err error) Response {
	return a.failure(s, core.StatusCode(err), "That did not work", "The sessions could not be reached. Please try again.")
}

// NotFound answers for all paths that are not a route.
func (a *App) NotFound(s *core.Session, r Request) Response {
	return a.guarded(func(s *core.Session, _ Request) Response {
		return a.failure(s, http.StatusNotFound, "Nothing hangs here", "There is no page at this address.")
	})(s, r)
}
