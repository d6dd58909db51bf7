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

// startTimeout is how long a server, or a set of servers, may take to become ready.
const startTimeout = time.Minute

// Spec describes a server or a set of servers; S is the type of the running ones. The comments
// of the types in this package say which are specs. They are comparable, and equal specs share
// a server.
type Spec[S any] interface {
	start(ctx context.Context, g *serverGroup) (S, error)
}

// Start starts a server for one test. It is stopped when the test ends.
func Start[S any](tb testing.TB, spec Spec[S]) S {
	tb.Helper()
	g := &serverGroup{}
	tb.Cleanup(g.close)
	tb.Cleanup(func() { g.logIfFailed(tb) })
	server, err := startSpec(tb.Context(), g, spec)
	requireServer(tb, err)
	return server
}

// Shared returns a server that all tests of the process share. The first call with a spec
// starts it, and it runs until the process ends. A call of a fault method fails the test.
func Shared[S any](tb testing.TB, spec Spec[S]) S {
	tb.Helper()
	entry := sharedServerFor(spec)
	entry.once.Do(func() {
		entry.group = &serverGroup{shared: true}
		// The server must not end with this test, since later ones use it too.
		entry.server, entry.err = startSpec(context.WithoutCancel(tb.Context()), entry.group, spec)
		if entry.err != nil {
			entry.group.close()
		}
	})
	tb.Cleanup(func() { entry.group.logIfFailed(tb) })
	requireServer(tb, entry.err)
	return entry.server.(S) // stored above, for a key of the same type
}

// startSpec starts what a spec describes.
func startSpec[S any](ctx context.Context, g *serverGroup, spec Spec[S]) (S, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	return spec.start(ctx, g)
}

// withStartTimeout returns a context that ends after startTimeout.
func withStartTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, startTimeout, errors.New("server did not become ready"))
}

// requireServer ends the test if there is an error. It skips the test if the server is only
// missing.
func requireServer(tb testing.TB, err error) {
	tb.Helper()
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		skipOrFail(tb, missing.source.name, err)
	case err != nil:
		tb.Fatal(err)
	}
}

// skipOrFail skips the test, or fails it if the server is required.
func skipOrFail(tb testing.TB, name string, reason error) {
	tb.Helper()
	if required(name) {
		tb.Fatalf("%v (nothing may be skipped here: CI or TEST_REQUIRE is set)", reason)
	}
	tb.Skip(reason)
}

// sharedServer is a server that all tests of the process share.
type sharedServer struct {
	once   sync.Once
	group  *serverGroup
	server any
	err    error
}

// registry maps specs to shared servers.
//
//nolint:gochecknoglobals // the tests of a package have nothing else in common
var registry sync.Map

func sharedServerFor(spec any) *sharedServer {
	entry, _ := registry.LoadOrStore(spec, &sharedServer{})
	return entry.(*sharedServer) // the map holds nothing else
}

// serverGroup owns the servers of one call of Start or Shared.
type serverGroup struct {
	shared  bool
	mu      sync.Mutex
	servers []*Server
	folders []string
}

// folder creates a folder for one server. Its owner is user, unless that is nil.
func (g *serverGroup) folder(name string, user *account) (string, error) {
	root, err := workspace()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(root, name+"-")
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	g.folders = append(g.folders, dir)
	g.mu.Unlock()
	if user != nil {
		err = os.Chown(dir, user.uid, user.gid)
	}
	return dir, err
}

// add adds a server to the group, which will close it.
func (g *serverGroup) add(s *Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.servers = append(g.servers, s)
}

// close closes all servers and removes their folders.
func (g *serverGroup) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.servers {
		s.close()
	}
	for _, dir := range g.folders {
		// If this fails, the janitor removes the folder later.
		_ = os.RemoveAll(dir)
	}
}

// logIfFailed logs the output of the servers if the test has failed.
func (g *serverGroup) logIfFailed(tb testing.TB) {
	tb.Helper()
	if !tb.Failed() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.servers {
		tb.Logf("log of %s at %s:\n%s", s.program.name, s.addr, s.Log())
	}
}

// Name returns a name that no other test uses, for example for a database, a key prefix or a
// table.
func Name() string { return "t_" + strings.ToLower(rand.Text()[:16]) }

// randomSecret returns a new password.
func randomSecret() string { return "pw-" + rand.Text() }
