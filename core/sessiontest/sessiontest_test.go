package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
)

const hats = core.Key[int]("hats")

func signIn(s *core.Session) error { return s.Login("ann") }

func manager(t *testing.T, o core.Options) *core.Manager {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	m, err := core.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a bubble would wait for the purge
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return m
}

// recorder takes the place of a test, so that its failure can be looked at instead of failing.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Fatal(args ...any) {
	r.failure = fmt.Sprint(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

// failure returns what a helper has to say when it ends the test, "" if it does not.
func failure(t *testing.T, helper func(tb testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		helper(r)
	}()
	<-done
	return r.failure
}

func TestCookieAndRead(t *testing.T) {
	t.Parallel()
	m := manager(t, core.Options{Cookie: core.Cookie{Name: "__Host-seat", SameSite: core.SameSiteStrict}})
	cookie := sessiontest.Cookie(t, m, func(s *core.Session) error {
		return errors.Join(s.LoginWith("ann", core.Auth{Methods: []string{"pwd"}, Level: 1}), hats.Set(s, 3), s.Set("café", "ü"))
	})
	header := cookie.String()
	if !strings.HasPrefix(header, "__Host-seat="+cookie.Value+"; Path=/; Max-Age=2592000; ") || !strings.HasSuffix(header, "; HttpOnly; Secure; SameSite=Strict") {
		t.Error("the cookie is not as the manager sets it")
	}
	s := sessiontest.Read(t, m, cookie)
	var word string
	if s.IsNew() || s.Subject() != "ann" || hats.Get(s) != 3 || !s.Get("café", &word) || word != "ü" || s.Auth().Level != 1 {
		t.Errorf("read: new %v, subject %q, keys %v, auth %v", s.IsNew(), s.Subject(), s.Keys(), s.Auth())
	}
	infos, err := m.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 || infos[0].ID != s.ID() {
		t.Errorf("List = %v, %v, want the one session", infos, err)
	}
}

func TestAnonymousCookie(t *testing.T) {
	t.Parallel()
	m := manager(t, core.Options{})
	cookie := sessiontest.Cookie(t, m, func(s *core.Session) error { return hats.Set(s, 1) })
	if s := sessiontest.Read(t, m, cookie); s.Subject() != "" || hats.Get(s) != 1 {
		t.Errorf("subject %q, %d hats", s.Subject(), hats.Get(s))
	}
}

// received returns a cookie as a request or a response has it.
func received(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func TestReadOfNothing(t *testing.T) {
	t.Parallel()
	m := manager(t, core.Options{})
	other := manager(t, core.Options{Cookie: core.Cookie{Name: "other"}})
	cookie := sessiontest.Cookie(t, m, signIn)
	gone := sessiontest.Cookie(t, m, signIn)
	if err := m.Revoke(t.Context(), "ann", sessiontest.Read(t, m, gone).ID()); err != nil {
		t.Fatal(err)
	}
	for name, cookies := range map[string][]*http.Cookie{
		"nothing":                   nil,
		"another cookie":            {received("theme", "dark")},
		"another manager's cookie":  {sessiontest.Cookie(t, other, signIn)},
		"an unknown token":          {received(cookie.Name, strings.Repeat("A", len(cookie.Value)))},
		"a session that has ended":  {gone},
		"a cookie that was removed": {received(cookie.Name, "")},
	} {
		if s := sessiontest.Read(t, m, cookies...); !s.IsNew() || s.Subject() != "" {
			t.Errorf("%s: new %v, subject %q, want a new session", name, s.IsNew(), s.Subject())
		}
	}
	if s := sessiontest.Read(t, m, received("theme", "dark"), cookie); s.IsNew() {
		t.Error("among other cookies the session was not found")
	}
}

// TestReadIsNotUse makes sure that looking at a session writes nothing and prolongs nothing.
func TestReadIsNotUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := sessiontest.NewStore(nil)
		m := manager(t, core.Options{Store: store, Expiry: time.Hour})
		cookie := sessiontest.Cookie(t, m, signIn)
		for range 59 {
			time.Sleep(time.Minute)
			if sessiontest.Read(t, m, cookie).IsNew() {
				t.Fatal("the session has ended before its time")
			}
		}
		if n := store.Calls(sessiontest.Save, sessiontest.Touch); n != 1 {
			t.Errorf("%d writes, want that of the beginning", n)
		}
		time.Sleep(time.Minute)
		if !sessiontest.Read(t, m, cookie).IsNew() {
			t.Error("reading has prolonged the session")
		}
	})
}

// TestReadShowsWhatIsStored has another request change the session between two reads.
func TestReadShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	m := manager(t, core.Options{})
	cookie := sessiontest.Cookie(t, m, func(s *core.Session) error { return hats.Set(s, 1) })
	s := sessiontest.Read(t, m, cookie)
	hats.Update(s, func(n int) int { return n + 1 })
	if n := hats.Get(sessiontest.Read(t, m, cookie)); n != 1 {
		t.Errorf("%d hats before the save, want 1", n)
	}
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := hats.Get(sessiontest.Read(t, m, cookie)); n != 2 {
		t.Errorf("%d hats after the save, want 2", n)
	}
}

func TestHelpersEndTheTest(t *testing.T) {
	t.Parallel()
	broken := sessiontest.NewStore(nil)
	m, down := manager(t, core.Options{}), manager(t, core.Options{Store: broken})
	cookie := sessiontest.Cookie(t, down, signIn)
	broken.Fail(sessiontest.Fault{})
	for want, helper := range map[string]func(tb testing.TB){
		"Login needs a subject": func(tb testing.TB) {
			tb.Helper()
			sessiontest.Cookie(tb, m, func(s *core.Session) error { return s.Login("") })
		},
		"stored nothing": func(tb testing.TB) {
			tb.Helper()
			sessiontest.Cookie(tb, m, func(*core.Session) error { return nil })
		},
		"stored nothing, so": func(tb testing.TB) {
			tb.Helper()
			sessiontest.Cookie(tb, m, func(s *core.Session) error { s.Destroy(); return nil })
		},
		"making a session: sessions: store failed": func(tb testing.TB) {
			tb.Helper()
			sessiontest.Cookie(tb, down, signIn)
		},
		"reading a session: sessions: store failed": func(tb testing.TB) {
			tb.Helper()
			sessiontest.Read(tb, down, cookie)
		},
	} {
		if got := failure(t, helper); !strings.Contains(got, want) || strings.Contains(got, cookie.Value) {
			t.Errorf("the test ended with %q, want %q", got, want)
		}
	}
	if got := failure(t, func(tb testing.TB) { tb.Helper(); sessiontest.Cookie(tb, m, signIn) }); got != "" {
		t.Errorf("the test ended with %q", got)
	}
}

// handler is an application on net/http: it counts hats, and answers where it was asked.
func handler(m *core.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hats", func(w http.ResponseWriter, r *http.Request) {
		var sc core.Scope
		if sc.Open(r.Context(), nil, m, nil, r.Header["Cookie"]...) != nil {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		n := hats.Update(sc.Get(), func(n int) int { return n + 1 })
		reply, err := sc.CommitHeader()
		if err != nil {
			http.Error(w, "", core.StatusCode(err))
			return
		}
		reply.Apply(w.Header())
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%d %s %s %s %s", n, r.Host, r.RequestURI, r.RemoteAddr, body) //nolint:gosec // no browser shows it
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/hats?again", http.StatusSeeOther)
	})
	return mux
}

func visit(t *testing.T, browser *http.Client, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
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
	return string(text)
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	app := sessiontest.Handler(handler(manager(t, core.Options{})))
	browser, other := sessiontest.Browser(app), sessiontest.Browser(app)
	for _, step := range []struct {
		browser            *http.Client
		method, path, body string
		want               string
	}{
		{browser, http.MethodGet, "/hats", "", "1 app.test /hats 192.0.2.1:1234 "},
		{browser, http.MethodPost, "/hats?x=1", "body", "2 app.test /hats?x=1 192.0.2.1:1234 body"},
		{other, http.MethodGet, "/hats", "", "1 app.test /hats 192.0.2.1:1234 "},
		{browser, http.MethodPost, "/elsewhere", "body", "3 app.test /hats?again 192.0.2.1:1234 "},
	} {
		if got := visit(t, step.browser, step.method, sessiontest.Origin+step.path, step.body); got != step.want {
			t.Errorf("%s %s = %q, want %q", step.method, step.path, got, step.want)
		}
	}
}

// TestResponseKnowsItsRequest follows a redirect: only the last request tells where the response comes from.
func TestResponseKnowsItsRequest(t *testing.T) {
	t.Parallel()
	browser := sessiontest.Browser(sessiontest.Handler(handler(manager(t, core.Options{}))))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sessiontest.Origin, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.Request == nil || response.Request.URL.String() != sessiontest.Origin+"/hats?again" {
		t.Errorf("the response belongs to %+v", response.Request)
	}
}

// TestBrowserBeginsWithCookies also has a cookie that is for a domain and a path.
func TestBrowserBeginsWithCookies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ domain, path, origin string }{
		{"", "/", sessiontest.Origin},
		{"", "/hats", sessiontest.Origin},
		{"example.com", "/", "https://example.com"},
		{"example.com", "/", "https://www.example.com"},
	} {
		m := manager(t, core.Options{Cookie: core.Cookie{Domain: c.domain, Path: c.path}})
		cookie := sessiontest.Cookie(t, m, func(s *core.Session) error { return hats.Set(s, 6) })
		browser := sessiontest.Browser(sessiontest.Handler(handler(m)), cookie)
		if got := visit(t, browser, http.MethodGet, c.origin+"/hats", ""); !strings.HasPrefix(got, "7 ") {
			t.Errorf("%+v: %q, want 7 hats", c, got)
		}
	}
}

// TestBrowserForgets makes sure that a cookie's time passes in a bubble for the browser too.
func TestBrowserForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, core.Options{Expiry: time.Hour})
		sent := 0
		app := handler(m)
		browser := sessiontest.Browser(sessiontest.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent += len(r.Cookies())
			app.ServeHTTP(w, r)
		})))
		visit(t, browser, http.MethodGet, sessiontest.Origin+"/hats", "")
		time.Sleep(time.Hour)
		visit(t, browser, http.MethodGet, sessiontest.Origin+"/hats", "")
		if sent != 0 {
			t.Error("the browser has sent a cookie whose time was over")
		}
	})
}

func TestRoundTripLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	app := sessiontest.RoundTrip(func(r *http.Request) (*http.Response, error) {
		seen = r
		r.Header.Set("X", "y")
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	request := &http.Request{Method: http.MethodGet, Header: http.Header{}}
	response, err := app.RoundTrip(request.WithContext(context.WithValue(t.Context(), hats, 1)))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if request.Body != nil || len(request.Header) != 0 {
		t.Errorf("the client's request was changed: %+v", request)
	}
	if seen.Body == nil || seen.Context().Value(hats) != 1 {
		t.Error("the application's request has no body or another context")
	}
}
