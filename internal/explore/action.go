package explore

import (
	"context"
	"errors"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// The values in a session.
const (
	cart    core.Key[string] = "cart"
	code    core.Key[string] = "code" // for one request to take
	counter core.Key[int]    = "counter"
)

// note is the key that a request of that name sets.
func note(request string) core.Key[bool] { return core.Key[bool]("note " + request) }

// theCart is what the browser has put into the cart before the requests.
const theCart = "coat"

// The users.
const (
	ann = "ann"
	bob = "bob"
)

// The levels of authentication.
const (
	levelLogin  = 1
	levelStepUp = 2
)

// An action is what a request does. The handlers are written as the documentation recommends.
// The other fields say what the rules have to know about it. To add an action, write a function
// that returns it, and add that to [visitorActions], [userActions], [moreActions] or [Triples].
type action struct {
	name    string
	handler func(*visit) int // returns the status
	// operator is called in place of the handler, outside of any session.
	operator func(context.Context, *request) error

	login        string // the user who signs in, or ""
	stepsUp      bool
	logsOut      bool
	renews       bool
	revokesOther bool // it ends the user's sessions on other devices
	revokesAll   bool // it ends all sessions of ann
	data         bool // it is about nothing but the data of the session
	counts       bool // it adds 1 to the counter
	notes        bool // it adds its name to the notes
	takes        bool // it takes the code
	once         bool // of all requests with this action that take the code, one gets it
}

// visit is a request in the hands of its handler.
type visit struct {
	request *request
	scope   *core.Scope
	session *core.Session
}

// commit saves before the response, as the Commit function of an adapter.
func (v *visit) commit() error {
	err := v.scope.Commit(func(reply *adapter.Reply) { reply.Apply(v.request.header) })
	v.refuse(err)
	return err
}

// refuse returns the status of an answer to the error of a call that saves. It notes if the
// changes were dropped.
func (v *visit) refuse(err error) int {
	v.request.dropped = v.request.dropped || errors.Is(err, core.ErrGone)
	return statusOf(err)
}

// statusOf returns the status with which a handler answers.
func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, core.ErrGone):
		return http.StatusConflict
	case errors.Is(err, core.ErrAnonymous):
		return http.StatusUnauthorized
	}
	return core.StatusCode(err)
}

// visitorActions returns what the browser of a visitor does.
func visitorActions() []*action {
	return []*action{
		read(), write(), count(), countNow(), take(), login(ann), login(bob), logout(), renew(),
	}
}

// moreActions returns what is explored in pairs, and in chosen triples.
func moreActions() []*action {
	return []*action{poll(), takeOnce(), loginByHand(ann), loginByHand(bob)}
}

// userActions returns what the browser of a user does.
func userActions() []*action {
	return append(visitorActions(), stepUp(), changePassword())
}

func read() *action {
	return &action{name: "read", data: true, handler: func(v *visit) int {
		cart.Get(v.session)
		return http.StatusOK
	}}
}

// write leaves the commit to the middleware.
func write() *action {
	return &action{name: "write", data: true, notes: true, handler: func(v *visit) int {
		return statusOf(note(v.request.name).Set(v.session, true))
	}}
}

// count leaves the commit to the middleware.
func count() *action {
	return &action{name: "count", data: true, counts: true, handler: func(v *visit) int {
		counter.Update(v.session, increment)
		return http.StatusOK
	}}
}

// countNow commits, and answers with what the commit returns.
func countNow() *action {
	a := &action{name: "count and commit", data: true, counts: true}
	a.handler = func(v *visit) int {
		counter.Update(v.session, increment)
		return statusOf(v.commit())
	}
	return a
}

func increment(n int) int { return n + 1 }

func take() *action {
	return &action{name: "take", data: true, takes: true, handler: func(v *visit) int {
		value, ok := code.Take(v.session)
		if !ok {
			return http.StatusNotFound
		}
		if err := v.commit(); err != nil {
			return statusOf(err)
		}
		v.request.taken = value
		return http.StatusOK
	}}
}

// takeOnce takes the code by the call that promises that no other request gets it.
func takeOnce() *action {
	a := &action{name: "take once", data: true, takes: true, once: true}
	a.handler = func(v *visit) int {
		value, ok, err := code.TakeOnce(v.scope, v.session)
		switch {
		case err != nil:
			return v.refuse(err)
		case !ok:
			return http.StatusNotFound
		}
		v.request.taken = value
		return http.StatusOK
	}
	return a
}

// poll writes without being use of the session.
func poll() *action {
	a := write()
	a.name, a.handler = "poll", func(v *visit) int {
		v.session.Passive()
		return statusOf(note(v.request.name).Set(v.session, true))
	}
	return a
}

// login signs a user in with the call for it.
func login(subject string) *action {
	return &action{name: "login " + subject, login: subject, handler: func(v *visit) int {
		how := core.SignIn{Auth: core.Auth{Methods: []string{"pwd"}, Level: levelLogin}}
		return v.refuse(v.session.SignIn(v.scope, subject, how))
	}}
}

// loginByHand signs a user in with the calls that [core.Session.SignIn] is made of.
func loginByHand(subject string) *action {
	a := login(subject)
	a.name, a.handler = "login "+subject+" by hand", func(v *visit) int {
		s := v.session
		if s.Subject() != "" && s.Subject() != subject {
			if err := s.Clear(); err != nil {
				return statusOf(err)
			}
		}
		how := core.Auth{Methods: []string{"pwd"}, Level: levelLogin}
		if err := s.LoginWith(subject, how); err != nil {
			return statusOf(err)
		}
		return statusOf(v.commit())
	}
	return a
}

func logout() *action {
	return &action{name: "logout", logsOut: true, handler: func(v *visit) int {
		v.session.Destroy()
		return http.StatusOK
	}}
}

func renew() *action {
	return &action{name: "renew", renews: true, handler: func(v *visit) int {
		return statusOf(v.session.Renew())
	}}
}

func stepUp() *action {
	return &action{name: "step-up", stepsUp: true, handler: func(v *visit) int {
		how := core.Auth{Methods: []string{"otp"}, Level: levelStepUp}
		if err := v.session.StepUp(how); err != nil {
			return statusOf(err)
		}
		return statusOf(v.commit())
	}}
}

func changePassword() *action {
	a := &action{name: "change password", stepsUp: true, revokesOther: true}
	a.handler = func(v *visit) int {
		m := v.request.world.manager
		v.request.revocation = &revocation{subject: v.session.Subject()}
		if _, err := m.RevokeOthers(v.scope, v.session); err != nil {
			return statusOf(err)
		}
		how := core.Auth{Methods: []string{"pwd"}, Level: levelStepUp}
		if err := v.session.StepUp(how); err != nil {
			return statusOf(err)
		}
		return statusOf(v.commit())
	}
	return a
}

// revokeAll is an operator who ends all sessions of ann.
func revokeAll() *action {
	return &action{
		name: "revoke all", revokesAll: true,
		operator: func(ctx context.Context, r *request) error {
			r.revocation = &revocation{subject: ann}
			_, err := r.world.manager.RevokeAll(ctx, ann)
			return err
		},
	}
}

// fill puts into the session what the scenarios begin with.
func fill() *action {
	return &action{name: "fill", handler: func(v *visit) int {
		return statusOf(errors.Join(
			cart.Set(v.session, theCart), code.Set(v.session, "once"), v.commit(),
		))
	}}
}
