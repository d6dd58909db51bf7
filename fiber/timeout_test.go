package sessions_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/timeout"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// limit is the timeout of handlers that exceed it.
const limit = 250 * time.Millisecond

// TestTimeoutWithContext has handlers that give up at the deadline, with the timeout middleware on either side of the sessions.
// What they have changed is saved, and the answer has the cookie.
func TestTimeoutWithContext(t *testing.T) {
	t.Parallel()
	slow := func(c *fiber.Ctx) error {
		if c.Path() != "/slow" {
			return c.Next()
		}
		increment(c)
		<-c.UserContext().Done()
		return c.UserContext().Err()
	}
	next := func(c *fiber.Ctx) error { return c.Next() }
	for name, mount := range map[string]func(app *fiber.App, sessions fiber.Handler){
		"within": func(app *fiber.App, sessions fiber.Handler) {
			app.Use(sessions, timeout.NewWithContext(slow, limit))
		},
		"outside": func(app *fiber.App, sessions fiber.Handler) {
			app.Use(timeout.NewWithContext(next, limit), sessions, slow)
		},
	} {
		store := memstore.New(memstore.Options{})
		app := newApp(nil)
		mount(app, sessions.New(quiet(sessions.Options{Store: store})))
		app.Get("/read", read)
		url := serve(t, app)
		res, _ := get(t, url+"/slow", "")
		cookie := cookieOf(res)
		if res.StatusCode != http.StatusRequestTimeout || cookie == "" || store.Len() != 1 {
			t.Errorf("%s: the answer is %d with cookie %q and %d records", name, res.StatusCode, cookie, store.Len())
		}
		if _, body := get(t, url+"/read", cookie); body != "1" {
			t.Errorf("%s: the session holds %q, want 1", name, body)
		}
	}
}

// TestTimeoutWithinTheSessions has a handler that goes on when timeout.New has answered in its place. The session is saved as it
// was then, and the answer has the cookie.
func TestTimeoutWithinTheSessions(t *testing.T) {
	t.Parallel()
	store, answered, ended := memstore.New(memstore.Options{}), make(chan bool), make(chan error)
	changed := make(chan bool, 1) // so that the handler comes before the answer, also for the race detector
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Store: store})))
	app.Use("/slow", func(c *fiber.Ctx) error {
		err := c.Next()
		<-changed
		return err
	})
	app.Get("/slow", timeout.New(func(c *fiber.Ctx) error { //nolint:staticcheck // Applications use it.
		s := sessions.Get(c)
		visits.Update(s, func(n int) int { return n + 1 })
		changed <- true
		<-answered
		ended <- s.Renew()
		return nil
	}, limit))
	app.Get("/read", read)
	url := serve(t, app)
	res, _ := get(t, url+"/slow", "")
	answered <- true
	if res.StatusCode != http.StatusRequestTimeout || cookieOf(res) == "" {
		t.Errorf("the answer is %d with cookie %q", res.StatusCode, cookieOf(res))
	}
	if err := <-ended; !errors.Is(err, sessions.ErrLate) {
		t.Errorf("a renewal after the answer returned %v, want ErrLate", err)
	}
	if _, body := get(t, url+"/read", cookieOf(res)); body != "1" || store.Len() != 1 {
		t.Errorf("the session holds %q, want 1; there are %d records", body, store.Len())
	}
}

// exchange sends a request on the connection and reads its answer.
func exchange(t *testing.T, conn net.Conn, path, cookie string) *answer {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: test\r\nCookie: "+cookie+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header}
}

// TestTimeoutOutsideOfTheSessions has handlers that go on when timeout.New has answered in their place, until Fiber has given
// their context to another request. Its answer must not get their cookie, and no session must be stored that needs one.
func TestTimeoutOutsideOfTheSessions(t *testing.T) {
	t.Parallel()
	store, over, ended := memstore.New(memstore.Options{}), make(chan bool), make(chan error, 1)
	changed := make(chan bool, 1) // so that the handler comes before the answer, also for the race detector
	late := make(chan sessions.Event, 100)
	m, err := sessions.NewManager(quiet(sessions.Options{Store: store, OnEvent: func(e sessions.Event) {
		if e.Kind == sessions.EventLate {
			late <- e
		}
	}}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close(context.WithoutCancel(t.Context())) }()
	limited := timeout.New(func(c *fiber.Ctx) error { //nolint:staticcheck // Applications use it.
		err := errors.New("panicked")
		defer func() { ended <- err }()
		err = c.Next()
		return err
	}, limit)
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		if c.Path() == "/new" || c.Path() == "/login" {
			err := limited(c)
			<-changed
			return err
		}
		return c.Next()
	}, sessions.Middleware(m))
	app.Get("/count", count)
	app.Get("/read", read)
	app.Get("/new", func(c *fiber.Ctx) error {
		s := sessions.Get(c)
		visits.Update(s, func(n int) int { return n + 1 })
		changed <- true
		<-over
		return nil
	})
	app.Get("/login", func(c *fiber.Ctx) error {
		s := sessions.Get(c)
		err := s.Login("user")
		changed <- true
		<-over
		return err
	})
	url := serve(t, app)
	res, _ := get(t, url+"/count", "")
	known := cookieOf(res)
	for path, cookie := range map[string]string{"/new": "", "/login": known} {
		conn := connect(t, url)
		res := exchange(t, conn, path, cookie)
		exchange(t, conn, "/read", "") // Now the request before is over.
		over <- true
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if cookie := cookieOf(exchange(t, conn, "/read", "")); cookie != "" {
			t.Errorf("%s: another request got the cookie %q", path, cookie)
		}
		_ = conn.Close()
		if res.StatusCode != http.StatusRequestTimeout || cookieOf(res) != "" {
			t.Errorf("%s: the answer is %d with cookie %q", path, res.StatusCode, cookieOf(res))
		}
		select {
		case <-late:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: there was no event of a late change", path)
		}
	}
	if _, body := get(t, url+"/read", known); body != "1" || store.Len() != 1 {
		t.Errorf("the former cookie leads to %q, want 1; there are %d records", body, store.Len())
	}
}
