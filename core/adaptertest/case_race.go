package adaptertest

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/cloakroom-go/sessions/core"
)

// raceCases returns the cases R1, R2, R4b and R9, about requests at the same time.
func raceCases() []testCase {
	renew := func(c Context) error { return c.Get().Renew() }
	return []testCase{
		{"R1/LogoutWinsOverWrite", ruleDead, func(e *env) { raceLogout(e, addVisit) }},
		{"R1/LogoutWinsOverRenew", ruleDead, func(e *env) { raceLogout(e, renew) }},
		{"R9/LogoutWinsOverRead", ruleDead, func(e *env) { raceLogout(e, readOnly) }},
		{"R2/LoginWins", ruleDead, raceLogin},
		{"R4b/ParallelUpdates", ruleSum, raceUpdates},
	}
}

func readOnly(c Context) error {
	visits.Get(c.Get())
	return nil
}

// heldRequest is a request whose handler waits until it is released.
type heldRequest struct {
	browser *browser // sent it
	gate    chan struct{}
	entered chan struct{}
	answers chan *answer
}

// hold adds a route whose handler waits and then calls h.
func (e *env) hold(h Handler) *heldRequest {
	r := &heldRequest{
		gate:    make(chan struct{}),
		entered: make(chan struct{}, 1),
		answers: make(chan *answer, 1),
	}
	e.handleGet("/held", func(c Context) error {
		r.entered <- struct{}{}
		<-r.gate
		return h(c)
	})
	return r
}

// start sends the request with the cookies of b, and returns when its handler waits.
func (r *heldRequest) start(b *browser) {
	b.env.Helper()
	r.browser = b.clone()
	go func() { r.answers <- r.browser.get("/held") }()
	receive(b.env, "the start of the handler", r.entered)
}

// release lets the handler continue, and returns the answer.
func (r *heldRequest) release() *answer {
	r.browser.env.Helper()
	close(r.gate)
	return receive(r.browser.env, "the late answer", r.answers)
}

// raceLogout signs out while an older request of the same browser waits in its handler, which
// then calls work.
func raceLogout(e *env, work Handler) {
	held := e.hold(func(c Context) error {
		if err := work(c); err != nil {
			return err
		}
		return c.Body(200, "late")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	held.start(b)
	e.wantBody(b.get("/logout"), "signed out")
	a := held.release()
	e.wantStatus(a, http.StatusOK)
	e.wantNoCookie(a)
	e.wantSessions(0, 1)
	e.wantBody(held.browser.get("/read"), "0")
}

func raceLogin(e *env) {
	held := e.hold(countVisit)
	e.serve(core.Options{})
	b := e.newVisitor()
	held.start(b)
	e.wantBody(b.get("/login"), "signed in")
	e.wantNoCookie(held.release())
	e.wantBody(b.get("/read"), "1")
	e.wantBody(held.browser.get("/read"), "0")
}

func raceUpdates(e *env) {
	const clients, rounds = 16, 100
	e.serve(core.Options{})
	b := e.newVisitor()
	cookie := "Cookie: session=" + b.token()
	var all sync.WaitGroup
	for range clients {
		c := e.dial()
		all.Go(func() {
			for range rounds {
				c.send("/count", cookie)
				if err := c.readOK(); err != nil {
					e.Errorf("an update failed: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	e.wantBody(b.get("/read"), strconv.Itoa(clients*rounds+1))
}
