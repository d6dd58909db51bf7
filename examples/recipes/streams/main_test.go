package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// site is the application in a bubble of synctest, where time passes at once.
type site struct {
	t       *testing.T
	app     *app
	store   *sessiontest.Store
	handler http.Handler
	cookie  *http.Cookie // of a browser that ada is signed in with
}

const every = 10 * time.Second

func inBubble(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := options()
		store := sessiontest.NewStore(nil)
		o.Store = store
		m, err := sessions.NewManager(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close(t.Context()) }()
		stopping := make(chan struct{})
		s := &site{t: t, app: &app{sessions: m, every: every, stopping: stopping}, store: store}
		s.handler = s.app.handler()
		s.cookie = sessiontest.Cookie(t, m, func(s *sessions.Session) error { return s.Login("ada") })
		test(t, s)
		close(stopping) // ends what still streams
		synctest.Wait()
	})
}

// answer is the answer to a request, as far as it has come.
type answer struct {
	mu     sync.Mutex
	header http.Header
	status int
	body   strings.Builder
	ended  bool
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
func (a *answer) Flush()                 {}
func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.body.Write(p)
}

func (a *answer) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.body.String()
}

func (a *answer) end() { a.mu.Lock(); defer a.mu.Unlock(); a.ended = true }

func (a *answer) open() bool { a.mu.Lock(); defer a.mu.Unlock(); return !a.ended }

// send sends a request with ada's cookie, and returns when nothing happens any more.
func (s *site) send(method, path string) *answer {
	s.t.Helper()
	a := &answer{header: http.Header{}}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, http.NoBody)
	r.AddCookie(s.cookie)
	go func() {
		defer a.end()
		s.handler.ServeHTTP(a, r)
	}()
	synctest.Wait()
	return a
}

// TestStreamEndsWithTheSession ends a session in every way and looks at the stream one check later.
func TestStreamEndsWithTheSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *site){
		"Logout": func(_ *testing.T, s *site) { s.send(http.MethodPost, "/logout") },
		"Revocation": func(t *testing.T, s *site) {
			t.Helper()
			if _, err := s.app.sessions.RevokeAll(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
		},
		"IdleTimeout": func(*testing.T, *site) { time.Sleep(options().Expiry - 2*every) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *site) {
				t.Helper()
				stream := s.send(http.MethodGet, "/news")
				time.Sleep(every)
				synctest.Wait()
				if !stream.open() || !strings.Contains(stream.text(), "data: ada at ") {
					t.Fatalf("before the end: open is %t, text is %q", stream.open(), stream.text())
				}
				end(t, s)
				time.Sleep(every)
				synctest.Wait()
				if stream.open() || !strings.HasSuffix(stream.text(), "event: end\ndata:\n\n") {
					t.Errorf("open is %t, and the text ends with %q", stream.open(), lastOf(stream))
				}
			})
		})
	}
}

func lastOf(a *answer) string {
	text := a.text()
	return text[max(0, len(text)-60):]
}

// TestReconnectsAreNoUse connects again and again, as a browser does whose connection is cut.
func TestReconnectsAreNoUse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *site) {
		t.Helper()
		for range 4 {
			s.send(http.MethodGet, "/news")
			s.send(http.MethodGet, "/me")
			time.Sleep(10 * time.Minute)
		}
		if last := s.send(http.MethodGet, "/news"); last.open() || last.status != http.StatusNoContent {
			t.Errorf("after 40 minutes without a user: open is %t, status %d, want 204", last.open(), last.status)
		}
	})
}

// TestAnotherTabKeepsTheStream uses the session in another tab, which is use.
func TestAnotherTabKeepsTheStream(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *site) {
		t.Helper()
		stream := s.send(http.MethodGet, "/news")
		for range 9 {
			time.Sleep(20 * time.Minute)
			if err := sessiontest.Read(t, s.app.sessions, s.cookie).KeepAlive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !stream.open() {
			t.Errorf("the stream has ended after %q", lastOf(stream))
		}
	})
}

// TestOutageSendsNothing lets the store fail: the stream stays and says nothing about the user.
func TestOutageSendsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *site) {
		t.Helper()
		stream := s.send(http.MethodGet, "/news")
		s.store.Fail(sessiontest.Fault{})
		time.Sleep(every)
		synctest.Wait()
		if !stream.open() || strings.Contains(stream.text(), "ada") || !strings.Contains(stream.text(), ": please wait") {
			t.Errorf("while the store fails: open is %t, text is %q", stream.open(), stream.text())
		}
		s.store.Heal()
		time.Sleep(every)
		synctest.Wait()
		if !stream.open() || !strings.Contains(stream.text(), "data: ada at ") {
			t.Errorf("afterwards: open is %t, text is %q", stream.open(), stream.text())
		}
	})
}

// TestRenewalEndsTheStream lets another tab get a new secret: when the grace of the old one is over, the stream ends as
// if the session had, and the page connects again with the new cookie.
func TestRenewalEndsTheStream(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *site) {
		t.Helper()
		stream := s.send(http.MethodGet, "/news")
		time.Sleep(options().RenewEvery)
		page := s.send(http.MethodGet, "/")
		renewed := (&http.Response{Header: page.header}).Cookies()
		if len(renewed) != 1 {
			t.Fatalf("%d cookies after %v", len(renewed), options().RenewEvery)
		}
		s.cookie = renewed[0]
		s.send(http.MethodGet, "/me")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if stream.open() {
			t.Error("the stream still holds the old secret")
		}
		again := s.send(http.MethodGet, "/news")
		time.Sleep(every)
		synctest.Wait()
		if !again.open() || !strings.Contains(again.text(), "data: ada at ") {
			t.Errorf("with the new cookie: open is %t, status %d, text is %q", again.open(), again.status, again.text())
		}
	})
}
