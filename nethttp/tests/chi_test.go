package tests_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestRoutes mounts the sessions wherever chi takes middleware.
func TestRoutes(t *testing.T) {
	t.Parallel()
	session := sessions.Middleware(newManager(t, nil))
	named := func(w http.ResponseWriter, r *http.Request) {
		pattern := chi.RouteContext(r.Context()).RoutePattern()
		_, _ = fmt.Fprintf(w, "%s by %s: %d", chi.URLParam(r, "name"), pattern, increment(r)) //nolint:gosec // The test's own path.
	}
	sub := func(use ...func(http.Handler) http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(use...)
		r.Get("/{name}", named)
		return r
	}
	for name, routes := range map[string]func(r chi.Router) http.Handler{
		"Use": func(r chi.Router) http.Handler {
			r.Use(session)
			r.Get("/user/{name}", named)
			return r
		},
		"With": func(r chi.Router) http.Handler {
			r.With(session).Get("/user/{name}", named)
			return r
		},
		"Group": func(r chi.Router) http.Handler {
			r.Group(func(r chi.Router) {
				r.Use(session)
				r.Get("/user/{name}", named)
			})
			return r
		},
		"Route": func(r chi.Router) http.Handler {
			r.Route("/user", func(r chi.Router) {
				r.Use(session)
				r.Get("/{name}", named)
			})
			return r
		},
		"Mount": func(r chi.Router) http.Handler {
			r.Mount("/user", sub(session))
			return r
		},
		"twice": func(r chi.Router) http.Handler {
			r.Use(session)
			r.Use(session)
			r.Mount("/user", sub(session))
			return r
		},
		"around": func(r chi.Router) http.Handler {
			r.Mount("/user", sub())
			return session(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, routes(newRouter(&journal{})))
			visitTwice(t, url+"/user/ann", "ann by /user/{name}: 1", "ann by /user/{name}: 2")
		})
	}
}

// TestNoRoute shows that requests without a route pass the sessions and store nothing, and that a handler of chi for them may
// use the session.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	r := newRouter(&journal{})
	r.Use(sessions.Middleware(newManager(t, nil)))
	r.Get("/", count)
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		n := increment(r)
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, strconv.Itoa(n))
	})
	r.Post("/post", count)
	url := serve(t, r)
	if a := get(t, url+"/nowhere", ""); a.status != http.StatusNotFound || a.cookie() != "" {
		t.Errorf("answer is %d with cookie %q", a.status, a.cookie())
	}
	if a := get(t, url+"/post", ""); a.status != http.StatusMethodNotAllowed || a.body != "1" || a.cookie() == "" {
		t.Errorf("answer is %d %q with cookie %q", a.status, a.body, a.cookie())
	}
}

// TestClientIP puts the address that chi has found into the request, from where the record gets it.
func TestClientIP(t *testing.T) {
	t.Parallel()
	m := newManager(t, nil)
	setRemoteAddr := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = middleware.GetClientIP(r.Context())
			next.ServeHTTP(w, r)
		})
	}
	r := newRouter(&journal{})
	r.Use(middleware.ClientIPFromXFF("192.0.2.0/24"), setRemoteAddr, sessions.Middleware(m))
	r.Post("/login", func(_ http.ResponseWriter, r *http.Request) { _ = sessions.Get(r).Login("ann") })
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", http.NoBody) // from 192.0.2.1
	req.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
	r.ServeHTTP(httptest.NewRecorder(), req)
	list, err := m.List(t.Context(), "ann")
	if err != nil || len(list) != 1 || list[0].IP != "203.0.113.9" {
		t.Errorf("%+v, %v, want the address 203.0.113.9", list, err)
	}
}
