package testserver

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// startWait is how long a server, or a set of them, may take until it answers.
const startWait = time.Minute

// Spec describes a server, or a set of servers, that S stands for. The specs are the types of this package whose
// comment says so. They are comparable: equal specs share a server.
type Spec[S any] interface {
	start(ctx context.Context, h *host) (S, error)
}

// Start starts a server for this test alone. It is stopped when the test ends.
func Start[S any](tb testing.TB, spec Spec[S]) S {
	tb.Helper()
	h := &host{}
	tb.Cleanup(h.close)
	tb.Cleanup(func() { h.logIfFailed(tb) })
	server, err := begin(tb.Context(), h, spec)
	check(tb, err)
	return server
}

// Shared returns a server that all tests of the process share, started by the first that asks for it. It runs until
// the process ends, and its fault methods refuse. Equal specs get the same server.
func Shared[S any](tb testing.TB, spec Spec[S]) S {
	tb.Helper()
	entry := sharedEntry(spec)
	entry.once.Do(func() {
		entry.host = &host{shared: true}
		// Later tests use it too: it must not end with this one.
		entry.server, entry.err = begin(context.WithoutCancel(tb.Context()), entry.host, spec)
		if entry.err != nil {
			entry.host.close()
		}
	})
	tb.Cleanup(func() { entry.host.logIfFailed(tb) })
	check(tb, entry.err)
	return entry.server.(S) // Stored above, under a key of the same type.
}

// begin starts what spec describes in a folder of its own.
func begin[S any](ctx context.Context, h *host, spec Spec[S]) (S, error) {
	ctx, cancel := withStartWait(ctx)
	defer cancel()
	return spec.start(ctx, h)
}

// withStartWait limits ctx to the time that a start may take.
func withStartWait(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, startWait, errors.New("server did not become ready"))
}

// check ends the test when its server could not be had: by skipping when it is only missing.
func check(tb testing.TB, err error) {
	tb.Helper()
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		skip(tb, missing.source.name, err)
	case err != nil:
		tb.Fatal(err)
	}
}

// skip skips the test, or fails it where nothing may be skipped.
func skip(tb testing.TB, name string, reason error) {
	tb.Helper()
	if required(name) {
		tb.Fatalf("%v (nothing may be skipped here: CI or TEST_REQUIRE is set)", reason)
	}
	tb.Skip(reason)
}

// shared is one server of the process.
type shared struct {
	once   sync.Once
	host   *host
	server any
	err    error
}

// registry holds the shared servers by spec.
var registry sync.Map //nolint:gochecknoglobals // The tests of a package have nothing else in common.

func sharedEntry(spec any) *shared {
	entry, _ := registry.LoadOrStore(spec, &shared{})
	return entry.(*shared) // Nothing else is stored.
}

// host owns the servers of one Start.
type host struct {
	shared  bool
	mu      sync.Mutex
	servers []*Server
	folders []string
}

// folder makes a folder for one server. With an account, it belongs to it.
func (h *host) folder(name string, user *account) (string, error) {
	root, err := workspace()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(root, name+"-")
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	h.folders = append(h.folders, dir)
	h.mu.Unlock()
	if user != nil {
		err = os.Chown(dir, user.uid, user.gid)
	}
	return dir, err
}

// add makes the host responsible for a server.
func (h *host) add(s *Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers = append(h.servers, s)
}

// close ends all servers and removes their folders.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.servers {
		s.close()
	}
	for _, dir := range h.folders {
		// Best effort: the janitor comes back for what is left.
		_ = os.RemoveAll(dir)
	}
}

// logIfFailed shows the servers' logs to those who wonder why their test failed.
func (h *host) logIfFailed(tb testing.TB) {
	tb.Helper()
	if !tb.Failed() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.servers {
		tb.Logf("log of %s at %s:\n%s", s.program.name, s.addr, s.Log())
	}
}

// Name returns a name that no other test uses: for a database, a key prefix, a table.
func Name() string { return "t_" + strings.ToLower(rand.Text()[:16]) }

// randomSecret returns a password for one server.
func randomSecret() string { return "pw-" + rand.Text() }
