package adaptertest

import (
	"io"
	"net"
	"net/http"
)

// body is what handlers send that must not go out after a failed commit.
const body = "the handler's own body"

// path is one way in which a response is sent.
type path struct {
	name   string
	method string
	target string
	status int // of the response when all is well
	send   Handler
}

// paths returns every way in which a response is sent.
func paths() []path {
	return []path{
		{"Body", http.MethodGet, "/p", 200, func(c Context) error { return c.Body(200, body) }},
		{"ContentLength", http.MethodGet, "/p", 200, sendSized},
		{"StatusOnly", http.MethodGet, "/p", 204, func(c Context) error { return c.Status(204) }},
		{"Nothing", http.MethodGet, "/p", 200, func(Context) error { return nil }},
		{"Redirect", http.MethodGet, "/p", 303, func(c Context) error { return c.Redirect(303, "/elsewhere") }},
		{"RedirectPost", http.MethodPost, "/p", 303, func(c Context) error { return c.Redirect(303, "/elsewhere") }},
		{"NotModified", http.MethodGet, "/p", 304, func(c Context) error { return c.Status(304) }},
		{"Head", http.MethodHead, "/p", 200, func(c Context) error { return c.Body(200, body) }},
		{"ErrorHandler", http.MethodGet, "/p", 418, func(c Context) error { return c.Fail(418) }},
		{"NotFound", http.MethodGet, "/nowhere", 404, func(c Context) error { return c.Body(404, body) }},
		{"Flush", http.MethodGet, "/p", 200, sendStream},
		{"FlushFirst", http.MethodGet, "/p", 200, sendFlushed},
		{"Upgrade", http.MethodGet, "/p", 101, sendUpgrade},
	}
}

func sendSized(c Context) error {
	c.SetHeader("Content-Length", "22")
	return c.Body(200, body)
}

func sendStream(c Context) error {
	return c.Stream(func(w Flusher) {
		_, _ = io.WriteString(w, body)
		_ = w.Flush()
		_, _ = io.WriteString(w, body)
	})
}

// sendFlushed sends the head ahead of any body.
func sendFlushed(c Context) error {
	return c.Stream(func(w Flusher) {
		_ = w.Flush()
		_, _ = io.WriteString(w, body)
	})
}

// sendUpgrade commits first, as a handler must that takes the connection and wants a cookie sent.
func sendUpgrade(c Context) error {
	if err := c.Commit(); err != nil {
		return err
	}
	return c.Upgrade(func(conn net.Conn) { _, _ = io.WriteString(conn, body) })
}

// mount adds the path's route, with work ahead of its response.
func (p *path) mount(x *trial, work func(c Context) error) {
	h := func(c Context) error {
		if err := work(c); err != nil {
			return err
		}
		return p.send(c)
	}
	if p.target == "/p" {
		x.route(p.method, p.target, h)
	} else {
		x.app.NotFound = h
	}
}

// ask sends the path's request with the browser's cookies and keeps what comes back. A 101 answer has the body that
// follows on the connection.
func (p *path) ask(b *browser) *answer {
	b.x.Helper()
	if p.name != "Upgrade" {
		return b.do(b.request(b.x.Context(), p.method, p.target))
	}
	lines := []string{"Connection: Upgrade", "Upgrade: echo"}
	if token := b.token(); token != "" {
		lines = append(lines, "Cookie: session="+token)
	}
	w := b.x.wire()
	w.send(p.target, lines...)
	res := w.head()
	defer func() { _ = res.Body.Close() }()
	a := &answer{status: res.StatusCode, header: res.Header}
	if res.StatusCode == http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(w.in)
		a.body = string(text)
	} else {
		text, _ := io.ReadAll(res.Body)
		a.body = string(text)
	}
	b.keep(a)
	return a
}
