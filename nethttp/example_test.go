package sessions_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// A counter of visits: the whole program.
func Example() {
	const visits = sessions.Key[int]("visits")

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		n := visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
		_, _ = fmt.Fprintf(w, "visit %d", n)
	})
	session := sessions.New(sessions.Options{})
	app := session(mux)

	var cookies []*http.Cookie
	for range 2 {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		response := httptest.NewRecorder()
		app.ServeHTTP(response, request)
		cookies = append(cookies, response.Result().Cookies()...)
		fmt.Println(response.Body)
	}
	// Output:
	// visit 1
	// visit 2
}

// unavailablePage is a response writer that gives 503 responses a page of the application's own.
type unavailablePage struct {
	http.ResponseWriter
	sent bool
}

func (p *unavailablePage) WriteHeader(status int) {
	if status != http.StatusServiceUnavailable {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	p.Header().Set("Content-Type", "text/html; charset=utf-8")
	p.ResponseWriter.WriteHeader(status)
	_, _ = io.WriteString(p.ResponseWriter, "<h1>Back in a minute</h1>")
	p.sent = true
}

func (p *unavailablePage) Write(body []byte) (int, error) {
	if p.sent {
		return len(body), nil
	}
	return p.ResponseWriter.Write(body)
}

// Unwrap lets streams and websockets through.
func (p *unavailablePage) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Middleware outside the sessions can replace the text of an error status, as for a session that
// could not be loaded or saved, by a page of the application's own.
func ExampleMiddleware_errorPage() {
	withPage := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&unavailablePage{ResponseWriter: w}, r)
		})
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = sessions.Get(r).Login("ann")
		_, _ = fmt.Fprint(w, "Hello")
	})
	store := sessiontest.NewStore(nil)
	m, err := sessions.NewManager(sessions.Options{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	app := withPage(sessions.Middleware(m)(hello))

	store.Fail(sessiontest.Fault{}) // The database goes down.
	response := httptest.NewRecorder()
	app.ServeHTTP(response, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody))
	fmt.Println(response.Code, response.Body)
	// Output: 503 <h1>Back in a minute</h1>
}

// A service that knows the context of the request, but not the request itself.
func ExampleFromContext() {
	greet := func(ctx context.Context) string {
		if s, ok := sessions.FromContext(ctx); ok && s.Subject() != "" {
			return "Hello, " + s.Subject()
		}
		return "Hello, stranger"
	}
	session := sessions.New(sessions.Options{})
	app := session(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = sessions.Get(r).Login("ann")
		_, _ = fmt.Fprint(w, greet(r.Context()))
	}))

	response := httptest.NewRecorder()
	app.ServeHTTP(response, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody))
	fmt.Println(response.Body)
	fmt.Println(greet(context.Background()))
	// Output:
	// Hello, ann
	// Hello, stranger
}
