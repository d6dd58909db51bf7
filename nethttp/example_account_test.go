package sessions_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// A login, a page for users who are signed in, and a logout.
func ExampleSession_login() {
	mux := http.NewServeMux()
	session := sessions.New(sessions.Options{})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r)
		// Check the password here. SignIn replaces the secret of the session.
		err := s.SignIn(r.Context(), r.PostFormValue("user"), sessions.SignIn{})
		if err != nil {
			http.Error(w, "", core.StatusCode(err)) // 409 or 503
			return
		}
		_, _ = io.WriteString(w, "welcome, "+s.Subject()+"\n")
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		user := sessions.Get(r).Subject()
		if user == "" {
			http.Error(w, "please sign in", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "a page for "+user+"\n")
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r).Destroy() // The record and the cookie are deleted.
		_, _ = io.WriteString(w, "goodbye\n")
	})

	browser := sessiontest.Browser(sessiontest.Handler(session(mux)))
	show(browser, "GET", "/page", "")
	show(browser, "POST", "/login", "user=ann")
	show(browser, "GET", "/page", "")
	show(browser, "POST", "/logout", "")
	show(browser, "GET", "/page", "")
	// Output:
	// 401 please sign in
	// 200 welcome, ann
	// 200 a page for ann
	// 200 goodbye
	// 401 please sign in
}

// The devices on which a user is signed in, and signing out all others.
func ExampleManager_devices() {
	m, err := sessions.NewManager(sessions.Options{})
	if err != nil {
		log.Print(err)
		return
	}
	mux := http.NewServeMux()
	session := sessions.Middleware(m)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Get(r).Login(r.PostFormValue("user")); err != nil {
			http.Error(w, "", core.StatusCode(err))
			return
		}
		_, _ = io.WriteString(w, "welcome\n")
	})
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r)
		list, err := m.List(r.Context(), s.Subject()) // an Info for each session
		if err != nil {
			http.Error(w, "", core.StatusCode(err))
			return
		}
		_, _ = fmt.Fprintf(w, "%d devices\n", len(list))
	})
	mux.HandleFunc("POST /devices/revoke-others", func(w http.ResponseWriter, r *http.Request) {
		n, err := m.RevokeOthers(r.Context(), sessions.Get(r))
		if err != nil {
			http.Error(w, "", core.StatusCode(err))
			return
		}
		_, _ = fmt.Fprintf(w, "%d signed out\n", n)
	})

	laptop, phone := sessiontest.Browser(sessiontest.Handler(session(mux))), sessiontest.Browser(sessiontest.Handler(session(mux)))
	show(laptop, "POST", "/login", "user=ann")
	show(phone, "POST", "/login", "user=ann")
	show(laptop, "GET", "/devices", "")
	show(laptop, "POST", "/devices/revoke-others", "")
	show(laptop, "GET", "/devices", "")
	// Output:
	// 200 welcome
	// 200 welcome
	// 200 2 devices
	// 200 1 signed out
	// 200 1 devices
}

// show sends a form and prints the response.
func show(browser *http.Client, method, path, form string) {
	request, err := http.NewRequestWithContext(context.Background(), method, sessiontest.Origin+path, strings.NewReader(form))
	if err != nil {
		log.Print(err)
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := browser.Do(request)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Print(err)
	}
	fmt.Print(response.StatusCode, " ", string(body))
}
