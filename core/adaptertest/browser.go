package adaptertest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// browser is a client with a minimal cookie jar. Unlike a real browser it sends Secure cookies
// over plain HTTP.
type browser struct {
	env     *env
	client  *http.Client
	mu      sync.Mutex
	cookies map[string]string // values by name
}

// newBrowser returns a browser without cookies.
func (e *env) newBrowser() *browser {
	transport := &http.Transport{DisableCompression: true}
	e.Cleanup(transport.CloseIdleConnections)
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirects}
	return &browser{env: e, client: client, cookies: make(map[string]string)}
}

// newVisitor returns a browser that has a session with one visit.
func (e *env) newVisitor() *browser {
	e.Helper()
	b := e.newBrowser()
	if a := b.get("/count"); a.status != http.StatusOK || a.body != "1" || b.token() == "" {
		e.Fatalf("a session cannot be created: status %d, body %q, Set-Cookie %q",
			a.status, a.body, a.cookies("session"))
	}
	return b
}

// clone returns another browser with the same cookies.
func (b *browser) clone() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	other := b.env.newBrowser()
	maps.Copy(other.cookies, b.cookies)
	return other
}

// token returns the value of the session cookie.
func (b *browser) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies["session"]
}

// request returns a request with the browser's cookies. The header fields are pairs of a name
// and a value.
func (b *browser) request(
	ctx context.Context, method, target string, fields ...string,
) *http.Request {
	b.env.Helper()
	r, err := http.NewRequestWithContext(ctx, method, b.env.url+target, http.NoBody)
	if err != nil {
		b.env.Fatalf("request: %v", err)
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

// get sends a GET request and returns the answer.
func (b *browser) get(target string, fields ...string) *answer {
	b.env.Helper()
	return b.do(b.request(b.env.Context(), http.MethodGet, target, fields...))
}

// do sends a request, stores the cookies of the answer and returns it.
func (b *browser) do(r *http.Request) *answer {
	b.env.Helper()
	res, err := b.client.Do(r) //nolint:bodyclose // readAnswer closes it
	if err != nil {
		b.env.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		return &answer{header: http.Header{}}
	}
	return b.readAnswer(res)
}

// readAnswer reads a response completely and stores its cookies.
func (b *browser) readAnswer(res *http.Response) *answer {
	b.env.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.env.Errorf("reading the body: %v", err)
	}
	a := &answer{res.StatusCode, res.Header, string(body)}
	b.storeCookies(a)
	return a
}

// storeCookies stores the cookies of the answer, and checks that it contains no token
// elsewhere.
func (b *browser) storeCookies(a *answer) {
	b.env.Helper()
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
			b.env.T.Errorf("the token is not only in Set-Cookie: %d %v %q\n\trule: %s",
				a.status, a.header, a.body, ruleSecret)
		}
	}
}
