package httpwriter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// An adapter for net/http in its shortest form.
func Example() {
	m, err := core.NewManager(core.Options{})
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		s := core.ScopeOf(r.Context()).Get()
		_, _ = fmt.Fprint(w, "visit ", visits.Update(s, func(n int) int { return n + 1 }))
	}
	response := httptest.NewRecorder()
	withSession(m, handler)(response, request())
	fmt.Println(response.Body, len(response.Result().Cookies()))
	// Output: visit 1 1
}

// withSession gives each request of the handler a session of m.
func withSession(m *core.Manager, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scope, ctx := new(core.Scope), r.Context()
		if err := scope.Open(ctx, core.ScopeOf(ctx), m, nil, r.Header["Cookie"]...); err != nil {
			httpwriter.Reject(w, err)
			return
		}
		sw := httpwriter.New(w, scope)
		next(&sw, r.WithContext(scope)) //nolint:contextcheck // the scope is derived from ctx
		if err := sw.Commit(); err != nil && !sw.Rejected() {
			httpwriter.Reject(w, err)
		}
		_ = scope.Close() // logged, and reported as an event
	}
}

func request() *http.Request {
	return httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
}
