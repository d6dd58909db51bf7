package examples_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

// where is a place to keep sessions in: what -store-addr says, and what breaks the connections to it.
type where struct {
	addr  string            // "" for the memory store
	proxy *testserver.Proxy // nil for a store without a server
}

// stores are all that -store takes, each with a function that returns a new place for it.
func stores() map[string]func(*testing.T) where {
	return map[string]func(*testing.T) where{
		"memory": func(*testing.T) where { return where{} },
		"sqlite": func(t *testing.T) where { t.Helper(); return where{addr: filepath.Join(t.TempDir(), "sessions.db")} },
		"redis": func(t *testing.T) where {
			t.Helper()
			server := testserver.Shared(t, testserver.Redis{Password: "secret"})
			return through(t, server, server.URL())
		},
		"memcached": func(t *testing.T) where {
			t.Helper()
			server := testserver.Shared(t, testserver.Memcached{})
			return through(t, server, server.URL())
		},
		"postgres": func(t *testing.T) where {
			t.Helper()
			server := testserver.Shared(t, testserver.Postgres{})
			return through(t, server, server.Database(t))
		},
		"mysql": func(t *testing.T) where {
			t.Helper()
			server := testserver.Shared(t, testserver.MariaDB{})
			return through(t, server, server.Database(t))
		},
		"mongodb": func(t *testing.T) where {
			t.Helper()
			server := testserver.Shared(t, testserver.Mongo{})
			return through(t, server, server.Database(t))
		},
	}
}

func through(t *testing.T, server *testserver.Server, addr string) where {
	t.Helper()
	proxy := server.Proxy(t)
	return where{proxy.Through(addr), proxy}
}

// slowServer are the flags of a program whose server may have to wait for the processor.
func slowServer() []string { return []string{"-store-timeout", "1m"} }

// runsOnEveryStore runs each program on each store. Nothing but two flags differs. Then, it breaks the stores.
func runsOnEveryStore(t *testing.T, binaries string) {
	t.Helper()
	for _, framework := range frameworks() {
		for store, place := range stores() {
			t.Run(framework+"/"+store, func(t *testing.T) {
				t.Parallel()
				p := program{binary: filepath.Join(binaries, framework), store: store, where: place(t)}
				p.flags = slowServer()
				v := visit(t, "")
				p.works(v)
				p.restarts(v)
			})
		}
	}
	for store := range servers() {
		t.Run("Faults/"+store, func(t *testing.T) { t.Parallel(); standsFaults(t, binaries, store) })
	}
}

// program is one of the programs on one of the stores.
type program struct {
	binary, store string
	where
	flags []string // more of them
}

func (p program) launch(v *visitor) (stop func() (complaints string)) {
	v.Helper()
	args := append([]string{"-store", p.store}, p.flags...)
	if p.addr != "" {
		args = append(args, "-store-addr", p.addr)
	}
	v.base, stop = launch(v.T, p.binary, args...)
	return stop
}

// works is what a visitor does who finds nothing amiss. It leaves the visitor signed in, with a click and preferences.
func (p program) works(v *visitor) {
	v.Helper()
	p.flags = slowServer() // Many clicks at once on one session wait for each other, too.
	stop := p.launch(v)
	signInAndOut(v)
	losesNoClick(visit(v.T, v.base))
	v.post("/signin", url.Values{"user": {"ada"}}).wants(v, 200, "Welcome, ada.")
	v.post("/counter", nil).wants(v, 200, `<span id="count">1</span>`)
	v.post("/preferences", url.Values{"name": {"Ada"}, "scheme": {"dark"}, "accent": {"plum"}}).wants(v, 200, "Your preferences are saved.")
	for complaint := range strings.Lines(stop()) {
		if !strings.Contains(complaint, "the server has no TTL indexes") { // what stands in for MongoDB has none
			v.Errorf("the program complained: %s", complaint)
		}
	}
}

// restarts looks for the session in another process.
func (p program) restarts(v *visitor) {
	v.Helper()
	token := v.token()
	stop := p.launch(v)
	if p.store == "memory" {
		v.wants("/session", 200, none)
		stop()
		return
	}
	p.stillThere(v)
	if p.proxy != nil {
		p.breaks(v)
		p.stillThere(v)
	}
	if v.token() != token {
		v.Error("the cookie changed")
	}
	v.post("/signout", nil).wants(v, 200, "Signed out")
	stop()
	p.launch(v)
	v.stranger().with(token, "/session").wants(v, 200, none)
}

func (p program) stillThere(v *visitor) {
	v.Helper()
	v.wants("/counter", 200, `<span id="count">1</span>`, "ada", `data-scheme="dark" data-accent="plum"`)
}

// breaks cuts the program off from its store. A session that cannot be looked up is not one that has ended.
func (p program) breaks(v *visitor) {
	v.Helper()
	p.proxy.Drop()
	defer p.proxy.Heal()
	var all sync.WaitGroup // some clients try until the time is over
	for _, r := range []*http.Request{v.request(http.MethodGet, "/session", nil), v.request(http.MethodPost, "/counter/hits", nil)} {
		all.Go(func() {
			got := v.send(r)
			got.wants(v, 503)
			if strings.Contains(got.body, none) || got.header.Get("Set-Cookie") != "" {
				v.Errorf("%s without the store: Set-Cookie %q, and the page\n%s", r.URL.Path, got.header.Get("Set-Cookie"), got.body)
			}
		})
	}
	all.Wait()
}

// refusesFlags is about stores that cannot be used: the program says why, and what to do about it.
func refusesFlags(t *testing.T, binaries string) {
	t.Helper()
	binary := filepath.Join(binaries, frameworks()[0])
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"Unknown":   {[]string{"-store", "oracle"}, `there is no store "oracle"; choose one of memory, sqlite, redis, memcached, postgres, mysql, mongodb with -store`},
		"Missing":   {[]string{"-store", "redis", "-store-addr", ""}, "the address is missing"},
		"Needless":  {[]string{"-store-addr", "localhost:1"}, "the store memory has no address"},
		"Hasty":     {[]string{"-store-timeout", "0s"}, "no store answers within 0s; choose a longer time with -store-timeout"},
		"SQLite":    {[]string{"-store", "sqlite", "-store-addr", t.TempDir()}, "the store sqlite cannot be used: "},
		"Redis":     {[]string{"-store", "redis", "-store-addr", "redis://localhost:1"}, "the store redis cannot be used: "},
		"NoURL":     {[]string{"-store", "redis", "-store-addr", "localhost:1"}, "the store redis cannot be used: "},
		"Memcached": {[]string{"-store", "memcached", "-store-addr", "localhost:1"}, "the store memcached cannot be used: "},
		"Postgres":  {[]string{"-store", "postgres", "-store-addr", "postgres://localhost:1/x"}, "the store postgres cannot be used: "},
		"MySQL":     {[]string{"-store", "mysql", "-store-addr", "root@tcp(localhost:1)/x"}, "the store mysql cannot be used: "},
		"MongoDB":   {[]string{"-store", "mongodb", "-store-addr", "mongodb://localhost:1/?serverSelectionTimeoutMS=100"}, "the store mongodb cannot be used: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			cmd := exec.CommandContext(t.Context(), binary, append([]string{"-addr", "localhost:0"}, test.args...)...) //nolint:gosec // the test's own arguments
			cmd.Stdout, cmd.Stderr = &out, &complaints
			if err := cmd.Run(); err == nil || out.Len() > 0 {
				t.Errorf("it ran: %v, %s", err, &out)
			}
			if !strings.Contains(complaints.String(), test.want) || !strings.Contains(complaints.String(), "-store") {
				t.Errorf("standard error:\n%s\nwant %q and a flag", &complaints, test.want)
			}
		})
	}
}
