package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

const (
	cookieName = "session"
	logKey     = core.Key[[]int64]("log")
)

// request is a request as an adapter handles it. It reports everything to the model.
type request struct {
	stress     *stress
	random     *rand.Rand
	key        string // written only by this worker
	manager    *core.Manager
	visit      *model.Visit
	scope      core.Scope
	session    *core.Session
	header     map[string][]string
	headerSent bool
	failed     bool   // the session has refused a change because it could not be loaded
	overtaken  bool   // the token has been overtaken, so the session is empty
	sentID     string // the id of the session whose token was sent
}

// run handles the request. It returns the cookie that the response sets, or nil if there is
// none. If the response removes the cookie, the token has no session.
func (r *request) run(ctx context.Context, cookie string, plan planner) (*model.Token, error) {
	var fields []string
	if cookie != "" {
		fields = []string{cookieName + "=" + cookie}
	}
	r.header = map[string][]string{}
	if err := r.scope.Open(ctx, nil, r.manager, nil, fields...); err != nil {
		return nil, r.expectUnavailable("load", err)
	}
	if ok, err := r.load(); !ok {
		return nil, err
	}
	for round := range 3 {
		view, err := r.observe()
		if err != nil {
			return nil, err
		}
		if more, err := r.commitRound(round, plan(r, view, round)); !more || err != nil {
			token, cookieErr := r.responseCookie()
			return token, errors.Join(err, cookieErr)
		}
	}
	return r.responseCookie()
}

// load loads the session as a handler does. A lazy manager has two ways, of which it chooses
// one at random.
func (r *request) load() (ok bool, err error) {
	if !r.manager.Lazy() || r.random.IntN(2) == 0 {
		if r.session, err = r.scope.Load(); err != nil {
			return false, r.expectUnavailable("lazy load", err)
		}
		return true, nil
	}
	r.session = r.scope.Get()
	_ = r.session.Keys() // if the session could not be loaded, using it makes the commit fail
	if _, err := r.scope.Load(); err != nil {
		if commit := r.commitHeader(); commit == nil {
			const text = "a session was used but not loaded (%w), and the commit succeeds"
			return false, fmt.Errorf(text, err)
		}
		return false, r.expectUnavailable("lazy get", err)
	}
	return true, nil
}

// observe reports to the model what the request has found.
func (r *request) observe() (*model.View, error) {
	if r.session.IsNew() {
		if r.session.Len() != 0 || r.session.Subject() != "" {
			return nil, errors.New("a new session is not empty")
		}
		_, r.overtaken = r.session.Overtaken()
		return nil, r.visit.SawNothing(r.overtaken)
	}
	if _, overtaken := r.session.Overtaken(); overtaken {
		return nil, fmt.Errorf("%v is there and is overtaken", r.session)
	}
	r.overtaken = false
	view := &model.View{
		ID: r.session.ID(), Subject: r.session.Subject(), Values: map[string]int64{},
	}
	for _, key := range r.session.Keys() {
		if key == string(logKey) {
			view.Log = logKey.Get(r.session)
			continue
		}
		value, ok := core.Key[int64](key).Lookup(r.session)
		if !ok {
			const text = "session %s: %s is among the keys and has no value"
			return nil, fmt.Errorf(text, view.ID, key)
		}
		view.Values[key] = value
	}
	return view, r.visit.Saw(view)
}

// commitPlan is what a request writes in one commit.
type commitPlan struct {
	writes             func(id int64) []model.Op // nil if there are none
	writesAfterDestroy func(id int64) []model.Op // the first writes of a new session; may be nil
	beforeResponse     bool                      // commit before the response begins, and go on
	continueAfter      bool                      // go on after the response has begun
}

// planner plans the nth commit of a request, given what the request has found. The view is nil
// if there is no session.
type planner func(r *request, view *model.View, round int) commitPlan

// commitRound makes the changes of a plan and commits them. It reports whether another round
// may follow.
func (r *request) commitRound(n int, s commitPlan) (more bool, err error) {
	txs, err := r.applyPlan(s)
	if err != nil {
		return false, err
	}
	early, before := s.beforeResponse && n == 0, r.header["Set-Cookie"]
	commitErr := r.commit(early)
	gone, err := r.isGone(early, commitErr, before)
	if err != nil {
		return false, err
	}
	for _, tx := range txs {
		if err := r.recordOutcome(tx, commitErr, gone); err != nil {
			return false, err
		}
	}
	if commitErr != nil && !gone {
		return false, r.expectUnavailable("commit", commitErr)
	}
	return !gone && (s.beforeResponse || s.continueAfter), nil
}

// applyPlan begins and applies the transactions of a plan. It returns those that a commit saves.
func (r *request) applyPlan(s commitPlan) (txs []*model.Tx, err error) {
	if s.writes != nil {
		tx := r.visit.Begin(s.writes)
		if saved, err := r.apply(tx); err != nil {
			return nil, err
		} else if saved {
			txs = append(txs, tx)
		}
	}
	if s.writesAfterDestroy == nil {
		return txs, nil
	}
	r.visit.Start()
	tx := r.visit.Begin(s.writesAfterDestroy)
	_, err = r.apply(tx)
	return append(txs, tx), err
}

// isGone reports whether the session is gone after a commit that returned err. Nothing was saved
// then, and the response must not have got a cookie.
func (r *request) isGone(early bool, err error, before []string) (gone bool, _ error) {
	_, gone = r.session.Overtaken()
	refused := errors.Is(err, core.ErrGone)
	switch {
	case err != nil && !refused:
		return false, nil
	case r.failed:
		return false, errors.New("a session that could not be loaded is committed")
	case refused != (gone && early):
		return false, fmt.Errorf("a commit returns %w, but the session is gone: %t", err, gone)
	case gone && !slices.Equal(before, r.header["Set-Cookie"]):
		return false, errors.New("the response of a session that is gone sets a cookie")
	}
	return gone, nil
}

func (r *request) recordOutcome(tx *model.Tx, err error, gone bool) error {
	outcome := model.Acked
	switch {
	case gone:
		outcome = model.Gone
	case err != nil:
		outcome = model.Unknown
	}
	return r.visit.Settle(tx, outcome, r.session.ID())
}

// commit commits before the response begins, when it begins, or after that.
func (r *request) commit(early bool) error {
	switch {
	case r.headerSent:
		return r.scope.Close()
	case early:
		return r.scope.Commit(func(reply *adapter.Reply) { reply.Apply(r.header) })
	}
	r.headerSent = true
	return r.commitHeader()
}

// commitHeader commits at the last moment before the first byte of the response.
func (r *request) commitHeader() error {
	reply, err := r.scope.CommitHeader()
	if err == nil {
		reply.Apply(r.header)
	}
	return err
}

// apply applies the operations of a transaction to the session. If the request has been overtaken,
// those before a login must be refused. It reports whether any operations are to be saved.
func (r *request) apply(tx *model.Tx) (saved bool, err error) {
	refused := 0
	for n, op := range tx.Ops {
		if op.Kind == model.Login {
			r.overtaken = false
		}
		err := r.applyOp(op)
		if err != nil && core.StatusCode(err) == 503 {
			r.failed = true // The session was used before it was loaded, so the commit fails.
			continue
		}
		if errors.Is(err, core.ErrGone) != r.overtaken || err != nil && !r.overtaken {
			return false, fmt.Errorf("%s of %v returns %w, overtaken: %t",
				op.Kind, tx, err, r.overtaken)
		}
		if r.overtaken {
			refused = n + 1
		}
	}
	if refused > 0 && !r.visit.Refuse(tx, refused) {
		return false, nil
	}
	if tx.Logged {
		logKey.Update(r.session, func(ids []int64) []int64 {
			return append(slices.Clone(ids), tx.ID)
		})
	}
	return true, nil
}

// applyOp applies an operation to the session. An update returns no error.
func (r *request) applyOp(op model.Op) error {
	s := r.session
	switch op.Kind {
	case model.Set:
		return core.Key[int64](op.Key).Set(s, op.Value)
	case model.Add:
		core.Key[int64](op.Key).Update(s, func(n int64) int64 { return n + 1 })
	case model.Delete:
		if op.Value == 0 {
			return s.Delete(op.Key)
		}
		core.Key[int64](op.Key).Take(s)
	case model.Clear:
		return s.Clear()
	case model.Renew:
		return s.Renew()
	case model.Login:
		return s.Login(op.Key)
	case model.Expire:
		return s.SetExpiry(time.Duration(op.Value))
	case model.Destroy:
		s.Destroy()
	}
	return nil
}

// expectUnavailable counts an error. It returns an error unless the status for it is 503.
func (r *request) expectUnavailable(operation string, err error) error {
	r.visit.Note("%s fails: %v", operation, err)
	if core.StatusCode(err) != 503 {
		return fmt.Errorf("%s fails with something else than an outage: %w", operation, err)
	}
	r.stress.count(operation + ": " + errorKind(err))
	return nil
}

// errorKind returns the kind of an error for the summary.
func errorKind(err error) string {
	for _, kind := range []error{
		context.Canceled, context.DeadlineExceeded, core.ErrConflict, core.ErrFull,
	} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "other failure of the store"
}

// responseCookie returns the cookie that the response sets: see run.
func (r *request) responseCookie() (*model.Token, error) {
	fields := r.header["Set-Cookie"]
	if len(fields) == 0 {
		return nil, nil //nolint:nilnil // see the comment of run
	}
	if len(fields) > 1 {
		return nil, errors.New("a response sets more than one cookie")
	}
	pair, _, _ := strings.Cut(fields[0], ";")
	_, value, _ := strings.Cut(pair, "=")
	if value == "" {
		return &model.Token{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) < len(uuid.UUID{}) {
		return nil, errors.New("a response sets a cookie that is no ticket")
	}
	return r.visit.Cookie(value, uuid.UUID(raw[:16]).String())
}
