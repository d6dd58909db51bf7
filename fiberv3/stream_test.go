package sessions_test

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/sse"

	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// TestServerSentEvents uses the session in Fiber's event streams. What a stream changes is saved when it ends, and at once
// with Save.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/events", sse.New(sse.Config{DisableHeartbeat: true, Handler: func(_ fiber.Ctx, stream *sse.Stream) error {
		s, ok := sessions.FromContext(stream.Context())
		if !ok {
			return errors.New("there is no session")
		}
		visits.Update(s, func(n int) int { return n + 10 })
		if err := errors.Join(s.Save(stream.Context()), stream.Event(sse.Event{Data: "event"})); err != nil {
			return err
		}
		visits.Update(s, func(n int) int { return n + 100 })
		return nil
	}, OnClose: func(_ fiber.Ctx, err error) {
		if err != nil {
			t.Error(err)
		}
	}}))
	url := serve(t, x.App)
	cookie := visitor(t, url)
	res, body := get(t, url+"/events", cookie)
	if body != "data: event\n\n" || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream is %q with the header %v", body, res.Header)
	}
	eventually(t, url+"/read", cookie, "111")
	x.wantRecords(t, 1)
}

// TestStreamThatStartsASession changes a new session in a stream. That starts at once, so it may come before the commit or
// after it. Either there is a cookie for the session, or there is no session.
func TestStreamThatStartsASession(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	x := newSite(t)
	x.Get("/", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		return c.SendStreamWriter(func(*bufio.Writer) { failed <- visits.Set(s, 1) })
	})
	url := serve(t, x.App)
	for range 20 {
		before := x.store.Len()
		res, _ := get(t, url, "")
		err := <-failed
		if stored := x.store.Len() > before; stored != (err == nil) || stored != (cookieOf(res) != "") {
			t.Errorf("the change returned %v, the cookie is %q, stored: %t", err, cookieOf(res), stored)
		}
		if err != nil && !errors.Is(err, sessions.ErrLate) {
			t.Errorf("the change returned %v, want ErrLate", err)
		}
	}
}

// TestServerSentEventsOfANewSession starts the session before the stream, so that its cookie goes ahead of the first event.
func TestServerSentEventsOfANewSession(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/events", func(c fiber.Ctx) error {
		increment(c)
		return c.Next()
	}, sse.New(sse.Config{DisableHeartbeat: true, Handler: func(_ fiber.Ctx, stream *sse.Stream) error {
		s, _ := sessions.FromContext(stream.Context())
		visits.Update(s, func(n int) int { return n + 1 })
		return stream.Event(sse.Event{Data: "event"})
	}}))
	url := serve(t, x.App)
	res, _ := get(t, url+"/events", "")
	if res.StatusCode != http.StatusOK || cookieOf(res) == "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer is %d %v", res.StatusCode, res.Header)
	}
	eventually(t, url+"/read", cookieOf(res), "2")
}

// TestStreamThatCannotBeSaved does not send the stream of a session that could not be saved.
func TestStreamThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{MaxSize: 1000})))
	app.Get("/", func(c fiber.Ctx) error {
		sessions.Key[string]("note").Update(sessions.Get(c), func(string) string { return strings.Repeat("x", 2000) })
		return c.SendStreamWriter(func(w *bufio.Writer) { _, _ = w.WriteString("stream") })
	})
	res, body := get(t, serve(t, app), "")
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "stream") || cookieOf(res) != "" {
		t.Errorf("the answer is %d %q", res.StatusCode, body)
	}
}
