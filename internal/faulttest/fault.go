package faulttest

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Backend is a kind of store on a kind of server.
type Backend struct {
	Name string
	// Start starts a server for one test. It returns the address of an empty store on it.
	Start func(tb testing.TB) (server *testserver.Server, address string)
	Open  Open
	// Kill is what may be lost when the server is killed.
	Kill Loss
	// Conns is how many connections a store may have open.
	Conns int
	// Deny returns the address with [WrongPassword] instead of the password. It is nil if the
	// server has no passwords.
	Deny func(server *testserver.Server, address string) string
}

// WrongPassword is a password that no server accepts.
const WrongPassword = "not-the-password"

// Faults tests one manager for each backend with every fault, one fault after another, and all
// backends in parallel. The calling test must not be parallel, since Faults counts goroutines
// at the end.
func Faults(t *testing.T, backends ...Backend) {
	t.Helper()
	before := countGoroutines()
	t.Run("O5Faults", func(t *testing.T) {
		for _, b := range backends {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				b.faults(t)
			})
		}
	})
	Eventually(t, "goroutines are left", func() bool { return countGoroutines() <= before })
}

// fixture is an application whose store uses a server through a proxy.
type fixture struct {
	*Backend
	server  *testserver.Server
	proxy   *testserver.Proxy
	address string
	prefix  string
	store   store.Store
	manager *core.Manager
}

func (b *Backend) faults(t *testing.T) {
	t.Helper()
	server, address := b.Start(t)
	proxy := server.Proxy(t)
	s, closeAll, err := b.Open(proxy.Through(address))
	if err != nil {
		t.Fatal(err)
	}
	prefix := testserver.Name() + ":"
	m, err := newManager(s, AppConfig{Prefix: prefix}, storeTimeout)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{b, server, proxy, address, prefix, s, m}
	for _, fault := range []struct {
		name string
		run  func(t *testing.T, f *fixture)
	}{
		{"Slow", slow},
		{"BlackHole", blackHole},
		{"Refused", refused},
		{"WrongPassword", refusedPassword},
		{"CutReply", cutReply},
		{"LostReply", lostReply},
		{"Reset", reset},
		{"Paused", paused},
		{"Killed", killed},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.run(t, f)
			proxy.Heal()
			f.mustRecover(t)
		})
	}
	f.mustKeepConnections(t)
	closeManager(t, m)
	if err := closeAll(); err != nil {
		t.Errorf("closing the store = %v", err)
	}
	Eventually(t, "connections are open after the store was closed", func() bool {
		runtime.GC() // some clients do not close a connection whose handshake got no reply
		_, open := proxy.Connections()
		return open == 0
	})
	runtime.KeepAlive(f) // keeps the collector from closing connections that the store left open
}

// mustRecover waits until the manager works again, and checks that it has not too many
// connections.
func (f *fixture) mustRecover(t *testing.T) {
	t.Helper()
	Eventually(t, "the manager does not recover", func() bool {
		return f.visitConcurrently(t, 5) == nil
	})
	Eventually(t, "more connections are open than may be", func() bool {
		runtime.GC()
		_, open := f.proxy.Connections()
		return open <= f.Conns
	})
}

// mustKeepConnections checks that requests reuse connections after all faults.
func (f *fixture) mustKeepConnections(t *testing.T) {
	t.Helper()
	before, _ := f.proxy.Connections()
	if err := f.visitConcurrently(t, 25); err != nil {
		t.Errorf("a visit after all faults = %v", err)
	}
	if after, _ := f.proxy.Connections(); after-before > f.Conns {
		t.Errorf("%d visits after all faults took %d new connections", 25*writers, after-before)
	}
}

// visitConcurrently lets several browsers start a session, visit it a number of times, and log
// out.
func (f *fixture) visitConcurrently(t *testing.T, visits int) error {
	t.Helper()
	errs := make([]error, writers)
	var all sync.WaitGroup
	for n := range errs {
		all.Go(func() { Promptly(t, func() { errs[n] = f.visitAndLogOut(t, visits) }) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (f *fixture) visitAndLogOut(t *testing.T, visits int) error {
	t.Helper()
	b := browser{manager: f.manager}
	for i := range visits {
		err := b.visit(t.Context(), func(s *core.Session) error {
			if got := counter.Get(s); got != i {
				t.Errorf("visit %d finds the counter at %d", i, got)
			}
			return Action{Name: actionCount}.do(s)
		})
		if err != nil {
			return err
		}
	}
	return b.visit(t.Context(), Action{Name: actionLogout}.do)
}

// slow delays replies: within the deadline no request fails, beyond it all do.
func slow(t *testing.T, f *fixture) {
	t.Helper()
	f.mustRecover(t) // opens connections
	f.proxy.Delay(storeTimeout / 20)
	if err := f.visitConcurrently(t, 3); err != nil {
		t.Errorf("a visit while the server is slow = %v, want success", err)
	}
	f.proxy.Delay(0)
	o := newOutage(t, f)
	f.proxy.Delay(3 * storeTimeout)
	o.check(t)
}

func blackHole(t *testing.T, f *fixture) {
	t.Helper()
	o := newOutage(t, f)
	f.proxy.BlackHole()
	o.check(t)
}

// refused resets every connection right after it is made.
func refused(t *testing.T, f *fixture) {
	t.Helper()
	o := newOutage(t, f)
	f.proxy.Drop()
	o.check(t)
}

// refusedPassword connects with a wrong password, which no error may contain.
func refusedPassword(t *testing.T, f *fixture) {
	t.Helper()
	if f.Deny == nil {
		t.Skip("the server has no passwords, or its store's own tests have them")
	}
	s, closeAll, err := f.Open(f.proxy.Through(f.Deny(f.server, f.address)))
	if err != nil {
		t.Fatal(err)
	}
	o := newOutage(t, f)
	if o.manager, err = newManager(s, AppConfig{Prefix: f.prefix}, storeTimeout); err != nil {
		t.Fatal(err)
	}
	o.store, o.pending = s, nil
	o.check(t)
	closeManager(t, o.manager)
	if err := closeAll(); err != nil {
		t.Errorf("closing the store = %v", err)
	}
}

// cutReply cuts the replies to writers, after more bytes each time.
func cutReply(t *testing.T, f *fixture) {
	t.Helper()
	runThrough(t, f.manager, Nothing, func() {
		for n := range 20 {
			waitFor(t, f.proxy.CutAfter(n*n/2), "nobody reads")
		}
	})
}

// lostReply drops the replies to saves. A save that is repeated must not take effect twice.
func lostReply(t *testing.T, f *fixture) {
	t.Helper()
	runThrough(t, f.manager, Nothing, func() {
		for range 10 {
			waitFor(t, f.proxy.SwallowReply(marker), "nobody writes")
		}
	})
}

// reset resets all connections again and again.
func reset(t *testing.T, f *fixture) {
	t.Helper()
	runThrough(t, f.manager, Nothing, func() {
		for range 50 {
			f.proxy.Reset()
			time.Sleep(5 * time.Millisecond) // most writers write again by then
		}
	})
}

// paused pauses the server for ten seconds, or longer if a request waits for it.
func paused(t *testing.T, f *fixture) {
	t.Helper()
	o := newOutage(t, f)
	failed := runThrough(t, f.manager, Nothing, func() {
		f.server.Pause(t)
		begun := time.Now()
		o.check(t)
		time.Sleep(10*time.Second - time.Since(begun))
		f.server.Resume(t)
	})
	if failed == 0 {
		t.Error("no writer has noticed the pause")
	}
}

// killed kills and restarts the server three times while writers use it.
func killed(t *testing.T, f *fixture) {
	t.Helper()
	failed := runThrough(t, f.manager, f.Kill, func() {
		for n := range 3 {
			o := newOutage(t, f)
			f.server.Kill(t)
			if n == 0 {
				o.check(t)
			}
			time.Sleep(100 * time.Millisecond) // most writers have noticed by then
			f.server.Restart(t)
			f.mustRecover(t)
		}
	})
	if failed == 0 {
		t.Error("no writer has noticed the kills")
	}
}
