package sessions_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/timeout"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// site is an application whose store and events can be looked at.
type site struct {
	*fiber.App
	store   *memstore.Store
	manager *sessions.Manager

	mu     sync.Mutex
	events []sessions.EventKind
}

// newSite returns an application with the routes /count and /read. The handlers in front are mounted outside of the
// sessions.
func newSite(t *testing.T, front ...any) *site {
	t.Helper()
	x := &site{App: newApp(nil), store: memstore.New(memstore.Options{})}
	m, err := sessions.NewManager(quiet(sessions.Options{Store: x.store, OnEvent: x.note}))
	if err != nil {
		t.Fatal(err)
	}
	x.manager = m
	if len(front) > 0 {
		x.Use(front...)
	}
	x.Use(sessions.Middleware(m))
	x.Get("/count", count)
	x.Get("/read", read)
	return x
}

func (x *site) note(e sessions.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, e.Kind)
}

// sawLate waits for the event of a change that came too late.
func (x *site) sawLate(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		x.mu.Lock()
		late := slices.Contains(x.events, sessions.EventLate)
		x.mu.Unlock()
		if late {
			return
		}
		if time.Now().After(deadline) {
			t.Error("there was no event of a late change")
			return
		}
	}
}

func (x *site) wantRecords(t *testing.T, want int) {
	t.Helper()
	if n := x.store.Len(); n != want {
		t.Errorf("there are %d records, want %d", n, want)
	}
}

// visitor starts a session and returns its cookie.
func visitor(t *testing.T, url string) string {
	t.Helper()
	res, _ := get(t, url+"/count", "")
	if cookie := cookieOf(res); cookie != "" {
		return cookie
	}
	t.Fatal("the visitor got no cookie")
	return ""
}

// limit is the timeout of handlers that exceed it.
const limit = 250 * time.Millisecond

// TestTimeoutWithinTheSessions lets a handler exceed the limit of Fiber's timeout middleware, which answers in its place.
// A new session is not stored, as that answer has no cookie; the changes of a known one are saved.
func TestTimeoutWithinTheSessions(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]timeout.Config{
		"default": {},
		"own answer": {OnTimeout: func(c fiber.Ctx) error {
			return c.Status(http.StatusRequestTimeout).SendString("own")
		}},
		"own error": {OnTimeout: func(fiber.Ctx) error { return fiber.ErrRequestTimeout }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answered, ended := make(chan bool), make(chan error, 1)
			x := newSite(t)
			config.Timeout = limit
			x.Get("/slow", timeout.New(func(c fiber.Ctx) error {
				s := sessions.Get(c)
				visits.Update(s, func(n int) int { return n + 1 })
				<-answered
				ended <- visits.Set(s, 100)
				return nil
			}, config))
			url := serve(t, x.App)

			res, _ := get(t, url+"/slow", "")
			answered <- true
			if res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
				t.Errorf("a new session: %d with cookie %q", res.StatusCode, cookieOf(res))
			}
			if err := <-ended; !errors.Is(err, sessions.ErrLate) {
				t.Errorf("a change after the answer returned %v, want ErrLate", err)
			}
			x.wantRecords(t, 0)
			x.sawLate(t)

			cookie := visitor(t, url)
			res, _ = get(t, url+"/slow", cookie)
			answered <- true
			if res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
				t.Errorf("a known session: %d with cookie %q", res.StatusCode, cookieOf(res))
			}
			if err := <-ended; err != nil {
				t.Error(err) // Only Save would save the change.
			}
			if _, body := get(t, url+"/read", cookie); body != "2" {
				t.Errorf("the known session holds %q, want 2", body)
			}
			x.wantRecords(t, 1)
		})
	}
}

// TestTimeoutThatIsNotReached has handlers that return in time, with the timeout middleware on either side of the sessions.
func TestTimeoutThatIsNotReached(t *testing.T) {
	t.Parallel()
	config := timeout.Config{Timeout: time.Minute}
	for name, front := range map[string][]any{
		"within":  nil,
		"outside": {timeout.New(func(c fiber.Ctx) error { return c.Next() }, config)},
	} {
		x := newSite(t, front...)
		x.Get("/", timeout.New(count, config))
		x.Get("/fail", timeout.New(func(c fiber.Ctx) error {
			increment(c)
			return context.DeadlineExceeded // of something else
		}, config))
		url := serve(t, x.App)
		res, _ := get(t, url, "")
		if _, body := get(t, url, cookieOf(res)); body != "2" {
			t.Errorf("%s: the second answer is %q", name, body)
		}
		if res, _ := get(t, url+"/fail", ""); res.StatusCode != http.StatusRequestTimeout || cookieOf(res) == "" {
			t.Errorf("%s: a failure is %d with cookie %q", name, res.StatusCode, cookieOf(res))
		}
		x.wantRecords(t, 2)
	}
}

// TestTimeoutOutsideOfTheSessions lets a handler exceed the limit, which either gives up at that moment or goes on.
func TestTimeoutOutsideOfTheSessions(t *testing.T) {
	t.Parallel()
	limited := timeout.New(func(c fiber.Ctx) error { return c.Next() }, timeout.Config{Timeout: limit})
	front := func(c fiber.Ctx) error {
		if c.Path() != "/slow" { // A busy machine may take longer than the limit for any of the others.
			return c.Next()
		}
		return limited(c)
	}
	for name, goesOn := range map[string]bool{"gives up": false, "goes on": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answered := make(chan bool, 1)
			x := newSite(t, front)
			x.Get("/slow", func(c fiber.Ctx) error {
				increment(c)
				<-c.Context().Done()
				if !goesOn {
					return c.Context().Err()
				}
				<-answered
				return nil
			})
			url := serve(t, x.App)
			res, _ := get(t, url+"/slow", "")
			answered <- true
			if res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
				t.Errorf("a new session: %d with cookie %q", res.StatusCode, cookieOf(res))
			}
			x.sawLate(t)
			x.wantRecords(t, 0)
			if !goesOn {
				<-answered
			}
			cookie := visitor(t, url)
			res, _ = get(t, url+"/slow", cookie)
			answered <- true
			if res.StatusCode != http.StatusRequestTimeout {
				t.Errorf("a known session: %d", res.StatusCode)
			}
			eventually(t, url+"/read", cookie, "2")
		})
	}
}

// TestTimeoutAtTheMomentOfTheAnswer has handlers that return at the deadline as if nothing had happened, while the timeout
// middleware outside of the sessions is about to answer in their place.
func TestTimeoutAtTheMomentOfTheAnswer(t *testing.T) {
	t.Parallel()
	committed := make(chan bool)
	limited := timeout.New(func(c fiber.Ctx) error {
		err := c.Next()
		committed <- true
		return err
	}, timeout.Config{Timeout: limit, OnTimeout: func(c fiber.Ctx) error {
		<-committed
		return c.SendStatus(http.StatusRequestTimeout)
	}})
	x := newSite(t, func(c fiber.Ctx) error {
		if c.Path() == "/new" || c.Path() == "/login" {
			return limited(c)
		}
		return c.Next()
	})
	for range 40 {
		x.Use(func(c fiber.Ctx) error { return c.Next() })
	}
	x.Get("/new", func(c fiber.Ctx) error {
		<-c.Context().Done()
		return count(c)
	})
	x.Get("/login", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		<-c.Context().Done()
		return s.Login("user")
	})
	url := serve(t, x.App)
	cookie := visitor(t, url)
	for path, cookie := range map[string]string{"/new": "", "/login": cookie} {
		if res, _ := get(t, url+path, cookie); res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
			t.Errorf("%s: the answer is %d with cookie %q", path, res.StatusCode, cookieOf(res))
		}
	}
	x.sawLate(t)
	x.wantRecords(t, 1)
	if _, body := get(t, url+"/read", cookie); body != "1" {
		t.Errorf("after a login that nobody heard of the former cookie leads to %q, want 1", body)
	}
}

// TestContextsDerivedAfterTheDeadline derives a context from that of a request whose deadline has passed.
func TestContextsDerivedAfterTheDeadline(t *testing.T) {
	t.Parallel()
	x := newSite(t, timeout.New(func(c fiber.Ctx) error { return c.Next() }, timeout.Config{Timeout: limit}))
	derived := make(chan error, 1)
	x.Get("/", func(c fiber.Ctx) error {
		<-c.Context().Done()
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		derived <- ctx.Err()
		return nil
	})
	get(t, serve(t, x.App), "")
	if err := <-derived; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the derived context says %v", err)
	}
}

// TestDeadlineOutsideOfTheSessions has middleware that only puts a deadline on the request's context, behind a timeout that does
// not apply. It has no say in whether the session is saved.
func TestDeadlineOutsideOfTheSessions(t *testing.T) {
	t.Parallel()
	skipped := timeout.Config{Timeout: time.Minute, Next: func(fiber.Ctx) bool { return true }}
	x := newSite(t, timeout.New(func(c fiber.Ctx) error { return c.Next() }, skipped), func(c fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.Context(), time.Nanosecond)
		defer cancel()
		c.SetContext(ctx)
		return c.Next()
	})
	x.Get("/", func(c fiber.Ctx) error {
		<-c.Context().Done()
		return count(c)
	})
	url := serve(t, x.App)
	res, _ := get(t, url, "")
	if cookieOf(res) == "" {
		t.Error("the new session has no cookie")
	}
	x.wantRecords(t, 1)
}

// TestDeadlineWithinATimeout has a deadline that looks like that of the timeout middleware outside, which does not answer. The
// handler's answer must not be sent then: it lacks the cookie, and what tells caches that it depends on the session.
func TestDeadlineWithinATimeout(t *testing.T) {
	t.Parallel()
	x := newSite(t, timeout.New(func(c fiber.Ctx) error {
		if c.Path() != "/slow" {
			return c.Next()
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Nanosecond)
		defer cancel()
		c.SetContext(ctx)
		return c.Next()
	}, timeout.Config{Timeout: time.Minute}))
	x.Get("/slow", func(c fiber.Ctx) error {
		<-c.Context().Done()
		return count(c)
	})
	url := serve(t, x.App)
	if res, _ := get(t, url+"/slow", ""); res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
		t.Errorf("a new session: %d with cookie %q", res.StatusCode, cookieOf(res))
	}
	x.wantRecords(t, 0)
	x.sawLate(t)
	cookie := visitor(t, url)
	if res, body := get(t, url+"/slow", cookie); res.StatusCode != http.StatusRequestTimeout || body == "2" {
		t.Errorf("a known session: %d %q", res.StatusCode, body)
	}
	if _, body := get(t, url+"/read", cookie); body != "2" {
		t.Errorf("the known session holds %q, want 2", body)
	}
}

// raw sends a request on a connection of its own and returns all that comes back before the connection is closed.
func raw(t *testing.T, conn net.Conn, path, cookie string) string {
	t.Helper()
	defer func() { _ = conn.Close() }()
	request := "GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
	if cookie != "" {
		request += "Cookie: " + cookie + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	return string(answer)
}

// connect opens a connection to a server of these tests.
func connect(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// endings adds routes whose handlers change the session and end the response themselves.
func endings(x *site) {
	x.Get("/end", func(c fiber.Ctx) error {
		_ = count(c)
		return c.End()
	})
	x.Get("/committed", func(c fiber.Ctx) error {
		if err := errors.Join(count(c), sessions.Commit(c)); err != nil {
			return err
		}
		return c.End()
	})
	x.Get("/drop", func(c fiber.Ctx) error {
		_ = count(c)
		return c.Drop()
	})
}

// TestEnd has handlers that send the response themselves with c.End, ahead of the middleware. A new session is stored if
// Commit has put its cookie into the response, and not otherwise.
func TestEnd(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	endings(x)
	url := serve(t, x.App)
	checkEndings(t, x, func(path, cookie string) string { return raw(t, connect(t, url), path, cookie) })
	eventually(t, url+"/read", visitor(t, url), "1")
}

// TestEndOverTLS is TestEnd on connections that are wrapped.
func TestEndOverTLS(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	endings(x)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.StartTLS() // for its certificate
	defer server.Close()
	listener := tls.NewListener(listen(t), server.TLS)
	serveOn(t, x.App, listener)
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "example.com", nil
	checkEndings(t, x, func(path, cookie string) string {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return raw(t, conn, path, cookie)
	})
}

func checkEndings(t *testing.T, x *site, ask func(path, cookie string) string) {
	t.Helper()
	if answer := ask("/end", ""); !strings.HasSuffix(answer, "\r\n\r\n1") || strings.Contains(answer, "Set-Cookie") {
		t.Errorf("End without a commit: %q", answer)
	}
	if answer := ask("/drop", ""); answer != "" {
		t.Errorf("Drop: %q", answer)
	}
	x.sawLate(t)
	x.wantRecords(t, 0)
	answer := ask("/committed", "")
	if !strings.HasSuffix(answer, "\r\n\r\n1") || strings.Count(answer, "Set-Cookie: session=") != 1 {
		t.Errorf("End after a commit: %q", answer)
	}
	x.wantRecords(t, 1)
	_, cookie, _ := strings.Cut(answer, "Set-Cookie: ")
	cookie, _, _ = strings.Cut(cookie, ";")
	for _, path := range []string{"/end", "/drop", "/committed"} {
		ask(path, cookie)
	}
	// What a handler has changed that ended the response by itself is saved a moment later.
	for deadline := time.Now().Add(10 * time.Second); !strings.HasSuffix(ask("/read", cookie), "\r\n\r\n4"); {
		if time.Now().After(deadline) {
			t.Fatal("the changes of the known session were not saved")
		}
	}
	x.wantRecords(t, 1)
}

// TestEndWithALogin signs in and out in handlers that end the response by themselves. The login needs a cookie and is
// dropped, with all that was changed beside it; the session that there was goes on. The logout needs none.
func TestEndWithALogin(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/login", func(c fiber.Ctx) error {
		increment(c)
		return errors.Join(sessions.Get(c).Login("ann"), c.End())
	})
	x.Get("/logout", func(c fiber.Ctx) error {
		sessions.Get(c).Destroy()
		return c.End()
	})
	x.Get("/who", func(c fiber.Ctx) error { return c.SendString("subject " + sessions.Get(c).Subject()) })
	url := serve(t, x.App)
	cookie := visitor(t, url)
	raw(t, connect(t, url), "/login", cookie)
	x.sawLate(t)
	if _, body := get(t, url+"/who", cookie); body != "subject " {
		t.Errorf("after the login the subject is %q", body)
	}
	if _, body := get(t, url+"/read", cookie); body != "1" {
		t.Errorf("after the login the session holds %q, want 1", body)
	}
	raw(t, connect(t, url), "/logout", cookie)
	eventually(t, url+"/read", cookie, "0")
	x.wantRecords(t, 1) // The mark that the session leaves for a minute and a half.
	if list, _, err := x.manager.Page(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("the sessions are %v, %v, want none", list, err)
	}
}

// TestHijackThroughTheAdaptor has a net/http handler take over the connection, which leaves the response behind, and its
// cookie. A change on the connection of a known session is saved when that is closed.
func TestHijackThroughTheAdaptor(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/hijack", adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		add(r, 1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		add(r, 10)
		_ = conn.Close()
	}))
	url := serve(t, x.App)
	if answer := raw(t, connect(t, url), "/hijack", ""); !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		t.Errorf("a new session: %q", answer)
	}
	x.sawLate(t)
	x.wantRecords(t, 0)
	cookie := visitor(t, url)
	raw(t, connect(t, url), "/hijack", cookie)
	eventually(t, url+"/read", cookie, "12")
}

// TestUpgradeThatCannotBeSaved answers an upgrade with an error, after which the connection is not handed over.
func TestUpgradeThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	app.Get("/", func(c fiber.Ctx) error {
		increment(c)
		c.Status(fiber.StatusSwitchingProtocols)
		c.RequestCtx().Hijack(func(net.Conn) { t.Error("the connection has been handed over") })
		return nil
	})
	conn := connect(t, serve(t, app))
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(conn)
	for range 2 { // The application answers the second request, too, unless the connection has been handed over.
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if n := len(res.Cookies()); res.StatusCode != http.StatusServiceUnavailable || n != 0 {
			t.Errorf("the answer is %d with %d cookies", res.StatusCode, n)
		}
	}
}

// TestConnectionsThatDoNotTell ends a response in process, where a closed connection cannot be told from another.
func TestConnectionsThatDoNotTell(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	endings(x)
	res, err := x.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/committed", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if n := len(res.Cookies()); n != 1 {
		t.Errorf("there are %d cookies, want 1", n)
	}
}
