package explore

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// requestState is how far a request is.
type requestState uint8

const (
	waiting  requestState = iota // it has not been sent
	running                      // it is being served
	answered                     // its answer is on the way
	arrived                      // its answer has arrived, or is lost
)

// request is one request of a browser, or one call of an operator.
type request struct {
	name    string
	index   int
	world   *world
	browser *browser // nil for an operator
	action  *action
	state   requestState

	// The steps at which things happened, or 0.
	startedAt, answeredAt, arrivedAt int
	handledAt                        int // when the handler was called
	lastCallAt                       int // the last call of the store
	lastSaveAt                       int // the last save or deletion that changed something
	firstSaveAt                      int

	presented     *ticket // nil if the request had no cookie
	status        int
	header        http.Header
	changesCookie bool   // the answer sets or removes the session cookie
	setCookie     string // the value that it sets, or ""
	lost          bool   // the answer is lost
	replyLost     bool   // the reply to a save of this request was lost
	after         view   // the session when the answer was sent
	taken         string // what the action took
	overtaken     bool   // the session says at first that the request has been overtaken
	dropped       bool   // the manager has dropped the changes of the request

	// revocation is what the action ends from outside, from the moment it begins to do so.
	revocation *revocation

	mu    sync.Mutex
	calls []*call // those that wait for the scheduler
	count int     // the number of calls so far
}

type requestKey struct{}

// requestOf returns the request of a context, or nil if there is none.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

func (w *world) newRequest(name string, a *action, b *browser) *request {
	if a.operator != nil {
		b = nil
	}
	return &request{name: name, world: w, action: a, browser: b, header: http.Header{}}
}

// start sends the request with the cookie that the browser has now.
func (r *request) start() {
	w := r.world
	r.state, r.startedAt = running, w.now
	if r.browser != nil {
		r.presented = w.ticket(r.browser.cookie())
	}
	w.record(entry{kind: entryStart, request: r})
	go func() {
		r.serve()
		r.state = answered
	}()
}

// serve handles the request as an adapter does.
func (r *request) serve() {
	ctx := context.WithValue(context.Background(), requestKey{}, r)
	if r.action.operator != nil {
		r.status = statusOf(r.action.operator(ctx, r))
		return
	}
	scope := new(core.Scope)
	if err := scope.Open(ctx, nil, r.world.manager, nil, r.cookieFields()...); err != nil {
		r.reject(err)
		return
	}
	r.handledAt = r.world.now
	v := &visit{request: r, scope: scope, session: scope.Get()}
	_, r.overtaken = v.session.Overtaken()
	r.status = r.action.handler(v)
	reply, err := scope.CommitHeader()
	if err != nil {
		r.reject(err)
	} else {
		reply.Apply(r.header)
	}
	_ = scope.Close()
	// A session that has ended for the request refuses all changes. It says so before it says
	// that the response has begun.
	r.dropped = r.dropped || errors.Is(v.session.Renew(), core.ErrGone)
	r.after = viewOf(v.session)
	r.setCookie, r.changesCookie = sessionCookie(r.header)
}

// reject makes the answer an error.
func (r *request) reject(err error) {
	adapter.ClearContent(r.header)
	r.status = core.StatusCode(err)
	r.setCookie, r.changesCookie = sessionCookie(r.header)
}

// cookieFields returns the Cookie fields of the request.
func (r *request) cookieFields() []string {
	if value := r.browser.cookie(); value != "" {
		return []string{cookieName + "=" + value}
	}
	return nil
}

// stopAt adds a call that waits for the scheduler.
func (r *request) stopAt(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	c.number = r.count
	r.calls = append(r.calls, c)
}

// stopped returns the calls that wait for the scheduler.
func (r *request) stopped() []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// release lets a call continue.
func (r *request) release(s *step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.calls, func(c *call) bool { return c.number == s.call })
	c := r.calls[i]
	r.calls = slices.Delete(r.calls, i, i+1)
	c.lose = s.lost
	r.revocation.begin(r, c)
	r.replyLost = r.replyLost || s.lost
	close(c.release)
}

// called records a call that was carried out.
func (r *request) called(c *call, err error) {
	if c.release == nil {
		return // Nobody waited for it.
	}
	w := r.world
	w.record(entry{kind: entryCall, request: r, call: c, err: err, lost: c.lose})
	r.lastCallAt = w.now
	if c.access == writes && err == nil {
		r.lastSaveAt = w.now
		if r.firstSaveAt == 0 {
			r.firstSaveAt = w.now
		}
	}
}

// sendOption appends the step that sends the request, if it can be sent now.
//
// A request is sent at the beginning, after an answer has reached its browser, or while sessions
// are revoked. To send it at another time makes no difference, because it stops before its first
// call of the store.
func (r *request) sendOption(options []step) []step {
	if r.state == waiting && r.world.sending {
		s := r.step(startRequest)
		s.moment = r.action.login != "" // Its request notes how many revocations there were.
		options = append(options, s)
	}
	return options
}

// options appends what can happen next to a request that has been sent.
func (r *request) options(options []step) []step {
	switch r.state {
	case running:
		return r.callOptions(options)
	case answered:
		s := r.step(deliverAnswer)
		options = append(options, s)
		if s.lost = true; !r.world.answerLost {
			options = append(options, s)
		}
	case waiting, arrived:
	}
	return options
}

func (r *request) step(kind stepKind) step {
	s := step{request: r.index, kind: kind, browser: -1}
	if r.browser != nil {
		s.browser = r.browser.index
	}
	return s
}

// callOptions appends the calls of the store that can be carried out.
func (r *request) callOptions(options []step) []step {
	for _, c := range r.stopped() {
		s := r.step(storeCall)
		s.call, s.access, s.key = c.number, c.access, c.key
		s.moment = r.world.scenario.Devices != 0 || r.action.login != "" && r.handledAt == 0 ||
			r.revocation != nil
		options = append(options, s)
		if s.lost = true; !r.world.replyLost && r.world.store.canLose(c) {
			options = append(options, s)
		}
	}
	return options
}
