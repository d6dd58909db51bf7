package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	"github.com/cloakroom-go/sessions/internal/testserver"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestRollingDeploy replaces two processes, one after the other, by the next release, by the former again, and by the two
// that follow, while users fill their carts. Nobody is signed out, no request fails, and no item is lost.
func TestRollingDeploy(t *testing.T) {
	t.Parallel()
	d := &deploy{t: t, binary: recipe.Build(t), redis: testserver.Start(t, testserver.Redis{}).URL(), balancer: newBalancer(t)}
	d.balancer.add(d.start(1))
	d.balancer.add(d.start(1))
	page := recipe.Browser(t)
	d.shoppers = []shopper{
		newTab(page, t, d.balancer.url, "ada"), newTab(recipe.NewJar(page, t), t, d.balancer.url, "eve"),
	}
	d.goesOn()
	for _, release := range []int{2, 1, 2, 3} {
		d.roll(release)
	}
	for _, s := range d.shoppers {
		s.stop()
		s.check(t)
	}
}

// deploy is a deploy under traffic.
type deploy struct {
	t             *testing.T
	binary, redis string
	balancer      *balancer
	shoppers      []shopper
}

func (d *deploy) start(release int) *recipe.Program {
	d.t.Helper()
	return recipe.Start(d.t, d.binary, "-addr", "127.0.0.1:0", "-redis", d.redis, "-drain", "1h", "-release", strconv.Itoa(release))
}

// roll replaces both processes. Meanwhile somebody signs in.
func (d *deploy) roll(release int) {
	d.t.Helper()
	d.balancer.add(d.start(release))
	d.shoppers = append(d.shoppers, newClient(d.t, d.balancer.url, fmt.Sprintf("user%d", len(d.shoppers))))
	d.goesOn()
	d.balancer.removeOldest()
	d.goesOn()
	d.balancer.add(d.start(release))
	d.balancer.removeOldest()
	d.goesOn()
}

// goesOn waits until each user has done two more rounds.
func (d *deploy) goesOn() {
	d.t.Helper()
	wanted := make([]int, len(d.shoppers))
	for i, s := range d.shoppers {
		wanted[i] = s.rounds() + 2
	}
	for i, s := range d.shoppers {
		recipe.Eventually(d.t, "the user goes on", func() bool { return s.rounds() >= wanted[i] })
	}
}

// TestOptionsOfBothReleases alternates between releases for hours, in a bubble of synctest: sessions that one release has
// renewed are those of the other as well.
func TestOptionsOfBothReleases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(memstore.Options{})
		defer func() { _ = store.Close() }()
		var handlers []http.Handler
		for release := 1; release <= 2; release++ {
			o := options(release)
			o.Store = store
			m, err := sessions.NewManager(o)
			if err != nil {
				t.Fatal(err)
			}
			handlers = append(handlers, (&shop{release: release}).handler(m))
		}
		n, secrets := 0, map[string]bool{}
		browser := sessiontest.Browser(sessiontest.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			handlers[n%2].ServeHTTP(w, r)
			secret, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
			secrets[secret] = true
		})))
		c := &client{user: "ada", base: sessiontest.Origin, http: browser}
		if status, _ := c.send(http.MethodPost, "/login", "user=ada"); status != http.StatusOK {
			t.Fatalf("login: %d", status)
		}
		for i := range 50 {
			time.Sleep(7 * time.Minute)
			c.post("/add", strconv.Itoa(i), &c.items)
			c.look()
		}
		if len(secrets) < 10 {
			t.Errorf("%d secrets in six hours", len(secrets))
		}
		c.check(t)
	})
}

// TestSameNameOtherType shows what a release does that gives the cart another type under the same name: the old release
// answers 500 and leaves the cart alone. The user stays signed in.
func TestSameNameOtherType(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{})
	client, err := connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	o := options(1)
	if o.Store, err = redisstore.New(client, redisstore.Options{}); err != nil {
		t.Fatal(err)
	}
	m, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	p := recipe.Start(t, recipe.Build(t), "-addr", "127.0.0.1:0", "-redis", server.URL(), "-release", "1")
	c := newClient(t, p.URL, "ada")
	c.stop()
	u, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	s := sessiontest.Read(t, m, c.http.Jar.Cookies(u.URL)...)
	const other = sessions.Key[map[string]int]("cart")
	if err := other.Set(s, map[string]int{"coat": 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.send(http.MethodPost, "/add", "item=hat"); status != http.StatusInternalServerError {
		t.Errorf("release 1 answers %d, want 500", status)
	}
	p.WaitForLog("sessions: bad value")
	s = sessiontest.Read(t, m, c.http.Jar.Cookies(u.URL)...)
	if s.Subject() != "ada" || other.Get(s)["coat"] != 2 {
		t.Errorf("afterwards %q has %v", s.Subject(), other.Get(s))
	}
}
