package main

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cache is a shared cache by RFC 9111, in front of an application. It keeps every response to a GET that it may keep, also
// those that do not say how long, as CDNs with a default time do.
type cache struct {
	next http.Handler

	mu   sync.Mutex
	kept map[string][]response // by URL
}

// response is one that was kept, and the request that it answered.
type response struct {
	request http.Header
	header  http.Header
	body    []byte
	until   time.Time
}

func (p *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		p.next.ServeHTTP(w, r)
		return
	}
	if kept := p.find(r); kept != nil {
		w.Header().Set("X-Cache", "hit")
		maps.Copy(w.Header(), kept.header)
		_, _ = w.Write(kept.body)
		return
	}
	recorder := httptest.NewRecorder()
	p.next.ServeHTTP(recorder, r)
	p.keep(r, recorder)
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}

// find returns a response to such a request, or nil.
func (p *cache) find(r *http.Request) *response {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.kept[r.URL.String()] {
		kept := &p.kept[r.URL.String()][i]
		if time.Now().Before(kept.until) && kept.answers(r) {
			return kept
		}
	}
	return nil
}

// answers compares the fields of the requests that Vary names.
func (k *response) answers(r *http.Request) bool {
	for _, name := range directives(k.header, "Vary") {
		if name == "*" || strings.Join(r.Header.Values(name), ",") != strings.Join(k.request.Values(name), ",") {
			return false
		}
	}
	return true
}

func (p *cache) keep(r *http.Request, w *httptest.ResponseRecorder) {
	age, ok := lifetime(w.Header())
	if w.Code != http.StatusOK || !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[r.URL.String()] = append(p.kept[r.URL.String()], response{
		request: r.Header.Clone(), header: w.Header().Clone(), body: bytes.Clone(w.Body.Bytes()), until: time.Now().Add(age),
	})
}

// lifetime returns how long a response may be kept, or false if it must not be.
func lifetime(h http.Header) (age time.Duration, ok bool) {
	age = time.Hour // where nothing is said
	for _, d := range directives(h, "Cache-Control") {
		name, value, _ := strings.Cut(d, "=")
		switch name {
		case "no-store", "private", "no-cache":
			return 0, false
		case "max-age", "s-maxage":
			seconds, err := strconv.Atoi(value)
			if err != nil {
				return 0, false
			}
			age = time.Duration(seconds) * time.Second
		}
	}
	return age, age > 0
}

// directives returns the members of a field that is a list, in small letters.
func directives(h http.Header, field string) (all []string) {
	for d := range strings.SplitSeq(strings.Join(h.Values(field), ","), ",") {
		if d = strings.ToLower(strings.TrimSpace(d)); d != "" {
			all = append(all, d)
		}
	}
	return all
}

// newProxy serves what is at a URL over https, and keeps what it may. It returns its own URL, and a client that trusts it.
func newProxy(t *testing.T, target string) (address string, client *http.Client) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"] // as the client has written it
		r.SetXForwarded()                                                // adds the address of the client
	}}
	server := httptest.NewTLSServer(&cache{next: forward, kept: map[string][]response{}})
	t.Cleanup(server.Close)
	return server.URL, server.Client()
}
