package examples_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

const (
	patience = 2 * time.Second // how long the programs wait for their stores
	watchdog = time.Minute     // how long the visitors wait for the programs, which is never needed
)

// servers are the stores that have one, each with a function that starts it, for a test to break.
func servers() map[string]func(*testing.T) (server *testserver.Server, addr string) {
	return map[string]func(*testing.T) (*testserver.Server, string){
		"redis": func(t *testing.T) (*testserver.Server, string) {
			t.Helper()
			server := testserver.Start(t, testserver.Redis{Password: "secret"})
			addr := server.URL()
			return server, addr
		},
		"memcached": func(t *testing.T) (*testserver.Server, string) {
			t.Helper()
			server := testserver.Start(t, testserver.Memcached{})
			addr := server.URL()
			return server, addr
		},
		"postgres": func(t *testing.T) (*testserver.Server, string) {
			t.Helper()
			server := testserver.Start(t, testserver.Postgres{})
			addr := server.Database(t)
			return server, addr
		},
		"mysql": func(t *testing.T) (*testserver.Server, string) {
			t.Helper()
			server := testserver.Start(t, testserver.MariaDB{})
			addr := server.Database(t)
			return server, addr
		},
		"mongodb": func(t *testing.T) (*testserver.Server, string) {
			t.Helper()
			server := testserver.Start(t, testserver.Mongo{})
			addr := server.Database(t)
			return server, addr
		},
	}
}

// standsFaults has a guest in each program, all on one server, and breaks that in every way. No program is started again.
func standsFaults(t *testing.T, binaries, store string) {
	t.Helper()
	server, addr := servers()[store](t)
	var all guests
	for _, framework := range frameworks() {
		proxy := server.Proxy(t)
		p := program{binary: filepath.Join(binaries, framework), store: store, where: where{proxy.Through(addr), proxy}}
		p.flags = []string{"-store-timeout", patience.String()}
		all = append(all, newGuest(t, framework, p))
	}
	all.each(t, "Slow", (*guest).waits)
	all.through(t, "TooSlow", func(p *testserver.Proxy) { p.Delay(3 * patience) })
	all.through(t, "BlackHole", (*testserver.Proxy).BlackHole)
	all.each(t, "Cut", (*guest).isCutOff)
	server.Pause(t)
	all.each(t, "Paused", (*guest).isRefused)
	server.Resume(t)
	all.each(t, "Resumed", (*guest).goesOn)
	all.each(t, "End", (*guest).leaves)
}

// guests are one in each program.
type guests []*guest

// each has them all do something at the same time. What they have to say appears under their programs' names.
func (all guests) each(t *testing.T, name string, do func(*guest, *visitor)) {
	t.Helper()
	var done sync.WaitGroup
	for _, g := range all {
		done.Go(func() {
			t.Run(name+"/"+g.framework, func(t *testing.T) { do(g, g.in(t)) })
		})
	}
	done.Wait()
}

// through breaks the connections while the guests click, has them all refused, and heals.
func (all guests) through(t *testing.T, name string, fault func(*testserver.Proxy)) {
	t.Helper()
	all.each(t, name, func(g *guest, v *visitor) {
		v.Helper()
		var over atomic.Bool
		var clicking sync.WaitGroup
		warm := make(chan struct{})
		clicking.Go(func() { g.clicks(v, &over, warm) })
		<-warm
		fault(g.proxy)
		g.isRefused(v)
		g.proxy.Heal()
		over.Store(true)
		clicking.Wait()
		g.goesOn(v)
	})
}

// guest is a visitor who signed in, chose colours, and counts, and who knows what the count can be.
type guest struct {
	*visitor // who came in; each test has one of its own with the same cookies
	program
	framework    string
	stop         func() (complaints string)
	secret       string
	leaver       *visitor // signed in, and about to sign out
	acked, doubt int      // the count as it was shown last, and the clicks since that were not answered
}

func newGuest(t *testing.T, framework string, p program) *guest {
	t.Helper()
	g := &guest{visitor: visit(t, ""), program: p, framework: framework}
	g.stop = p.launch(g.visitor)
	g.leaver = g.stranger()
	for _, v := range []*visitor{g.visitor, g.leaver} {
		g.until(v, func() answer { return v.post("/signin", url.Values{"user": {"ada"}}) }).wants(v, 200, "Welcome, ada.")
	}
	colours := url.Values{"name": {"Ada"}, "scheme": {"dark"}, "accent": {"plum"}}
	g.until(g.visitor, func() answer { return g.post("/preferences", colours) }).wants(g.visitor, 200, "Your preferences are saved.")
	g.secret = g.token()
	return g
}

// in returns the guest as a visitor of another test, with the same cookies, who does not wait for ever.
func (g *guest) in(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{T: t, base: g.base, secrets: g.secrets}
	v.client = &http.Client{Jar: g.client.Jar, Transport: v, Timeout: watchdog}
	return v
}

// waits finds a server that is slow and yet fast enough: everything works.
func (g *guest) waits(v *visitor) {
	v.Helper()
	g.goesOn(v) // with connections that are open
	g.proxy.Delay(50 * time.Millisecond)
	v.wants("/counter", 200, "ada", `data-scheme="dark" data-accent="plum"`)
	if g.click(v); g.doubt > 0 {
		v.Error("a click was refused")
	}
	g.proxy.Heal()
}

// clicks clicks, one after the other, until it is over. After three it is warm.
func (g *guest) clicks(v *visitor, over *atomic.Bool, warm chan<- struct{}) {
	v.Helper()
	for i := 1; !over.Load(); i++ {
		if g.click(v); i == 3 {
			close(warm)
		}
	}
}

// click clicks once and compares the answer with what it can be.
func (g *guest) click(v *visitor) answer {
	v.Helper()
	got := v.post("/counter/hits", nil)
	if got.status != http.StatusOK {
		g.doubt++
		refused(v, "a click", got)
		return got
	}
	if n := shown(v, got); n <= g.acked || n > g.acked+g.doubt+1 {
		v.Errorf("a click made the count %d; it was %d, and %d clicks since went unanswered", n, g.acked, g.doubt)
	} else {
		g.acked, g.doubt = n, 0
	}
	return got
}

// shown returns the count in an answer for scripts.
func shown(v *visitor, got answer) int {
	v.Helper()
	var tally struct{ Count int }
	if err := json.Unmarshal([]byte(got.body), &tally); err != nil {
		v.Errorf("the count is %q: %v", got.body, err)
	}
	return tally.Count
}

// refused checks an answer for somebody whose session cannot be looked up: it is not one that has ended, or never was.
func refused(v *visitor, what string, got answer) {
	v.Helper()
	if got.status != http.StatusServiceUnavailable || got.header.Get("Set-Cookie") != "" || strings.Contains(got.body, none) {
		v.Errorf("%s without the store: status %d, Set-Cookie %q, and the page\n%s", what, got.status, got.header.Get("Set-Cookie"), got.body)
	}
}

// isRefused asks for all kinds of things while the store does not answer. Who needs no session notices nothing.
func (g *guest) isRefused(v *visitor) {
	v.Helper()
	stranger := v.stranger()
	g.leaver.client.Timeout, stranger.client.Timeout = watchdog, watchdog
	var all sync.WaitGroup
	for _, try := range []struct {
		who          *visitor
		method, path string
		form         url.Values
	}{
		{v, http.MethodGet, "/session", nil},
		{v, http.MethodGet, "/", nil},
		{v, http.MethodGet, "/counter/hits", nil},
		{v, http.MethodHead, "/", nil},
		{v, http.MethodPost, "/preferences", url.Values{"name": {"Eve"}, "scheme": {"light"}, "accent": {"rust"}}},
		{g.leaver, http.MethodPost, "/signout", nil},
		{stranger, http.MethodPost, "/signin", url.Values{"user": {"eve"}}},
		{stranger, http.MethodPost, "/counter/hits", nil},
	} {
		r := try.who.request(try.method, try.path, try.form)
		all.Go(func() { refused(v, try.method+" "+try.path, try.who.send(r)) })
	}
	stranger.wants("/session", 200, none)
	all.Wait()
}

// isCutOff loses the connection in the middle of a reply of the store, at one place after the other. The store may try again,
// so the visitor may not notice.
func (g *guest) isCutOff(v *visitor) {
	v.Helper()
	for _, n := range []int{1, 20, 60, 150, 400, 1000} {
		for cut, tries := g.proxy.CutAfter(n), 1; !closed(cut); tries++ {
			g.click(v)
			if got := v.send(v.request(http.MethodGet, "/counter", nil)); got.status == http.StatusOK {
				got.wants(v, 200, "ada", `data-scheme="dark" data-accent="plum"`)
			} else {
				refused(v, "a page", got)
			}
			if tries == 1000 {
				v.Fatal("the store is not asked")
			}
		}
	}
	g.goesOn(v)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// until asks again while the store does not answer, which has an end.
func (g *guest) until(v *visitor, ask func() answer) (got answer) {
	v.Helper()
	for end := time.Now().Add(watchdog); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = ask(); got.status != http.StatusServiceUnavailable {
			return got
		}
		refused(v, "a request", got)
	}
	v.Error("the program does not recover")
	return got
}

// goesOn finds everything as it was, as soon as the store answers, and counts on.
func (g *guest) goesOn(v *visitor) {
	v.Helper()
	page := func() answer { return v.send(v.request(http.MethodGet, "/counter", nil)) }
	g.until(v, page).wants(v, 200, "ada", `data-scheme="dark" data-accent="plum"`)
	hits := g.until(v, func() answer { return v.send(v.request(http.MethodGet, "/counter/hits", nil)) })
	if n := shown(v, hits); n < g.acked || n > g.acked+g.doubt {
		v.Errorf("the count is %d; it was %d, and %d clicks since went unanswered", n, g.acked, g.doubt)
	}
	g.until(v, func() answer { return g.click(v) })
	if g.token() != g.secret {
		v.Error("the cookie changed")
	}
	if g.leaver.token() == "" {
		v.Error("signing out was refused, and took the cookie")
	}
}

// leaves signs out, ends the program, and reads what it wrote: of the outages, and of nothing else.
func (g *guest) leaves(v *visitor) {
	v.Helper()
	g.until(v, func() answer { return v.post("/signout", nil) }).wants(v, 200, "Signed out")
	v.stranger().with(g.secret, "/session").wants(v, 200, none)
	complaints := g.stop()
	for _, bad := range []string{"DATA RACE", "panic", g.secret[22:]} {
		if strings.Contains(complaints, bad) {
			v.Errorf("the program wrote %q:\n%s", bad, complaints)
		}
	}
	if !strings.Contains(complaints, "sessions: ") {
		v.Errorf("the program wrote nothing of the outages:\n%s", complaints)
	}
}
