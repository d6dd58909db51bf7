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

// request is one request as an adapter carries it out, with what the model is to know of it.
type request struct {
	stress  *stress
	random  *rand.Rand
	key     string // that only this worker writes
	manager *core.Manager
	visit   *model.Visit
	scope   core.Scope
	session *core.Session
	header  map[string][]string
	begun   bool
}

// run carries the request out: plan returns what to write, given what was found. It returns the cookie that the response
// sets: nil for none, one without a session for a removal.
func (r *request) run(ctx context.Context, cookie string, plan planner) (*model.Token, error) {
	var fields []string
	if cookie != "" {
		fields = []string{cookieName + "=" + cookie}
	}
	r.header = map[string][]string{}
	if err := r.scope.Open(ctx, nil, r.manager, nil, fields...); err != nil {
		return nil, r.failed("load", err)
	}
	if ok, err := r.load(); !ok {
		return nil, err
	}
	for round := range 3 {
		view, err := r.look()
		if err != nil {
			return nil, err
		}
		if more, err := r.round(round, plan(r, view, round)); !more || err != nil {
			token, cookieErr := r.cookie()
			return token, errors.Join(err, cookieErr)
		}
	}
	return r.cookie()
}

// load gets the session as a handler does, on a lazy manager in one of both ways.
func (r *request) load() (ok bool, err error) {
	if !r.manager.Lazy() || r.random.IntN(2) == 0 {
		if r.session, err = r.scope.Load(); err != nil {
			return false, r.failed("lazy load", err)
		}
		return true, nil
	}
	r.session = r.scope.Get()
	_ = r.session.Keys() // a session that could not be loaded fails the commit once it is used
	if _, err := r.scope.Load(); err != nil {
		if commit := r.commitHeader(); commit == nil {
			return false, fmt.Errorf("a session that was used and could not be loaded (%w) made no error of the response", err)
		}
		return false, r.failed("lazy get", err)
	}
	return true, nil
}

// look tells the model what the request finds.
func (r *request) look() (*model.View, error) {
	if r.session.IsNew() {
		if r.session.Len() != 0 || r.session.Subject() != "" {
			return nil, errors.New("a new session is not empty")
		}
		return nil, r.visit.SawNothing()
	}
	view := &model.View{ID: r.session.ID(), Subject: r.session.Subject(), Values: map[string]int64{}}
	for _, key := range r.session.Keys() {
		if key == string(logKey) {
			view.Log = logKey.Get(r.session)
			continue
		}
		value, ok := core.Key[int64](key).Lookup(r.session)
		if !ok {
			return nil, fmt.Errorf("session %s: %s is among the keys and has no value", view.ID, key)
		}
		view.Values[key] = value
	}
	return view, r.visit.Saw(view)
}

// step is what a request writes in one commit.
type step struct {
	ops     func(id int64) []model.Op // nil: nothing
	restart func(id int64) []model.Op // behind a Destroy: the first writes of a new session
	early   bool                      // commit before the response, and go on
	late    bool                      // go on after the response has begun
}

// planner decides what a request writes in its nth commit.
type planner func(r *request, view *model.View, round int) step

// round makes the changes of one step and commits them. It reports whether another round may follow.
func (r *request) round(n int, s step) (more bool, err error) {
	var txs []*model.Tx
	if s.ops != nil {
		txs = append(txs, r.visit.Begin(s.ops))
		r.apply(txs[0])
	}
	if s.restart != nil {
		r.visit.Start()
		txs = append(txs, r.visit.Begin(s.restart))
		r.apply(txs[1])
	}
	live := len(txs) > 0 && s.restart == nil && !r.session.IsNew()
	commitErr := r.commit(s.early && n == 0)
	gone := errors.Is(commitErr, core.ErrGone)
	if commitErr == nil && live && r.begun {
		gone = errors.Is(r.session.Renew(), core.ErrGone) // the adapters do not say; this changes nothing any more
	}
	for _, tx := range txs {
		if err := r.settle(tx, commitErr, gone); err != nil {
			return false, err
		}
	}
	if commitErr != nil && !gone {
		return false, r.failed("commit", commitErr)
	}
	return !gone && (s.early || s.late), nil
}

func (r *request) settle(tx *model.Tx, err error, gone bool) error {
	outcome := model.Acked
	switch {
	case gone:
		outcome = model.Gone
	case err != nil:
		outcome = model.Unknown
	}
	return r.visit.Settle(tx, outcome, r.session.ID())
}

// commit commits early, at the last moment, or what was written after that.
func (r *request) commit(early bool) error {
	switch {
	case r.begun:
		return r.scope.Close()
	case early:
		return r.scope.Commit(func(reply *adapter.Reply) { reply.Apply(r.header) })
	}
	r.begun = true
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

// apply does to the session what the transaction says.
func (r *request) apply(tx *model.Tx) {
	s := r.session
	for _, op := range tx.Ops {
		switch op.Kind {
		case model.Set:
			_ = core.Key[int64](op.Key).Set(s, op.Value)
		case model.Add:
			core.Key[int64](op.Key).Update(s, func(n int64) int64 { return n + 1 })
		case model.Delete:
			if op.Value == 0 {
				_ = s.Delete(op.Key)
			} else {
				core.Key[int64](op.Key).Take(s)
			}
		case model.Clear:
			_ = s.Clear()
		case model.Renew:
			_ = s.Renew()
		case model.Login:
			_ = s.Login(op.Key)
		case model.Expire:
			_ = s.SetExpiry(time.Duration(op.Value))
		case model.Destroy:
			s.Destroy()
		}
	}
	if tx.Logged {
		logKey.Update(s, func(ids []int64) []int64 { return append(slices.Clone(ids), tx.ID) })
	}
}

// failed is what a request does about an error: 503 is the only one that there may be.
func (r *request) failed(operation string, err error) error {
	r.visit.Note("%s fails: %v", operation, err)
	if core.StatusCode(err) != 503 {
		return fmt.Errorf("%s fails with something else than an outage: %w", operation, err)
	}
	r.stress.count(operation + ": " + kindOf(err))
	return nil
}

// kindOf sorts errors for the summary.
func kindOf(err error) string {
	for _, kind := range []error{context.Canceled, context.DeadlineExceeded, core.ErrConflict, core.ErrFull} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "other failure of the store"
}

// cookie returns what the response does to the browser's cookie.
func (r *request) cookie() (*model.Token, error) {
	fields := r.header["Set-Cookie"]
	if len(fields) == 0 {
		return nil, nil //nolint:nilnil // No cookie is an answer.
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
