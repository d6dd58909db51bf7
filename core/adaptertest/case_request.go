package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/cloakroom-go/sessions/core"
)

const (
	ruleSecret  = "the token is in the cookie and in no body, error, redirect or log"
	ruleKept    = "what a session keeps does not change when the framework reuses its buffers"
	ruleApart   = "nothing of one request shows in the next"
	ruleAfter   = "using a session after its request is harmless"
	ruleShared  = "the goroutines of one request share its session"
	ruleNothing = "a handler that writes nothing at all has its session saved"
)

// secrecyCases is H3: where the token is not.
func secrecyCases() []testCase { return []testCase{{"H3/NoTokenOutside", ruleSecret, secrecy}} }

func secrecy(x *trial) {
	x.get("/print", func(c Context) error {
		s := c.Get()
		return c.Body(200, fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s.Keys()))
	})
	x.get("/redirect", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Redirect(302, "/read")
	})
	x.get("/fail", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Fail(500)
	})
	x.get("/panic", func(c Context) error { panic(c.Get()) })
	x.serve(core.Options{})
	b := x.visitor()
	targets := []string{"/print", "/redirect", "/fail", "/panic", "/nowhere", "/login", "/logout"}
	for _, op := range []string{"", "save", "load"} {
		x.store.fail(op, errDown)
		for _, target := range targets {
			token := b.token()
			if a := b.get(target); a.leaks(token) {
				x.broken("%s: %d %v %q", target, a.status, a.header, a.body)
			}
			if token != "" && x.log.contains(token[22:]) {
				x.broken("%s: the token has been logged", target)
			}
		}
		b = x.healthy(op)
	}
}

// healthy mends the store and returns a new visitor.
func (x *trial) healthy(op string) *browser {
	x.Helper()
	x.store.fail(op, nil)
	return x.visitor()
}

// reuseCases is A1 to A5: buffers, requests and goroutines.
func reuseCases() []testCase {
	return []testCase{
		{"A1/BuffersReused", ruleKept, reuseBuffers},
		{"A1/EventKey", ruleKept, reuseEventKey},
		{"A2/RequestsApart", ruleApart, reuseApart},
		{"A2/UseAfterReturn", ruleAfter, reuseAfter},
		{"A3/Goroutines", ruleShared, reuseGoroutines},
		{"A5/WritesNothing", ruleNothing, reuseNothing},
	}
}

// kept is what a session that outlives its request must go on showing.
type kept struct {
	key, value, person string
}

// remembered returns the texts of request i, which have the same lengths in every request.
func remembered(i int) kept {
	return kept{key: fmt.Sprintf("key-%06d", i), value: fmt.Sprintf("value-%06d", i), person: fmt.Sprintf("person-%06d", i)}
}

func reuseBuffers(x *trial) {
	const keep, requests = 50, 10_000
	var mu sync.Mutex
	var sessions []*core.Session
	x.get("/keep", func(c Context) error {
		s := c.Get()
		mu.Lock()
		sessions = append(sessions, s)
		mu.Unlock()
		return errors.Join(s.Login(c.Query("person")), core.Key[string](c.Query("key")).Set(s, c.Header("X-Value")), s.Delete(c.Query("none")))
	})
	x.get("/read-key", func(c Context) error {
		s := c.Get()
		_ = core.Key[string](c.Query("key")).Get(s)
		return c.Body(200, c.Header("X-Value"))
	})
	x.serve(core.Options{})
	w := x.wire()
	tell := func(target string, from int) func(i int) (string, string) {
		return func(i int) (string, string) {
			k := remembered(from + i)
			return target + "?key=" + k.key + "&person=" + k.person + "&none=nothing", "X-Value: " + k.value
		}
	}
	w.pipeline(keep, tell("/keep", 0), func(_ int, a *answer) { x.wantStatus(a, 200) })
	w.pipeline(requests, tell("/read-key", 1000), func(int, *answer) {})
	for i, s := range sessions {
		k := remembered(i)
		if got := core.Key[string](k.key).Get(s); got != k.value || s.Subject() != k.person || !slices.Equal(s.Keys(), []string{k.key}) {
			x.broken("session %d: keys %q, value %q, subject %q; want %q, %q, %q", i, s.Keys(), got, s.Subject(), k.key, k.value, k.person)
			return
		}
	}
}

// reuseEventKey reads a value as the wrong type, under a key from the request: the event is delivered after the request.
func reuseEventKey(x *trial) {
	const requests = 200
	x.get("/wrong", func(c Context) error {
		s := c.Get()
		key := c.Query("key")
		_ = core.Key[string](key).Set(s, "text")
		core.Key[int](key).Get(s)
		return c.Body(200, "")
	})
	m := x.serve(core.Options{})
	x.wire().pipeline(requests, func(i int) (string, string) { return "/wrong?key=" + remembered(i).key, "" }, func(int, *answer) {})
	if err := m.Close(x.Context()); err != nil {
		x.Fatalf("Close: %v", err)
	}
	seen := map[string]bool{}
	for i := range x.events {
		if x.events[i].Kind == core.EventBadValue {
			seen[x.events[i].Key] = true
		}
	}
	if len(seen) != requests {
		x.broken("the events name %d different keys, want %d", len(seen), requests)
	}
}

func reuseApart(x *trial) {
	x.get("/keys", func(c Context) error {
		s := c.Get()
		return c.Body(200, s.Subject()+strings.Join(s.Keys(), ","))
	})
	x.serve(core.Options{})
	b := x.visitor()
	x.wantBody(b.get("/login"), "signed in")
	w := x.wire()
	cookie := "Cookie: session=" + b.token()
	for range 20 {
		x.wantBody(w.ask("/keys", cookie), "alicevisits")
		a := w.ask("/keys")
		x.wantBody(a, "")
		x.wantNoCookie(a)
	}
}

func reuseAfter(x *trial) {
	sessions := make(chan *core.Session, 2)
	x.get("/give", func(c Context) error {
		sessions <- c.Get()
		return c.Body(200, "given")
	})
	x.serve(core.Options{})
	b := x.visitor()
	x.wantBody(b.get("/give"), "given")
	x.wantBody(x.browser().get("/give"), "given")
	old, fresh := <-sessions, <-sessions
	x.wantBody(b.get("/count"), "2")
	if n := visits.Get(old); n != 1 {
		x.broken("the session of an old request reads %d, want what it last knew, 1", n)
	}
	visits.Update(old, increment)
	if err := old.Save(x.Context()); err != nil {
		x.broken("Save on an old request's session: %v", err)
	}
	x.wantBody(b.get("/read"), "3")
	if err := visits.Set(fresh, 1); !errors.Is(err, core.ErrLate) {
		x.broken("Set on a session that can get no cookie any more: %v, want ErrLate", err)
	}
	fresh.Destroy()
	x.wantRecords(1)
}

func reuseGoroutines(x *trial) {
	x.get("/many", func(c Context) error {
		s := c.Get()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				visits.Update(s, increment)
				_ = s.Keys()
			})
		}
		all.Wait()
		return c.Body(200, "done")
	})
	x.serve(core.Options{})
	b := x.browser()
	x.wantBody(b.get("/many"), "done")
	x.wantBody(b.get("/read"), "20")
	x.wantBody(b.get("/many"), "done")
	x.wantBody(b.get("/read"), "40")
}

func reuseNothing(x *trial) {
	x.get("/nothing", change)
	x.serve(core.Options{})
	b := x.browser()
	a := b.get("/nothing")
	x.wantBody(a, "")
	x.wantCookie(a)
	x.wantBody(b.get("/read"), "1")
}

const (
	ruleDead = "a session that was ended stays dead: an old request that is still under way saves nothing and gets no cookie"
	ruleSum  = "requests that change one session at once lose no update"
)

// raceCases is R1, R2, R4 and R9 over HTTP.
func raceCases() []testCase {
	return []testCase{
		{"R1/LogoutWinsOverWrite", ruleDead, func(x *trial) { raceLogout(x, change) }},
		{"R1/LogoutWinsOverRenew", ruleDead, func(x *trial) { raceLogout(x, func(c Context) error { return c.Get().Renew() }) }},
		{"R9/LogoutWinsOverRead", ruleDead, func(x *trial) { raceLogout(x, func(c Context) error { visits.Get(c.Get()); return nil }) }},
		{"R2/LoginWins", ruleDead, raceLogin},
		{"R4b/ParallelUpdates", ruleSum, raceUpdates},
	}
}

// raceLogout signs out while an older request of the same browser is held up in its handler.
func raceLogout(x *trial, work func(c Context) error) {
	entered, gate := make(chan context.Context, 1), make(chan struct{})
	x.get("/held", func(c Context) error {
		entered <- c.Context()
		<-gate
		if err := work(c); err != nil {
			return err
		}
		return c.Body(200, "late")
	})
	x.serve(core.Options{})
	b := x.visitor()
	old, answers := b.twin(), make(chan *answer, 1)
	go func() { answers <- old.get("/held") }()
	await(x, "the handler's start", entered)
	x.wantBody(b.get("/logout"), "signed out")
	close(gate)
	a := await(x, "the late answer", answers)
	x.wantStatus(a, http.StatusOK)
	x.wantNoCookie(a)
	x.wantRecords(0)
	x.wantBody(old.get("/read"), "0")
}

func raceLogin(x *trial) {
	entered, gate := make(chan context.Context, 1), make(chan struct{})
	x.get("/held", func(c Context) error {
		entered <- c.Context()
		<-gate
		return count(c)
	})
	x.serve(core.Options{})
	b := x.visitor()
	old, answers := b.twin(), make(chan *answer, 1)
	go func() { answers <- old.get("/held") }()
	await(x, "the handler's start", entered)
	x.wantBody(b.get("/login"), "signed in")
	close(gate)
	x.wantNoCookie(await(x, "the late answer", answers))
	x.wantBody(b.get("/read"), "1")
	x.wantBody(old.get("/read"), "0")
}

func raceUpdates(x *trial) {
	const clients, rounds = 16, 100
	x.serve(core.Options{})
	b := x.visitor()
	cookie := "Cookie: session=" + b.token()
	var all sync.WaitGroup
	for range clients {
		w := x.wire()
		all.Go(func() {
			for range rounds {
				w.send("/count", cookie)
				if err := w.ok(); err != nil {
					x.broken("an update failed: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	x.wantBody(b.get("/read"), fmt.Sprint(clients*rounds+1))
}
