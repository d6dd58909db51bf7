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
	// Start starts a server for this test alone, and returns the address of an empty store on it.
	Start func(tb testing.TB) (server *testserver.Server, address string)
	Open  Open
	// Kill is what a kill costs.
	Kill Loss
	// Conns is how many connections a store may hold.
	Conns int
	// Deny returns an address with [WrongPassword] in the place of the right one. Nil: the server has no passwords.
	Deny func(server *testserver.Server, address string) string
}

// WrongPassword is not the password.
const WrongPassword = "not-the-password"

// Faults drives one manager for each backend through every fault, one after the other, all backends at once. It is not
// for parallel tests, so that the goroutines that are left can be counted.
func Faults(t *testing.T, backends ...Backend) {
	t.Helper()
	before := goroutines()
	t.Run("O5Faults", func(t *testing.T) {
		for _, b := range backends {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				b.faults(t)
			})
		}
	})
	Eventually(t, "goroutines are left", func() bool { return goroutines() <= before })
}

// rig is an application on a server that will be broken, by way of a proxy.
type rig struct {
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
	m, err := newManager(s, Place{Prefix: prefix}, timeout)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{b, server, proxy, address, prefix, s, m}
	for _, fault := range []struct {
		name string
		run  func(t *testing.T, r *rig)
	}{
		{"Slow", slow},
		{"BlackHole", blackHole},
		{"Refused", refused},
		{"WrongPassword", wrongPassword},
		{"CutReply", cutReply},
		{"LostReply", lostReply},
		{"Reset", reset},
		{"Paused", paused},
		{"Killed", killed},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.run(t, r)
			proxy.Heal()
			r.recovers(t)
		})
	}
	r.steady(t)
	closeManager(t, m)
	if err := closeAll(); err != nil {
		t.Errorf("closing the store = %v", err)
	}
	Eventually(t, "connections are open after the store was closed", func() bool {
		runtime.GC() // some clients forget, but do not close, a connection whose greeting got no answer
		_, open := proxy.Connections()
		return open == 0
	})
	runtime.KeepAlive(r) // or the collector would close what the store has left open
}

// recovers waits until the manager serves everybody again, and checks that it holds no more connections than it may.
func (r *rig) recovers(t *testing.T) {
	t.Helper()
	Eventually(t, "the manager does not recover", func() bool { return r.rush(t, 5) == nil })
	Eventually(t, "more connections are open than may be", func() bool {
		runtime.GC()
		_, open := r.proxy.Connections()
		return open <= r.Conns
	})
}

// steady checks that no fault has left something that costs a connection now and then.
func (r *rig) steady(t *testing.T) {
	t.Helper()
	before, _ := r.proxy.Connections()
	if err := r.rush(t, 25); err != nil {
		t.Errorf("a visit after all faults = %v", err)
	}
	if after, _ := r.proxy.Connections(); after-before > r.Conns {
		t.Errorf("%d visits after all faults took %d new connections", 25*writers, after-before)
	}
}

// rush has several browsers at once start a session, come back and sign out.
func (r *rig) rush(t *testing.T, visits int) error {
	t.Helper()
	errs := make([]error, writers)
	var all sync.WaitGroup
	for n := range errs {
		all.Go(func() {
			b := browser{manager: r.manager}
			Promptly(t, func() {
				for i := 0; i < visits && errs[n] == nil; i++ {
					errs[n] = b.visit(t.Context(), func(s *core.Session) error {
						if got := counter.Get(s); got != i {
							t.Errorf("visit %d finds the counter at %d", i, got)
						}
						return Deed{Do: doCount}.act(s)
					})
				}
				if errs[n] == nil {
					errs[n] = b.visit(t.Context(), Deed{Do: doLogout}.act)
				}
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// slow has a server that takes its time: within the deadline nobody notices, beyond it everybody is told.
func slow(t *testing.T, r *rig) {
	t.Helper()
	r.recovers(t) // so that connections are made
	r.proxy.Delay(timeout / 20)
	if err := r.rush(t, 3); err != nil {
		t.Errorf("a visit while the server is slow = %v, want success", err)
	}
	r.proxy.Delay(0)
	down := newOutage(t, r)
	r.proxy.Delay(3 * timeout)
	down.check(t)
}

func blackHole(t *testing.T, r *rig) {
	t.Helper()
	down := newOutage(t, r)
	r.proxy.BlackHole()
	down.check(t)
}

// refused has every connection ended as soon as it is made.
func refused(t *testing.T, r *rig) {
	t.Helper()
	down := newOutage(t, r)
	r.proxy.Drop()
	down.check(t)
}

// wrongPassword is turned away, with an error that does not tell the password.
func wrongPassword(t *testing.T, r *rig) {
	t.Helper()
	if r.Deny == nil {
		t.Skip("the server has no passwords, or its store's own tests have them")
	}
	s, closeAll, err := r.Open(r.proxy.Through(r.Deny(r.server, r.address)))
	if err != nil {
		t.Fatal(err)
	}
	down := newOutage(t, r)
	if down.manager, err = newManager(s, Place{Prefix: r.prefix}, timeout); err != nil {
		t.Fatal(err)
	}
	down.store, down.late = s, nil
	down.check(t)
	closeManager(t, down.manager)
	if err := closeAll(); err != nil {
		t.Errorf("closing the store = %v", err)
	}
}

// cutReply ends connections within the replies to eight writers, after more bytes each time.
func cutReply(t *testing.T, r *rig) {
	t.Helper()
	through(t, r.manager, Nothing, func() {
		for n := range 20 {
			await(t, r.proxy.CutAfter(n*n/2), "nobody reads")
		}
	})
}

// lostReply lets saves through and loses their replies: what is repeated must not be done twice.
func lostReply(t *testing.T, r *rig) {
	t.Helper()
	through(t, r.manager, Nothing, func() {
		for range 10 {
			await(t, r.proxy.SwallowReply(marked), "nobody writes")
		}
	})
}

// reset ends all connections at once, again and again.
func reset(t *testing.T, r *rig) {
	t.Helper()
	through(t, r.manager, Nothing, func() {
		for range 50 {
			r.proxy.Reset()
			time.Sleep(5 * time.Millisecond) // until most are at writing again
		}
	})
}

// paused has a server that stands still for ten seconds, and longer if a request should wait for it.
func paused(t *testing.T, r *rig) {
	t.Helper()
	down := newOutage(t, r)
	failed := through(t, r.manager, Nothing, func() {
		r.server.Pause(t)
		begun := time.Now()
		down.check(t)
		time.Sleep(10*time.Second - time.Since(begun))
		r.server.Resume(t)
	})
	if failed == 0 {
		t.Error("no writer has noticed the pause")
	}
}

// killed has a server that dies under eight writers, three times.
func killed(t *testing.T, r *rig) {
	t.Helper()
	failed := through(t, r.manager, r.Kill, func() {
		for n := range 3 {
			down := newOutage(t, r)
			r.server.Kill(t)
			if n == 0 {
				down.check(t)
			}
			time.Sleep(100 * time.Millisecond) // until most have met a server that is not there
			r.server.Restart(t)
			r.recovers(t)
		}
	})
	if failed == 0 {
		t.Error("no writer has noticed the kills")
	}
}
