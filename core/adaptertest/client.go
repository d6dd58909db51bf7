package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// browser is a client with a cookie jar of the simplest kind, which also keeps Secure cookies over plain http.
type browser struct {
	x       *trial
	client  *http.Client
	mu      sync.Mutex
	cookies map[string]string
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (x *trial) browser() *browser {
	transport := &http.Transport{DisableCompression: true}
	x.Cleanup(transport.CloseIdleConnections)
	return &browser{x: x, cookies: map[string]string{}, client: &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// visitor returns a browser that has a session with the counter at 1.
func (x *trial) visitor() *browser {
	x.Helper()
	b := x.browser()
	if a := b.get("/count"); a.status != http.StatusOK || a.body != "1" || b.token() == "" {
		x.Fatalf("rule: "+x.rule+"\na session cannot be made: status %d, body %q, Set-Cookie %q", a.status, a.body, a.cookies("session"))
	}
	return b
}

// twin returns another browser with the same cookies.
func (b *browser) twin() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	other := b.x.browser()
	maps.Copy(other.cookies, b.cookies)
	return other
}

// token returns the value of the session cookie.
func (b *browser) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies["session"]
}

// request makes a request with the browser's cookies. Fields are names and values in turn.
func (b *browser) request(ctx context.Context, method, target string, fields ...string) *http.Request {
	b.x.Helper()
	r, err := http.NewRequestWithContext(ctx, method, b.x.url+target, http.NoBody)
	if err != nil {
		b.x.Fatalf("request: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func (b *browser) get(target string, fields ...string) *answer {
	b.x.Helper()
	return b.do(b.request(b.x.Context(), http.MethodGet, target, fields...))
}

// do sends a request, reads the answer to its end and keeps its cookies.
func (b *browser) do(r *http.Request) *answer {
	b.x.Helper()
	res, err := b.client.Do(r) //nolint:bodyclose // finish closes it
	if err != nil {
		b.x.Errorf("rule: %s\n%s %s: %v", b.x.rule, r.Method, r.URL.Path, err)
		return &answer{header: http.Header{}}
	}
	return b.finish(res)
}

// finish reads a response to its end.
func (b *browser) finish(res *http.Response) *answer {
	b.x.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.x.Errorf("rule: %s\nreading the body: %v", b.x.rule, err)
	}
	a := &answer{res.StatusCode, res.Header, string(body)}
	b.keep(a)
	return a
}

// keep stores the cookies of the answer. The token must not be in any other place of it.
func (b *browser) keep(a *answer) {
	b.x.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range a.header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if b.cookies[name] = value; value == "" {
			delete(b.cookies, name)
		}
	}
	for _, value := range b.cookies {
		if a.leaks(value) {
			b.x.Errorf("rule: the token is in Set-Cookie and nowhere else\nanswer: %d %v %q", a.status, a.header, a.body)
		}
	}
}

// leaks reports whether the secret half of the token is somewhere else than in Set-Cookie.
func (a *answer) leaks(token string) bool {
	if len(token) != 64 {
		return false
	}
	secret := token[22:]
	for name, values := range a.header {
		if name != "Set-Cookie" && strings.Contains(strings.Join(values, " "), secret) {
			return true
		}
	}
	return strings.Contains(a.body, secret)
}

// cookies returns the Set-Cookie lines of one cookie.
func (a *answer) cookies(name string) (lines []string) {
	for _, line := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, name+"=") {
			lines = append(lines, line)
		}
	}
	return lines
}

// field returns a header field with all its lines.
func (a *answer) field(name string) string { return strings.Join(a.header.Values(name), ", ") }

// wantStatus checks the status.
func (x *trial) wantStatus(a *answer, status int) {
	x.Helper()
	if a.status != status {
		x.broken("status is %d, want %d; body %q", a.status, status, a.body)
	}
}

// wantBody checks status 200 and the body.
func (x *trial) wantBody(a *answer, body string) {
	x.Helper()
	if a.status != http.StatusOK || a.body != body {
		x.broken("answer is %d %q, want 200 %q", a.status, a.body, body)
	}
}

// wantNoCookie checks that no cookie is set.
func (x *trial) wantNoCookie(a *answer) {
	x.Helper()
	if lines := a.header.Values("Set-Cookie"); len(lines) > 0 {
		x.broken("the response sets cookies: %q", lines)
	}
}

// wantCookie checks that the session cookie is set exactly once, and returns the line.
func (x *trial) wantCookie(a *answer) string {
	x.Helper()
	lines := a.cookies("session")
	if len(lines) != 1 {
		x.broken("the response sets the cookie %d times, want once: %q", len(lines), lines)
		return ""
	}
	return lines[0]
}

// wantCalls checks how many store calls there were in all.
func (x *trial) wantCalls(n int) {
	x.Helper()
	if got := x.store.count(); got != n {
		x.broken("there were %d store calls, want %d", got, n)
	}
}

// wantRecords checks how many sessions are stored.
func (x *trial) wantRecords(n int) {
	x.Helper()
	if got := x.store.records(); got != n {
		x.broken("there are %d records in the store, want %d", got, n)
	}
}

// wire is a connection on which the suite writes requests byte by byte.
type wire struct {
	x    *trial
	conn net.Conn
	in   *bufio.Reader
}

func (x *trial) wire() *wire {
	x.Helper()
	var d net.Dialer
	conn, err := d.DialContext(x.Context(), "tcp", strings.TrimPrefix(x.url, "http://"))
	if err != nil {
		x.Fatalf("dial: %v", err)
	}
	x.Cleanup(func() { _ = conn.Close() })
	w := &wire{x, conn, bufio.NewReader(conn)}
	w.wait()
	return w
}

// wait gives the server time anew.
func (w *wire) wait() { _ = w.conn.SetDeadline(time.Now().Add(3 * patience)) }

// send writes a GET request with these header lines, as they are.
func (w *wire) send(target string, lines ...string) {
	w.x.Helper()
	lines = append([]string{"GET " + target + " HTTP/1.1", "Host: localhost"}, lines...)
	if _, err := io.WriteString(w.conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		w.x.Errorf("write: %v", err)
	}
}

// head reads the next response up to its body.
func (w *wire) head() *http.Response {
	w.x.Helper()
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.x.Fatalf("rule: %s\nno response: %v", w.x.rule, err)
	}
	return res
}

// ok reads the next response, which is to be 200, and may be called from any goroutine.
func (w *wire) ok() error {
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status is %d", res.StatusCode)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// receive reads the next response.
func (w *wire) receive() *answer {
	w.x.Helper()
	res := w.head()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.x.Errorf("rule: %s\nreading the body: %v", w.x.rule, err)
	}
	return &answer{res.StatusCode, res.Header, string(body)}
}

// ask sends one request and reads its response.
func (w *wire) ask(target string, lines ...string) *answer {
	w.x.Helper()
	w.send(target, lines...)
	return w.receive()
}

// pipeline sends n requests ahead of their responses and hands each response to check.
func (w *wire) pipeline(n int, lines func(i int) (target, line string), check func(i int, a *answer)) {
	w.x.Helper()
	go func() {
		out := bufio.NewWriter(w.conn)
		for i := range n {
			target, line := lines(i)
			if line != "" {
				line += "\r\n"
			}
			_, _ = out.WriteString("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + line + "\r\n")
		}
		_ = out.Flush()
	}()
	for i := range n {
		check(i, w.receive())
		w.wait() // for the next one, since all of them together may take longer
	}
}
