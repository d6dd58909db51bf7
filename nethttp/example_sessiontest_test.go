package sessions_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const coats = sessions.Key[int]("coats")

// newWardrobe is the application under test.
func newWardrobe(m *sessions.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Get(r).Login("ann"); err != nil {
			http.Error(w, "the login failed", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/coats", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /coats", signedIn(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(coats.Get(sessions.Get(r))))
	}))
	mux.HandleFunc("POST /coats", signedIn(func(w http.ResponseWriter, r *http.Request) {
		coats.Update(sessions.Get(r), func(n int) int { return n + 1 })
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /logout", signedIn(func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r).Destroy()
		w.WriteHeader(http.StatusNoContent)
	}))
	return sessions.Middleware(m)(mux)
}

// signedIn returns next for users who have signed in, and 401 for others.
func signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if sessions.Get(r).Subject() == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

// wardrobe returns the application with a manager of its own on this store; nil is one in memory.
func wardrobe(t *testing.T, store sessions.Store) (*sessions.Manager, sessiontest.RoundTrip) {
	t.Helper()
	m, err := sessions.NewManager(sessions.Options{
		Store:  store,
		Expiry: time.Hour,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, sessiontest.Handler(newWardrobe(m))
}

// visit sends a request and returns the status, the body and the cookies of the response.
func visit(t *testing.T, browser *http.Client, method, path string) (status int, body string, cookies []*http.Cookie) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, sessiontest.Origin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Cookies()
}

// A browser signs in, and is led to a page that is there for who has signed in.
func TestWardrobeLogin(t *testing.T) {
	t.Parallel()
	_, app := wardrobe(t, nil)
	browser := sessiontest.Browser(app)
	if status, _, _ := visit(t, browser, http.MethodGet, "/coats"); status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", status)
	}
	if status, body, _ := visit(t, browser, http.MethodPost, "/login"); status != http.StatusOK || body != "0" {
		t.Errorf("after the login: %d %q", status, body)
	}
	if status, _, _ := visit(t, sessiontest.Browser(app), http.MethodGet, "/coats"); status != http.StatusUnauthorized {
		t.Errorf("in another browser: %d", status)
	}
}

// A session made for the test spares the way to it, and is looked at behind the application's back.
func TestWardrobeCoats(t *testing.T) {
	t.Parallel()
	m, app := wardrobe(t, nil)
	cookie := sessiontest.Cookie(t, m, func(s *sessions.Session) error {
		return errors.Join(s.Login("ann"), coats.Set(s, 2))
	})
	browser := sessiontest.Browser(app, cookie)
	if status, _, _ := visit(t, browser, http.MethodPost, "/coats"); status != http.StatusNoContent {
		t.Errorf("handing in a coat: %d", status)
	}
	if n := coats.Get(sessiontest.Read(t, m, cookie)); n != 3 {
		t.Errorf("%d coats are stored, want 3", n)
	}
	visit(t, browser, http.MethodPost, "/logout")
	if !sessiontest.Read(t, m, cookie).IsNew() {
		t.Error("the session outlived the logout")
	}
}

// Time passes at once within a bubble.
func TestWardrobeExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, app := wardrobe(t, nil)
		cookie := sessiontest.Cookie(t, m, func(s *sessions.Session) error { return s.Login("ann") })
		browser := sessiontest.Browser(app, cookie)
		for range 3 { // used every 50 minutes it lives on
			time.Sleep(50 * time.Minute)
			if status, _, _ := visit(t, browser, http.MethodGet, "/coats"); status != http.StatusOK {
				t.Fatalf("within the hour: %d", status)
			}
		}
		time.Sleep(time.Hour)
		if status, _, _ := visit(t, browser, http.MethodGet, "/coats"); status != http.StatusUnauthorized {
			t.Errorf("an hour later: %d", status)
		}
	})
}

// While the store is down nobody is taken for a stranger, and nobody has to sign in again afterwards.
func TestWardrobeStoreDown(t *testing.T) {
	t.Parallel()
	store := sessiontest.NewStore(nil)
	m, app := wardrobe(t, store)
	browser := sessiontest.Browser(app, sessiontest.Cookie(t, m, func(s *sessions.Session) error { return s.Login("ann") }))
	for _, fault := range []sessiontest.Fault{
		{},                     // everything fails
		{On: sessiontest.Save}, // reads still work
	} {
		store.Fail(fault)
		if status, _, cookies := visit(t, browser, http.MethodPost, "/coats"); status != http.StatusServiceUnavailable || len(cookies) != 0 {
			t.Errorf("%+v: %d with %d cookies, want 503 and none", fault, status, len(cookies))
		}
		store.Heal()
	}
	if status, body, _ := visit(t, browser, http.MethodGet, "/coats"); status != http.StatusOK || body != "0" {
		t.Errorf("after the outage: %d %q", status, body)
	}
}
