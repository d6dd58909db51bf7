package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"syscall"
	"testing"

	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
)

// balancer is a load balancer: it sends each request to the next process that says that it is ready, so that the requests
// of a browser alternate between the processes.
type balancer struct {
	t        *testing.T
	url      string
	mu       sync.Mutex
	backends []*backend
	next     int
}

// backend is a process behind the balancer.
type backend struct {
	program *recipe.Program
	url     *url.URL
	busy    int // requests that are under way
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{t: t}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for range 10 {
		to := b.take()
		if ready(r, to) {
			proxy := httputil.NewSingleHostReverseProxy(to.url)
			proxy.ServeHTTP(w, r)
			b.give(to)
			return
		}
		b.give(to)
	}
	http.Error(w, "no process is ready", http.StatusBadGateway)
}

// take returns the next process and counts a request to it.
func (b *balancer) take() *backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	to := b.backends[b.next%len(b.backends)]
	to.busy++
	return to
}

func (b *balancer) give(to *backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	to.busy--
}

// ready asks a process whether it wants requests. A balancer asks once in a few seconds; this one asks each time, so that
// the test need not wait.
func ready(r *http.Request, to *backend) bool {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, to.url.JoinPath("ready").String(), http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// add sends requests to a process that has been started.
func (b *balancer) add(p *recipe.Program) {
	b.t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = append(b.backends, &backend{program: p, url: u})
}

// removeOldest stops the process that has run for the longest time. It is told to leave, the balancer sends it nothing more
// and waits for the answers that are under way, and it ends.
func (b *balancer) removeOldest() {
	b.t.Helper()
	oldest := b.backends[0]
	oldest.program.Signal(syscall.SIGTERM)
	oldest.program.WaitForLog("leaving")
	recipe.Eventually(b.t, "the process has nothing to do", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if oldest.busy > 0 {
			return false
		}
		b.backends = b.backends[1:]
		return true
	})
	oldest.program.Signal(syscall.SIGTERM)
	oldest.program.Wait()
}
