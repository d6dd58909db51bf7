package faulttest

import (
	"errors"
	"net/rpc"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Processes runs the races between two other processes, each an application with its own manager and its own store at
// the address: real requests with cookies. What the stores themselves do between processes is for core/storetest, with
// [Remote] as the second handle.
func Processes(t *testing.T, address string) {
	t.Helper()
	first, second := start(t), start(t)
	for name, race := range map[string]func(t *testing.T, p *pair){
		"R1LogoutWins": logoutWins, "R1LogoutWinsAtOnce": logoutWinsAtOnce, "R2LoginWins": loginWins,
		"R4NothingIsLost": nothingIsLost, "R6OneRenewal": oneRenewal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := Place{Address: address, Prefix: testserver.Name() + ":"}
			race(t, &pair{&site{t, first, at}, &site{t, second, at}, &remote{first, address}, at.Prefix})
		})
	}
}

// pair is one application in two processes.
type pair struct {
	a, b   *site
	store  store.Lister
	prefix string
}

// site is an application in another process.
type site struct {
	t      *testing.T
	client *rpc.Client
	place  Place
}

func (s *site) call(method string, args, reply any) {
	s.t.Helper()
	if err := s.client.Call("Process."+method, args, reply); err != nil {
		s.t.Fatalf("%s in another process = %v", method, err)
	}
}

// arrive begins a request there.
func (s *site) arrive(cookie string) (number int) {
	s.t.Helper()
	s.call("Arrive", Arrival{s.place, cookie}, &number)
	return number
}

// leave ends it.
func (s *site) leave(number int, d Deed) (r Reply) {
	s.t.Helper()
	s.call("Leave", Departure{number, d}, &r)
	return r
}

// visit is a whole request.
func (s *site) visit(cookie string, d Deed) Reply {
	s.t.Helper()
	return s.leave(s.arrive(cookie), d)
}

// enter starts a session and returns its cookie.
func (s *site) enter() string {
	s.t.Helper()
	return s.next(s.visit("", Deed{Do: doCount}))
}

// next returns the cookie that a reply must set.
func (s *site) next(r Reply) string {
	s.t.Helper()
	var b browser
	if b.keep(r.SetCookie); b.cookie == "" {
		s.t.Fatal("the reply sets no session cookie")
	}
	return b.cookie
}

// dead checks that a cookie opens nothing, in either process.
func (p *pair) dead(cookie string) {
	p.a.t.Helper()
	for _, s := range []*site{p.a, p.b} {
		if r := s.visit(cookie, Deed{Do: doRead}); !r.IsNew || len(r.Values) > 0 {
			p.a.t.Errorf("the session that was ended is alive, with %v", r.Values)
		}
	}
}

// stored checks how many records there are.
func (p *pair) stored(want int) {
	p.a.t.Helper()
	keys := make(map[string]bool)
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := p.store.List(p.a.t.Context(), p.prefix, cursor, 100)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil {
			p.a.t.Fatalf("List = %v", err)
		}
		for i := range page {
			keys[page[i].Key] = true
		}
		cursor = next
	}
	if len(keys) != want {
		p.a.t.Errorf("%d records are stored, want %d", len(keys), want)
	}
}

// removal reports whether a reply takes the cookie away.
func (r *Reply) removal() bool { return strings.Contains(r.SetCookie, "Max-Age=0;") }

// logoutWins: a request arrives, the session is ended in the other process, the request does something and leaves.
func logoutWins(t *testing.T, p *pair) {
	t.Helper()
	for _, late := range append(writes(), Deed{Do: doRead}) {
		cookie := p.a.enter()
		number := p.a.arrive(cookie)
		if r := p.b.visit(cookie, Deed{Do: doLogout}); !r.removal() {
			t.Error("the logout does not take the cookie away")
		}
		if r := p.a.leave(number, late); r.SetCookie != "" && late.Do != doLogout {
			t.Errorf("%s after a logout elsewhere sets a cookie", late.Do)
		}
		p.dead(cookie)
	}
	p.stored(0)
}

// logoutWinsAtOnce ends a session that many requests in the other process are writing.
func logoutWinsAtOnce(t *testing.T, p *pair) {
	t.Helper()
	for range 5 {
		cookie := p.a.enter()
		crowd := p.a.client.Go("Process.Count", Crowd{p.a.place, cookie, "", 4, 25}, new(int), nil)
		for p.b.visit(cookie, Deed{Do: doRead}).Values[string(counter)] < 10 {
			continue // until they are at it
		}
		p.b.visit(cookie, Deed{Do: doLogout})
		p.dead(cookie)
		if <-crowd.Done; crowd.Error != nil {
			t.Errorf("counting while the session is ended = %v", crowd.Error)
		}
		p.dead(cookie)
	}
	p.stored(0)
}

// loginWins: a request arrives, somebody signs in with the session in the other process, the request does something.
func loginWins(t *testing.T, p *pair) {
	t.Helper()
	for _, late := range append(writes(), Deed{Do: doRead}) {
		cookie := p.a.enter()
		number := p.a.arrive(cookie)
		own := p.b.next(p.b.visit(cookie, Deed{doLogin, "alice"}))
		p.b.visit(own, Deed{doMark, "kept"})
		if r := p.a.leave(number, late); r.SetCookie != "" {
			t.Errorf("%s under the old secret after a login sets a cookie", late.Do)
		}
		p.dead(cookie)
		r := p.a.visit(own, Deed{Do: doRead})
		if r.IsNew || r.Subject != "alice" || len(r.Values) != 2 || r.Values[string(counter)] != 1 || r.Values["kept"] != 1 {
			t.Errorf("%s under the old secret has left the session of %q with %v", late.Do, r.Subject, r.Values)
		}
	}
	p.stored(len(writes()) + 1)
}

// nothingIsLost has 16 workers in two processes count 100 times each, all in one counter and each in its own.
func nothingIsLost(t *testing.T, p *pair) {
	t.Helper()
	const workers, each = 8, 100
	cookie := p.a.enter()
	var both sync.WaitGroup
	for name, s := range map[string]*site{"a": p.a, "b": p.b} {
		both.Go(func() {
			if err := s.client.Call("Process.Count", Crowd{s.place, cookie, name, workers, each}, new(int)); err != nil {
				t.Errorf("counting = %v", err)
			}
		})
	}
	both.Wait()
	r := p.b.visit(cookie, Deed{Do: doRead})
	if got, want := r.Values[string(counter)], 2*workers*each+1; got != want {
		t.Errorf("the counter is at %d, want exactly %d", got, want)
	}
	for _, name := range []string{"a", "b"} {
		for n := range workers {
			if got := r.Values[name+strconv.Itoa(n)]; got != each {
				t.Errorf("worker %s%d has counted to %d, want exactly %d", name, n, got, each)
			}
		}
	}
	p.stored(1)
}

// oneRenewal has four requests in two processes renew one session at once: all end up with the one new secret.
func oneRenewal(t *testing.T, p *pair) {
	t.Helper()
	const rounds = 10
	for range rounds {
		cookie := p.a.enter()
		var mu sync.Mutex
		cookies := make(map[string]bool)
		var all sync.WaitGroup
		for _, s := range []*site{p.a, p.b, p.a, p.b} {
			number := s.arrive(cookie)
			all.Go(func() {
				var r Reply
				if err := s.client.Call("Process.Leave", Departure{number, Deed{Do: doRenew}}, &r); err != nil {
					t.Errorf("renewing = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				var b browser
				b.keep(r.SetCookie)
				cookies[b.cookie] = true
			})
		}
		all.Wait()
		if len(cookies) != 1 || cookies[""] || cookies[cookie] {
			t.Fatalf("four renewals at once have handed out %d different cookies, want one new one", len(cookies))
		}
		for renewed := range cookies {
			if r := p.b.visit(renewed, Deed{Do: doRead}); r.IsNew || r.Values[string(counter)] != 1 {
				t.Errorf("the renewed session has %v, want its data", r.Values)
			}
		}
		if r := p.a.visit(cookie, Deed{Do: doRead}); r.IsNew || r.SetCookie == "" {
			t.Errorf("the old cookie within its grace finds %v, want the session and the new cookie", r.Values)
		}
	}
	p.stored(rounds)
}
