package sessions_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// An application's own cookies: one of the session cookie's name that it had before, and one that is the session cookie.
const (
	cleanup = "session=; Domain=old.example; Max-Age=0; Path=/"
	rival   = "session=theirs; Path=/"
)

// browserSite serves handlers that differ in what the browser is sent.
func browserSite(t *testing.T, m *sessions.Manager) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		setOthers(w)
		read(w, r)
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		setOthers(w)
		count(w, r)
	})
	mux.HandleFunc("/renewed", func(w http.ResponseWriter, r *http.Request) {
		setOthers(w)
		if err := errors.Join(sessions.Get(r).Renew(), sessions.Commit(w, r)); err != nil {
			t.Error(err)
		}
		count(w, r)
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		setOthers(w)
		sessions.Get(r).Destroy()
	})
	mux.HandleFunc("/refused", func(w http.ResponseWriter, r *http.Request) {
		revoke(t, m, sessions.Get(r)) //nolint:contextcheck // An operator does it.
		if err := sessions.Get(r).Login("ann"); err != nil {
			t.Error(err)
		}
		w.Header().Set("Etag", "handler")
		_, _ = io.WriteString(w, "handler")
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) {
		revoke(t, m, sessions.Get(r)) //nolint:contextcheck // An operator does it.
		increment(r)
		w.WriteHeader(core.StatusCode(sessions.Commit(w, r)))
	})
	return serve(t, sessions.Middleware(m)(mux))
}

func setOthers(w http.ResponseWriter) {
	w.Header().Add("Set-Cookie", cleanup)
	w.Header().Add("Set-Cookie", rival)
}

// revoke ends the session from outside, while its request is under way.
func revoke(t *testing.T, m *sessions.Manager, s *sessions.Session) {
	t.Helper()
	if err := m.RevokeByID(t.Context(), s.ID()); err != nil {
		t.Error(err)
	}
}

// browse sends a request with these fields and reads its answer.
func browse(t *testing.T, method, url string, fields map[string]string) (head *answer, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header}, string(text)
}

// TestOtherCookies shows that the application's cookie for another domain passes beside ours, which is sent once, and that
// the former cookies are removed with each of ours and not otherwise.
func TestOtherCookies(t *testing.T) {
	t.Parallel()
	m, err := sessions.NewManager(quiet(sessions.Options{
		FormerCookies: []sessions.FormerCookie{{Name: "sid"}, {Domain: "former.example", Path: "/app"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	const removed = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
	former := []string{"sid=; Path=/; " + removed, "session=; Path=/app; Domain=former.example; " + removed}
	url := browserSite(t, m)
	cookie := ""
	for _, step := range []struct{ path, ours string }{
		{"/read", ""},
		{"/count", "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		{"/read", ""},
		{"/renewed", "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		{"/out", "=; Path=/; " + removed},
	} {
		res, _ := get(t, url+step.path, cookie)
		lines := slices.Clone(res.Header["Set-Cookie"])
		want := []string{cleanup, rival}
		if step.ours != "" {
			want = append([]string{cleanup}, former...)
			i := slices.IndexFunc(lines, func(line string) bool {
				return strings.HasPrefix(line, "session=") && strings.HasSuffix(line, step.ours) && !slices.Contains(former, line)
			})
			if i < 0 {
				t.Fatalf("%s: Set-Cookie is %q, without ours", step.path, lines)
			}
			cookie, _, _ = strings.Cut(lines[i], ";")
			lines = slices.Delete(lines, i, i+1)
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("%s: beside ours Set-Cookie is %q, want %q", step.path, lines, want)
		}
	}
}

// TestKeptBack has another site cause requests. Where the browser keeps the cookie back, no session starts.
func TestKeptBack(t *testing.T) {
	t.Parallel()
	url := browserSite(t, newManager(t, "session"))
	for _, tc := range []struct {
		method, site, mode, dest string
		starts                   bool
	}{
		{http.MethodGet, "", "", "", true},
		{http.MethodPost, "", "", "", true},
		{http.MethodPost, "same-origin", "cors", "empty", true},
		{http.MethodPost, "same-site", "navigate", "document", true},
		{http.MethodGet, "cross-site", "navigate", "document", true},
		{http.MethodHead, "cross-site", "navigate", "document", true},
		{http.MethodGet, "cross-site", "navigate", "iframe", false},
		{http.MethodGet, "cross-site", "no-cors", "image", false},
		{http.MethodPost, "cross-site", "navigate", "document", false},
	} {
		fields := map[string]string{}
		for name, value := range map[string]string{"Site": tc.site, "Mode": tc.mode, "Dest": tc.dest} {
			if value != "" {
				fields["Sec-Fetch-"+name] = value
			}
		}
		res, body := browse(t, tc.method, url+"/count", fields)
		if got := len(res.Header["Set-Cookie"]) == 2 && res.Header["Set-Cookie"][1] != rival; got != tc.starts {
			t.Errorf("%+v: Set-Cookie is %q", tc, res.Header["Set-Cookie"])
		}
		if res.StatusCode != http.StatusOK || body != "1" && tc.method != http.MethodHead {
			t.Errorf("%+v: the answer is %d %q, want 200 and 1", tc, res.StatusCode, body)
		}
	}
}

// TestRevokedMeanwhile revokes a session while its request signs in: the login is refused with the status 409, and nothing
// of the handler's response goes out. So does a handler that answers the error of Commit.
func TestRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/refused", "/gone"} {
		m := newManager(t, "session")
		c := sessiontest.Cookie(t, m, func(s *sessions.Session) error { return visits.Set(s, 1) })
		res, body := get(t, browserSite(t, m)+path, c.Name+"="+c.Value)
		if res.StatusCode != http.StatusConflict || strings.Contains(body, "handler") {
			t.Errorf("%s: the answer is %d %q, want 409 without the handler's text", path, res.StatusCode, body)
		}
		if got := res.Header["Set-Cookie"]; got != nil {
			t.Errorf("%s: Set-Cookie is %q, want none", path, got)
		}
		if got := res.Header.Get("Etag"); got != "" {
			t.Errorf("%s: Etag is %q, want none", path, got)
		}
	}
}
