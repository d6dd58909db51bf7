package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cloakroom-go/sessions/core"
)

// reuseCases returns the cases A1 to A5, about buffers, requests and goroutines.
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

// texts are the strings of one request that its session holds.
type texts struct {
	key, value, person string
}

// textsOf returns the texts of request i. They have the same lengths for all requests, so that
// one request's text fits exactly over another's in a buffer.
func textsOf(i int) texts {
	return texts{
		key:    fmt.Sprintf("key-%06d", i),
		value:  fmt.Sprintf("value-%06d", i),
		person: fmt.Sprintf("person-%06d", i),
	}
}

// request returns the target and the header line of a request with these texts.
func (t texts) request(path string) (target, line string) {
	target = path + "?key=" + t.key + "&person=" + t.person + "&none=nothing"
	return target, "X-Value: " + t.value
}

func reuseBuffers(e *env) {
	const sessions, requests = 50, 10_000
	var mu sync.Mutex
	var kept []*core.Session
	e.handleGet("/keep", func(c Context) error {
		s := c.Get()
		mu.Lock()
		kept = append(kept, s)
		mu.Unlock()
		return errors.Join(
			s.Login(c.Query("person")),
			core.Key[string](c.Query("key")).Set(s, c.Header("X-Value")),
			s.Delete(c.Query("none")))
	})
	e.handleGet("/read-key", func(c Context) error {
		s := c.Get()
		_ = core.Key[string](c.Query("key")).Get(s)
		return c.Body(200, c.Header("X-Value"))
	})
	e.serve(core.Options{})
	conn := e.dial()
	keep := func(i int) (string, string) { return textsOf(i).request("/keep") }
	conn.pipeline(sessions, keep, func(_ int, a *answer) { e.wantStatus(a, 200) })
	read := func(i int) (string, string) { return textsOf(1000 + i).request("/read-key") }
	conn.pipeline(requests, read, func(int, *answer) {})
	for i, s := range kept {
		if !e.wantTexts(s, textsOf(i)) {
			return
		}
	}
}

// wantTexts checks that the session holds the texts, and reports whether it does.
func (e *env) wantTexts(s *core.Session, want texts) bool {
	e.Helper()
	value, person, keys := core.Key[string](want.key).Get(s), s.Subject(), s.Keys()
	ok := value == want.value && person == want.person && slices.Equal(keys, []string{want.key})
	if !ok {
		e.Errorf("a session has keys %q, value %q and subject %q, want %q, %q and %q",
			keys, value, person, want.key, want.value, want.person)
	}
	return ok
}

// reuseEventKey reads a value as the wrong type, under a key from the request. The event with
// the key is delivered after the request.
func reuseEventKey(e *env) {
	const requests = 200
	e.handleGet("/wrong", func(c Context) error {
		s := c.Get()
		key := c.Query("key")
		_ = core.Key[string](key).Set(s, "text")
		core.Key[int](key).Get(s)
		return c.Body(200, "")
	})
	m := e.serve(core.Options{})
	request := func(i int) (string, string) { return "/wrong?key=" + textsOf(i).key, "" }
	e.dial().pipeline(requests, request, func(int, *answer) {})
	if err := m.Close(e.Context()); err != nil {
		e.Fatalf("Close: %v", err)
	}
	seen := map[string]bool{}
	for i := range e.events {
		if e.events[i].Kind == core.EventBadValue {
			seen[e.events[i].Key] = true
		}
	}
	if len(seen) != requests {
		e.Errorf("the events name %d different keys, want %d", len(seen), requests)
	}
}

func reuseApart(e *env) {
	e.handleGet("/keys", func(c Context) error {
		s := c.Get()
		return c.Body(200, s.Subject()+strings.Join(s.Keys(), ","))
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	e.wantBody(b.get("/login"), "signed in")
	conn := e.dial()
	cookie := "Cookie: session=" + b.token()
	for range 20 {
		e.wantBody(conn.roundTrip("/keys", cookie), "alicevisits")
		a := conn.roundTrip("/keys")
		e.wantBody(a, "")
		e.wantNoCookie(a)
	}
}

func reuseAfter(e *env) {
	sessions := make(chan *core.Session, 2)
	e.handleGet("/give", func(c Context) error {
		sessions <- c.Get()
		return c.Body(200, "given")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	e.wantBody(b.get("/give"), "given")
	e.wantBody(e.newBrowser().get("/give"), "given")
	old, fresh := <-sessions, <-sessions
	e.wantBody(b.get("/count"), "2")
	if n := visits.Get(old); n != 1 {
		e.Errorf("the session of an old request reads %d, want 1, as in that request", n)
	}
	visits.Update(old, increment)
	if err := old.Save(e.Context()); err != nil {
		e.Errorf("Save of an old request's session = %v", err)
	}
	e.wantBody(b.get("/read"), "3")
	if err := visits.Set(fresh, 1); !errors.Is(err, core.ErrLate) {
		e.Errorf("Set on a new session after its response = %v, want ErrLate", err)
	}
	fresh.Destroy()
	e.wantRecords(1)
}

func reuseGoroutines(e *env) {
	e.handleGet("/many", func(c Context) error {
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
	e.serve(core.Options{})
	b := e.newBrowser()
	e.wantBody(b.get("/many"), "done")
	e.wantBody(b.get("/read"), "20")
	e.wantBody(b.get("/many"), "done")
	e.wantBody(b.get("/read"), "40")
}

func reuseNothing(e *env) {
	e.handleGet("/nothing", addVisit)
	e.serve(core.Options{})
	b := e.newBrowser()
	a := b.get("/nothing")
	e.wantBody(a, "")
	e.wantCookie(a)
	e.wantBody(b.get("/read"), "1")
}
