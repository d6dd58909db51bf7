package tests_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adaptertest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestConformance proves that the adapter keeps the rules of every adapter on chi, too.
func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: start})
}

func start(t *testing.T, app adaptertest.App) string {
	t.Helper()
	router := newRouter(&journal{})
	if app.ReadCookies {
		router.Use(readCookies)
	}
	use(router, app.Engine)
	if app.NotFound != nil {
		router.NotFound(handler(app.NotFound))
	}
	router.Route("/group", func(group chi.Router) {
		use(group, app.Group)
		for _, r := range app.Routes {
			if path, ok := strings.CutPrefix(r.Path, "/group/"); ok {
				group.Method(r.Method, "/"+path, handler(r.Handler))
			}
		}
	})
	for _, r := range app.Routes {
		if !strings.HasPrefix(r.Path, "/group/") {
			router.Method(r.Method, r.Path, guarded(r, handler(failing(r.Handler, app.Failed))))
		}
	}
	return serve(t, router)
}

// guarded returns a handler for a route, with what guards it.
func guarded(r adaptertest.Route, h http.Handler) http.Handler {
	if r.Guard.SignOut != "" {
		h = sessions.SignOut(r.Guard.SignOut)
	}
	if r.Guard.CSRFToken {
		h = sessions.RequireCSRFToken()(h)
	}
	if r.Guard.Require != nil {
		h = sessions.Require(*r.Guard.Require)(h)
	}
	if r.Guard.CrossOrigin != nil {
		h = sessions.RefuseCrossOrigin(r.Guard.CrossOrigin)(h)
	}
	return h
}

func readCookies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Cookies()
		next.ServeHTTP(w, r)
	})
}

func use(r chi.Router, managers []*sessions.Manager) {
	for _, m := range managers {
		r.Use(sessions.Middleware(m))
	}
}

// failure is an error with a status.
type failure int

func (f failure) Error() string { return http.StatusText(int(f)) }

// failing has failed answer the errors of h, if it is not nil.
func failing(h adaptertest.Handler, failed func(adaptertest.Context, int) error) adaptertest.Handler {
	return func(c adaptertest.Context) error {
		err := h(c)
		var status failure
		if failed != nil && errors.As(err, &status) {
			return failed(c, int(status))
		}
		return err
	}
}

// handler runs a handler of the suite, and answers its errors as chi has no error handling.
func handler(h adaptertest.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(exchange{w, r})
		if err == nil {
			return
		}
		status := failure(core.StatusCode(err))
		errors.As(err, &status)
		http.Error(w, status.Error(), int(status))
	}
}

// exchange is the suite's view of one request.
type exchange struct {
	w http.ResponseWriter
	r *http.Request
}

func (e exchange) Get() *sessions.Session                        { return sessions.Get(e.r) }
func (e exchange) GetFrom(m *sessions.Manager) *sessions.Session { return sessions.GetFrom(e.r, m) }
func (e exchange) Load() (*sessions.Session, error)              { return sessions.Load(e.r) }
func (e exchange) Lookup() (*sessions.Session, bool)             { return sessions.Lookup(e.r) }
func (e exchange) Commit() error                                 { return sessions.Commit(e.w, e.r) }
func (e exchange) Context() context.Context                      { return e.r.Context() }
func (e exchange) Query(name string) string                      { return e.r.URL.Query().Get(name) }
func (e exchange) Header(name string) string                     { return e.r.Header.Get(name) }
func (e exchange) Form(name string) string                       { return e.r.PostFormValue(name) }
func (e exchange) ReturnPath(otherwise string) string            { return sessions.ReturnPath(e.r, otherwise) }
func (e exchange) SetHeader(name, value string)                  { e.w.Header().Set(name, value) }
func (e exchange) AddHeader(name, value string)                  { e.w.Header().Add(name, value) }

func (e exchange) Body(status int, body string) error {
	e.w.WriteHeader(status)
	_, err := io.WriteString(e.w, body)
	return err
}

func (e exchange) Status(status int) error {
	e.w.WriteHeader(status)
	return nil
}

func (e exchange) Redirect(status int, target string) error {
	http.Redirect(e.w, e.r, target, status)
	return nil
}

func (e exchange) EarlyHints() error { return e.Status(http.StatusEarlyHints) }

func (e exchange) Stream(write func(w adaptertest.Flusher)) error {
	write(stream{e.w, http.NewResponseController(e.w)})
	return nil
}

func (e exchange) Upgrade(talk func(conn net.Conn)) error { return adaptertest.Upgrade(e.w, talk) }
func (e exchange) Fail(status int) error                  { return failure(status) }

type stream struct {
	io.Writer
	*http.ResponseController
}
