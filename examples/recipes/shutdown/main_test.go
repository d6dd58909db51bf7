package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	"github.com/cloakroom-go/sessions/internal/testserver"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// users is how many users the program has, each with an upload, a stream and a websocket when it is told to stop.
const users = 12

func onBoth(t *testing.T, patience string, test func(t *testing.T, p *recipe.Program, redisURL string)) {
	t.Helper()
	binary := recipe.Build(t)
	for name, more := range map[string][]string{"NetHTTP": nil, "FiberV3": {"-fiber"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testserver.Start(t, testserver.Redis{})
			args := append([]string{"-addr", "127.0.0.1:0", "-redis", server.URL(), "-drain", "1h", "-patience", patience}, more...)
			test(t, recipe.Start(t, binary, args...), server.URL())
		})
	}
}

// TestStopLosesNothing sends SIGTERM while requests, streams and websockets are under way. All are answered, and what they
// have changed is stored, and every event has reached its log.
func TestStopLosesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, "5m", func(t *testing.T, p *recipe.Program, redisURL string) {
		t.Helper()
		var all []*user
		for i := range users {
			u := &user{t: t, p: p, name: fmt.Sprintf("user%d", i)}
			u.signIn()
			u.startUpload()
			u.startStream()
			u.startSocket()
			all = append(all, u)
		}
		p.WaitForLogs("upload begins", users)
		p.Signal(syscall.SIGTERM)
		p.Signal(syscall.SIGINT) // a second one does not wait for the load balancer
		recipe.Eventually(t, "no connection is accepted", func() bool { return !accepts(t, p) })
		var wg sync.WaitGroup
		for _, u := range all {
			wg.Go(u.finishRequests)
		}
		wg.Wait()
		p.WaitForLog("waiting for websockets")
		for _, u := range all {
			wg.Go(u.finishSocket)
		}
		wg.Wait()
		p.Wait()
		everythingIsThere(t, redisURL, all)
	})
}

// TestDrain sends one signal: until the load balancer has noticed, the program goes on to answer.
func TestDrain(t *testing.T) {
	t.Parallel()
	onBoth(t, "5m", func(t *testing.T, p *recipe.Program, redisURL string) {
		t.Helper()
		if status := status(t, p.URL+"/ready"); status != http.StatusOK {
			t.Errorf("ready is %d", status)
		}
		p.Signal(syscall.SIGTERM)
		p.WaitForLog("leaving")
		if status := status(t, p.URL+"/ready"); status != http.StatusServiceUnavailable {
			t.Errorf("ready is %d when the program is leaving, want 503", status)
		}
		u := &user{t: t, p: p, name: "late"}
		u.signIn()
		p.Signal(syscall.SIGTERM)
		p.Wait()
		if s := sessiontest.Read(t, manager(t, redisURL), u.cookie); s.Subject() != "late" {
			t.Errorf("the session belongs to %q", s.Subject())
		}
	})
}

// TestPatience leaves an upload unfinished: the program ends all the same, and loses nothing else.
func TestPatience(t *testing.T) {
	t.Parallel()
	onBoth(t, "10ms", func(t *testing.T, p *recipe.Program, redisURL string) {
		t.Helper()
		u := &user{t: t, p: p, name: "slow"}
		u.signIn()
		u.startUpload()
		p.WaitForLog("upload begins")
		p.Signal(syscall.SIGTERM)
		p.Signal(syscall.SIGINT)
		p.WaitForLog("deadline exceeded") // the last that it says
		_ = u.body.Close()
		if err := <-u.uploaded; err == nil {
			t.Error("the upload was answered as complete")
		}
		if n := uploads.Get(sessiontest.Read(t, manager(t, redisURL), u.cookie)); n != 0 {
			t.Errorf("%d uploads are stored", n)
		}
		if n := events(t, redisURL)["login"]; n != 1 {
			t.Errorf("%d events of login", n)
		}
	})
}

func status(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// accepts reports whether the program accepts connections.
func accepts(t *testing.T, p *recipe.Program) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// manager returns a manager of the sessions of a program that has ended.
func manager(t *testing.T, redisURL string) *sessions.Manager {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := sessions.NewManager(sessions.Options{Store: store, Cookie: sessions.Cookie{DisableSecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// everythingIsThere looks for three changes of each session, and for the events of these and of the logins.
func everythingIsThere(t *testing.T, redisURL string, all []*user) {
	t.Helper()
	m := manager(t, redisURL)
	for _, u := range all {
		s := sessiontest.Read(t, m, u.cookie)
		if n := [3]int{uploads.Get(s), streams.Get(s), sockets.Get(s)}; n != [3]int{1, 1, 1} {
			t.Errorf("%s: uploads, streams and websockets are %v, want 1 of each", u.name, n)
		}
	}
	if counts := events(t, redisURL); counts["login"] != users || counts["committed"] != 3*users {
		t.Errorf("events are %v, want %d of login and %d of committed", counts, users, 3*users)
	}
}

// events returns how many events of each kind have been written down.
func events(t *testing.T, redisURL string) (counts map[string]int) {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer func() { _ = client.Close() }()
	entries, err := client.LRange(context.WithoutCancel(t.Context()), "activity", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	counts = map[string]int{}
	for _, entry := range entries {
		kind, _, _ := strings.Cut(entry, " ")
		counts[kind]++
	}
	return counts
}
