package sessions_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// patience is how long tests wait for what must happen.
const patience = 10 * time.Second

// result is what a handler found out after its time had run out.
type result struct {
	count       int
	save, write error
}

// outlive changes the session, waits until its time has run out and the response is sent, and changes it again.
func outlive(results chan<- result, save bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		increment(r)
		<-r.Context().Done()
		time.Sleep(time.Second)
		out := result{count: increment(r)}
		if save {
			out.save = sessions.Get(r).Save(r.Context())
		}
		_, out.write = io.WriteString(w, "late")
		results <- out
	}
}

// TestTimeoutInside has the time of a handler run out within the sessions: the response of TimeoutHandler carries the cookie,
// and what the handler changes after that is saved if it calls Save.
func TestTimeoutInside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, results := newManager(t, "session"), make(chan result, 1)
		browser := sessiontest.Browser(sessiontest.Handler(counter(m, map[string]http.HandlerFunc{
			"/slow": http.TimeoutHandler(outlive(results, true), time.Second, "too slow").ServeHTTP,
		})))
		for _, want := range []int{2, 4} {
			status, body, cookies := visit(t, browser, http.MethodGet, "/slow")
			if status != http.StatusServiceUnavailable || body != "too slow" || (len(cookies) > 0) != (want == 2) {
				t.Errorf("answer is %d %q with cookies %q", status, body, cookies)
			}
			if got := <-results; got.count != want || got.save != nil || !errors.Is(got.write, http.ErrHandlerTimeout) {
				t.Errorf("after the timeout the handler gets %+v, want the count %d", got, want)
			}
			if _, body, _ := visit(t, browser, http.MethodGet, "/read"); body != strconv.Itoa(want) {
				t.Errorf("the session holds %q, want %d", body, want)
			}
		}
	})
}

// TestTimeoutOutside has the time of the sessions run out: a known session is saved all the same, when the handler returns.
func TestTimeoutOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := make(chan result, 1)
		h := counter(newManager(t, "session"), map[string]http.HandlerFunc{"/slow": outlive(results, false)})
		browser := sessiontest.Browser(sessiontest.Handler(http.TimeoutHandler(h, time.Second, "too slow")))
		visit(t, browser, http.MethodGet, "/count")
		status, body, _ := visit(t, browser, http.MethodGet, "/slow")
		if status != http.StatusServiceUnavailable || body != "too slow" {
			t.Errorf("answer is %d %q", status, body)
		}
		if got := <-results; got.count != 3 || got.save != nil || !errors.Is(got.write, http.ErrHandlerTimeout) {
			t.Errorf("after the timeout the handler gets %+v, want the count 3", got)
		}
		synctest.Wait()
		if _, body, _ := visit(t, browser, http.MethodGet, "/read"); body != "3" {
			t.Errorf("the session holds %q, want 3", body)
		}
	})
}

// TestTimeoutInTime has handlers that are in time, under a TimeoutHandler inside and outside the sessions, whose writer has a
// header of its own: the cookie is set once, with and without Commit, and beside another cookie.
func TestTimeoutInTime(t *testing.T) {
	t.Parallel()
	session := sessions.New(quiet(sessions.Options{}))
	for _, commit := range []bool{false, true} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "other", Value: "1", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
			n := increment(r)
			if commit {
				if err := sessions.Commit(w, r); err != nil {
					t.Error(err)
				}
				increment(r)
			}
			_, _ = fmt.Fprint(w, n)
		})
		for name, chain := range map[string]http.Handler{
			"inside": session(http.TimeoutHandler(h, patience, "")), "outside": http.TimeoutHandler(session(h), patience, ""),
		} {
			res, body := get(t, serve(t, chain), "")
			if cookies := res.Header["Set-Cookie"]; body != "1" || len(cookies) != 2 {
				t.Errorf("%s, commit %v: answer is %q with cookies %q", name, commit, body, cookies)
			}
		}
	}
}

// TestTimeoutPanic shows that a panic that TimeoutHandler passes on saves nothing.
func TestTimeoutPanic(t *testing.T) {
	t.Parallel()
	session := sessions.Middleware(newManager(t, "session"))
	panics := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		increment(r)
		panic("handler")
	})
	url := serve(t, recovery(session(http.TimeoutHandler(panics, patience, ""))))
	if res, _ := get(t, url, ""); res.StatusCode != http.StatusInternalServerError || cookieOf(res) != "" {
		t.Errorf("answer is %d with cookie %q", res.StatusCode, cookieOf(res))
	}
}

// TestNobodyGetsTheCookie has the time of a visitor's first request run out, outside of the sessions. No session stays that no
// cookie reaches.
func TestNobodyGetsTheCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(memstore.Options{})
		session := sessions.New(quiet(sessions.Options{Store: store}))
		h := session(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(time.Second) // The answer has been sent by then.
			count(w, r)
		}))
		browser := sessiontest.Browser(sessiontest.Handler(http.TimeoutHandler(h, time.Second, "too slow")))
		status, _, cookies := visit(t, browser, http.MethodGet, "/slow")
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if n := store.Len(); status != http.StatusServiceUnavailable || len(cookies) != 0 || n != 0 {
			t.Errorf("the answer is %d with cookies %q, and %d sessions are stored", status, cookies, n)
		}
	})
}
