package adaptertest

import (
	"io"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// path is one way to send a response.
type path struct {
	name   string
	method string
	target string
	status int // status of the response if nothing fails
	send   Handler
}

// paths returns every way to send a response.
func paths() []path {
	redirect := func(c Context) error { return c.Redirect(303, "/elsewhere") }
	return []path{
		{"Body", http.MethodGet, "/p", 200, sendBody},
		{"ContentLength", http.MethodGet, "/p", 200, sendSized},
		{"StatusOnly", http.MethodGet, "/p", 204, func(c Context) error { return c.Status(204) }},
		{"Nothing", http.MethodGet, "/p", 200, func(Context) error { return nil }},
		{"Redirect", http.MethodGet, "/p", 303, redirect},
		{"RedirectPost", http.MethodPost, "/p", 303, redirect},
		{"NotModified", http.MethodGet, "/p", 304, func(c Context) error { return c.Status(304) }},
		{"Head", http.MethodHead, "/p", 200, sendBody},
		{"ErrorHandler", http.MethodGet, "/p", 418, func(c Context) error { return c.Fail(418) }},
		{"NotFound", http.MethodGet, "/nowhere", 404, sendNotFound},
		{"Flush", http.MethodGet, "/p", 200, sendStream},
		{"FlushFirst", http.MethodGet, "/p", 200, sendFlushed},
		{"Upgrade", http.MethodGet, "/p", 101, sendUpgrade},
	}
}

func sendBody(c Context) error { return c.Body(200, handlerBody) }

func sendNotFound(c Context) error { return c.Body(404, handlerBody) }

func sendSized(c Context) error {
	c.SetHeader("Content-Length", "22")
	return c.Body(200, handlerBody)
}

func sendStream(c Context) error {
	return c.Stream(func(w Flusher) {
		_, _ = io.WriteString(w, handlerBody)
		_ = w.Flush()
		_, _ = io.WriteString(w, handlerBody)
	})
}

// sendFlushed flushes the header before it writes the body.
func sendFlushed(c Context) error {
	return c.Stream(func(w Flusher) {
		_ = w.Flush()
		_, _ = io.WriteString(w, handlerBody)
	})
}

// sendUpgrade commits first, as a handler must if it takes over the connection and wants a
// cookie to be sent.
func sendUpgrade(c Context) error {
	if err := c.Commit(); err != nil {
		return c.Fail(core.StatusCode(err))
	}
	return c.Upgrade(func(conn net.Conn) { _, _ = io.WriteString(conn, handlerBody) })
}

// addRoute adds the path's route. Its handler calls before and then sends the response.
func (p *path) addRoute(e *env, before func(c Context) error) {
	h := func(c Context) error {
		if err := before(c); err != nil {
			return err
		}
		return p.send(c)
	}
	if p.target == "/p" {
		e.handle(p.method, p.target, h)
	} else {
		e.app.NotFound = h
	}
}

// visit sends the path's request with the browser's cookies, and stores the cookies of the
// answer. The body of a 101 answer is what follows on the connection.
func (p *path) visit(b *browser) *answer {
	b.env.Helper()
	if p.name != "Upgrade" {
		return b.do(b.request(b.env.Context(), p.method, p.target))
	}
	lines := []string{"Connection: Upgrade", "Upgrade: echo"}
	if token := b.token(); token != "" {
		lines = append(lines, "Cookie: session="+token)
	}
	c := b.env.dial()
	c.send(p.target, lines...)
	res := c.readHeader()
	defer func() { _ = res.Body.Close() }()
	from := io.Reader(res.Body)
	if res.StatusCode == http.StatusSwitchingProtocols {
		from = c.in
	}
	text, _ := io.ReadAll(from)
	a := &answer{res.StatusCode, res.Header, string(text)}
	b.storeCookies(a)
	return a
}
