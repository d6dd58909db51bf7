package faulttest

import (
	"errors"
	"maps"
	"net/rpc"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Processes tests races between two other processes. Each is an application with its own
// manager and its own store at the address, and serves requests with cookies. Races between
// the stores themselves are tested by core/storetest with a store of [Remote].
func Processes(t *testing.T, address string) {
	t.Helper()
	first, second := startProcess(t), startProcess(t)
	for name, race := range map[string]func(t *testing.T, p *appPair){
		"R1LogoutWins":       logoutWins,
		"R1LogoutWinsAtOnce": logoutWinsAtOnce,
		"R2LoginWins":        loginWins,
		"R2LoginsJoin":       loginsJoin,
		"R4NothingIsLost":    nothingIsLost,
		"R4TakenOnce":        takenOnce,
		"R6OneRenewal":       oneRenewal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := AppConfig{Address: address, Prefix: testserver.Name() + ":"}
			a, b := &remoteApp{t, first, config}, &remoteApp{t, second, config}
			race(t, &appPair{a, b, &remoteStore{first, address}, config.Prefix})
		})
	}
}

// appPair is one application in two processes.
type appPair struct {
	a, b   *remoteApp
	store  store.Lister
	prefix string
}

// remoteApp is an application in another process.
type remoteApp struct {
	t      *testing.T
	client *rpc.Client
	config AppConfig
}

func (app *remoteApp) call(method string, args, reply any) {
	app.t.Helper()
	if err := app.client.Call("Process."+method, args, reply); err != nil {
		app.t.Fatalf("%s in another process = %v", method, err)
	}
}

// begin begins a request.
func (app *remoteApp) begin(cookie string) (number int) {
	app.t.Helper()
	app.call("Begin", BeginArgs{app.config, cookie}, &number)
	return number
}

// end performs the action of a request and ends it.
func (app *remoteApp) end(number int, a Action) (r Reply) {
	app.t.Helper()
	app.call("End", EndArgs{number, a}, &r)
	return r
}

// visit sends a request.
func (app *remoteApp) visit(cookie string, a Action) Reply {
	app.t.Helper()
	return app.end(app.begin(cookie), a)
}

// startSession starts a session and returns its cookie.
func (app *remoteApp) startSession() string {
	app.t.Helper()
	return app.mustSetCookie(app.visit("", Action{Name: actionCount}))
}

// mustSetCookie returns the cookie that a reply sets. It must set one.
func (app *remoteApp) mustSetCookie(r Reply) string {
	app.t.Helper()
	var b browser
	if b.storeCookie(r.SetCookie); b.cookie == "" {
		app.t.Fatal("the reply sets no session cookie")
	}
	return b.cookie
}

// mustBeEnded checks in both processes that a cookie finds no session and is told why not.
func (p *appPair) mustBeEnded(cookie string, why core.Reason) {
	p.a.t.Helper()
	for _, app := range []*remoteApp{p.a, p.b} {
		r := app.visit(cookie, Action{Name: actionRead})
		if !r.IsNew || len(r.Values) > 0 || r.SetCookie != "" {
			p.a.t.Errorf("the session that was ended is alive, with %v", r.Values)
		}
		if r.Overtaken != why {
			p.a.t.Errorf("the session that was ended is overtaken by %q, want %q",
				r.Overtaken, why)
		}
	}
}

// mustHaveRecords checks how many sessions and how many marks are stored, if the store can list
// them.
func (p *appPair) mustHaveRecords(sessions, marks int) {
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
	var walked int
	p.a.call("Walk", p.a.config, &walked)
	if walked != sessions || len(keys) != sessions+marks {
		p.a.t.Errorf("%d sessions and %d other records are stored, want %d and %d marks",
			walked, len(keys)-walked, sessions, marks)
	}
}

// removesCookie reports whether a reply removes the cookie.
func (r *Reply) removesCookie() bool { return strings.Contains(r.SetCookie, "Max-Age=0;") }

// logoutWins begins a request, ends its session in the other process, and ends the request
// with each action.
func logoutWins(t *testing.T, p *appPair) {
	t.Helper()
	for _, late := range append(writeActions(), Action{Name: actionRead}) {
		cookie := p.a.startSession()
		number := p.a.begin(cookie)
		if r := p.b.visit(cookie, Action{Name: actionLogout}); !r.removesCookie() {
			t.Error("the logout does not remove the cookie")
		}
		switch r := p.a.end(number, late); {
		case late.Name == actionLogin:
			p.mustBeOwn(&r, cookie)
		case r.SetCookie != "" && late.Name != actionLogout:
			t.Errorf("%s after a logout elsewhere sets a cookie", late.Name)
		}
		p.mustBeEnded(cookie, core.ReasonSignedOut)
	}
	p.mustHaveRecords(1, len(writeActions())+1)
}

// mustBeOwn checks the reply of a login whose anonymous session another request had ended or
// signed in with: it starts a session of its own with the data that it had loaded.
func (p *appPair) mustBeOwn(login *Reply, before string) {
	p.a.t.Helper()
	own := p.a.mustSetCookie(*login)
	r := p.b.visit(own, Action{Name: actionRead})
	want := map[string]int{string(counter): 1}
	if own == before || r.IsNew || r.Subject != "mallory" || !maps.Equal(r.Values, want) {
		p.a.t.Errorf("a login whose session was overtaken leads to a session of %q with %v",
			r.Subject, r.Values)
	}
}

// logoutWinsAtOnce ends a session while many requests in the other process write to it.
func logoutWinsAtOnce(t *testing.T, p *appPair) {
	t.Helper()
	const rounds = 5
	for range rounds {
		cookie := p.a.startSession()
		args := CountArgs{p.a.config, cookie, "", 4, 25}
		count := p.a.client.Go("Process.Count", args, new(int), nil)
		for p.b.visit(cookie, Action{Name: actionRead}).Values[string(counter)] < 10 {
			continue // until they are writing
		}
		p.b.visit(cookie, Action{Name: actionLogout})
		p.mustBeEnded(cookie, core.ReasonSignedOut)
		if <-count.Done; count.Error != nil {
			t.Errorf("counting while the session is ended = %v", count.Error)
		}
		p.mustBeEnded(cookie, core.ReasonSignedOut)
	}
	p.mustHaveRecords(0, rounds)
}

// loginWins begins a request, logs in with its session in the other process, and ends the
// request with each action.
func loginWins(t *testing.T, p *appPair) {
	t.Helper()
	for _, late := range append(writeActions(), Action{Name: actionRead}) {
		cookie := p.a.startSession()
		number := p.a.begin(cookie)
		own := p.b.mustSetCookie(p.b.visit(cookie, Action{actionLogin, "alice"}))
		p.b.visit(own, Action{actionMark, "kept"})
		switch r := p.a.end(number, late); {
		case late.Name == actionLogin:
			p.mustBeOwn(&r, cookie)
		case r.SetCookie != "":
			t.Errorf("%s under the old secret after a login sets a cookie", late.Name)
		}
		p.mustBeEnded(cookie, core.ReasonSignedIn)
		r := p.a.visit(own, Action{Name: actionRead})
		want := map[string]int{string(counter): 1, "kept": 1}
		if r.IsNew || r.Subject != "alice" || !maps.Equal(r.Values, want) {
			t.Errorf("%s under the old secret has left the session of %q with %v",
				late.Name, r.Subject, r.Values)
		}
	}
	p.mustHaveRecords(len(writeActions())+2, 0)
}

// loginsJoin lets four requests in two processes log in the same user concurrently from one
// anonymous session. All must join one session, and the cookie of each must open it until one
// of them has come back.
func loginsJoin(t *testing.T, p *appPair) {
	t.Helper()
	const rounds = 5
	for range rounds {
		cookie := p.a.startSession()
		id := p.a.visit(cookie, Action{Name: actionRead}).ID
		var mu sync.Mutex
		var cookies []string
		var all sync.WaitGroup
		for _, app := range []*remoteApp{p.a, p.b, p.a, p.b} {
			args := EndArgs{app.begin(cookie), Action{actionLogin, "alice"}}
			all.Go(func() {
				var r Reply
				if err := app.client.Call("Process.End", args, &r); err != nil {
					t.Errorf("signing in = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				var b browser
				b.storeCookie(r.SetCookie)
				if cookies = append(cookies, b.cookie); r.ID != id {
					t.Error("a login has not joined the session")
				}
			})
		}
		all.Wait()
		for n, own := range cookies {
			r := []*remoteApp{p.a, p.b}[n%2].visit(own, Action{Name: actionRead})
			want := map[string]int{string(counter): 1}
			if own == "" || r.ID != id || r.Subject != "alice" || !maps.Equal(r.Values, want) {
				t.Errorf("one of four concurrent logins leads to a session of %q with %v",
					r.Subject, r.Values)
			}
		}
		p.mustBeEnded(cookie, core.ReasonSignedIn)
	}
	p.mustHaveRecords(rounds, 0)
}

// takenOnce lets eight requests in two processes take one value.
func takenOnce(t *testing.T, p *appPair) {
	t.Helper()
	for round := range 10 {
		cookie := p.a.startSession()
		p.a.visit(cookie, Action{actionMark, "code"})
		before := p.a.visit(cookie, Action{Name: actionRead}).Values[string(counter)]
		var all sync.WaitGroup
		for n := range 8 {
			app := []*remoteApp{p.a, p.b}[n%2]
			args := EndArgs{app.begin(cookie), Action{actionTake, "code"}}
			all.Go(func() {
				var r Reply
				if err := app.client.Call("Process.End", args, &r); err != nil {
					t.Errorf("taking a value = %v", err)
				}
			})
		}
		all.Wait()
		r := p.b.visit(cookie, Action{Name: actionRead})
		if _, left := r.Values["code"]; left || r.Values[string(counter)] != before+1 {
			t.Errorf("round %d: the session holds %v, want a counter of %d", round, r.Values, before+1)
		}
	}
}

// nothingIsLost lets 16 workers in two processes count 100 times each, in one common counter
// and one of their own.
func nothingIsLost(t *testing.T, p *appPair) {
	t.Helper()
	const workers, each = 8, 100
	cookie := p.a.startSession()
	var both sync.WaitGroup
	for name, app := range map[string]*remoteApp{"a": p.a, "b": p.b} {
		both.Go(func() {
			args := CountArgs{app.config, cookie, name, workers, each}
			if err := app.client.Call("Process.Count", args, new(int)); err != nil {
				t.Errorf("counting = %v", err)
			}
		})
	}
	both.Wait()
	r := p.b.visit(cookie, Action{Name: actionRead})
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
	p.mustHaveRecords(1, 0)
}

// oneRenewal lets four requests in two processes renew one session concurrently. All must get
// the same new secret.
func oneRenewal(t *testing.T, p *appPair) {
	t.Helper()
	const rounds = 10
	for range rounds {
		cookie := p.a.startSession()
		var mu sync.Mutex
		cookies := make(map[string]bool)
		var all sync.WaitGroup
		for _, app := range []*remoteApp{p.a, p.b, p.a, p.b} {
			args := EndArgs{app.begin(cookie), Action{Name: actionRenew}}
			all.Go(func() {
				var r Reply
				if err := app.client.Call("Process.End", args, &r); err != nil {
					t.Errorf("renewing = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				var b browser
				b.storeCookie(r.SetCookie)
				cookies[b.cookie] = true
			})
		}
		all.Wait()
		if len(cookies) != 1 || cookies[""] || cookies[cookie] {
			t.Fatalf("four concurrent renewals set %d different cookies, want one new one",
				len(cookies))
		}
		for renewed := range cookies {
			r := p.b.visit(renewed, Action{Name: actionRead})
			if r.IsNew || r.Values[string(counter)] != 1 {
				t.Errorf("the renewed session has %v, want its data", r.Values)
			}
		}
		if r := p.a.visit(cookie, Action{Name: actionRead}); r.IsNew || r.SetCookie == "" {
			const text = "the old cookie finds %v in its grace, want the session and a new cookie"
			t.Errorf(text, r.Values)
		}
	}
	p.mustHaveRecords(rounds, 0)
}
