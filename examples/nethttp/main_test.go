package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/demo"
)

// TestGateCloses lets time pass after a confirmation. No network is involved, which would stop the clock of the bubble.
func TestGateCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		browser := newBrowser(t)
		post(t, browser, "/signin", url.Values{"user": {"ada"}})
		post(t, browser, "/confirm", url.Values{"phrase": {demo.Passphrase}})
		for _, test := range []struct {
			wait time.Duration
			want string
		}{{0, "/devices"}, {5 * time.Minute, "/devices"}, {time.Millisecond, "/confirm?next=/devices"}, {time.Hour, "/confirm?next=/devices"}} {
			time.Sleep(test.wait)
			if _, got := post(t, browser, "/devices/revoke-others", nil); got != test.want {
				t.Errorf("after %v more: sent to %q, want %q", test.wait, got, test.want)
			}
		}
	})
}

// TestOperatorIsForgotten lets an operator do nothing for a while, and something all day.
func TestOperatorIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		browser := newBrowser(t)
		enter := func() { post(t, browser, "/operator", url.Values{"token": {token}}) }
		entered := func() bool {
			status, _ := post(t, browser, "/operator/end", nil)
			return status == http.StatusNotFound // no such session
		}
		enter()
		time.Sleep(15*time.Minute - time.Second)
		if !entered() {
			t.Error("the operator is out before 15 minutes")
		}
		time.Sleep(15 * time.Minute)
		if entered() {
			t.Error("the operator is in after 15 minutes without use")
		}
		enter()
		for range 8*6 - 1 {
			time.Sleep(10 * time.Minute)
			if !entered() {
				t.Fatal("the operator is out in spite of use")
			}
		}
		time.Sleep(10 * time.Minute)
		if entered() {
			t.Error("the operator is in after eight hours")
		}
	})
}

// TestOperatorTries guesses. No guess is right while the tries are used up, and who has entered stays in.
func TestOperatorTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		browser := newBrowser(t)
		enter := func(guess string, want int) {
			t.Helper()
			if status, _ := post(t, browser, "/operator", url.Values{"token": {guess}}); status != want {
				t.Errorf("entering %q: status %d, want %d", guess, status, want)
			}
		}
		enter(token, http.StatusSeeOther)
		for range 9 {
			enter("wrong", http.StatusForbidden)
		}
		enter("wrong", http.StatusTooManyRequests)
		enter(token, http.StatusTooManyRequests)
		if status, _ := post(t, browser, "/operator/end", nil); status != http.StatusNotFound {
			t.Errorf("ending no session: status %d, want 404: the operator is in", status)
		}
		time.Sleep(3 * time.Second)
		enter("wrong", http.StatusForbidden)
		enter("wrong", http.StatusTooManyRequests)
	})
}

const token = "correct-horse-battery"

// newBrowser returns a browser of the program's handlers, which end with the test.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	store := memstore.New(memstore.Options{})
	shared, err := demo.New(demo.Config{
		Framework: "net/http", Store: store, StoreTimeout: time.Second, OperatorToken: token, Done: t.Context().Done(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server, m, err := mount(shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, err := range []error{m.Close(ctx), shared.Close(ctx), store.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	browser := sessiontest.Browser(sessiontest.Handler(server.(*http.Server).Handler))
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return browser
}

// post sends a form and returns the status, and where the response leads.
func post(t *testing.T, browser *http.Client, path string, form url.Values) (status int, location string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sessiontest.Origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res.StatusCode, res.Header.Get("Location")
}
