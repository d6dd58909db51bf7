package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// randomPlan plans a random commit.
func randomPlan(r *request, view *model.View, round int) commitPlan {
	n := r.random
	switch {
	case round > 0 && n.IntN(2) == 0, n.IntN(10) < 3:
		return commitPlan{}
	case view == nil && r.headerSent:
		return commitPlan{}
	case view == nil:
		return commitPlan{
			writes:         r.firstWrites,
			beforeResponse: n.IntN(10) == 0, continueAfter: n.IntN(10) == 0,
		}
	case r.headerSent: // only writes that do not need a new cookie
		return commitPlan{writes: func(id int64) []model.Op {
			return slices.Concat(r.unloggedWrites(id), r.loggedWrites(view, id))
		}}
	case n.IntN(60) == 0:
		s := commitPlan{writes: func(int64) []model.Op {
			return []model.Op{{Kind: model.Destroy}}
		}}
		if n.IntN(3) == 0 {
			r.sentID = "" // A login has no session to join.
			s.writesAfterDestroy = r.firstWrites
		}
		return s
	}
	return commitPlan{
		writes:         r.randomWrites(view),
		beforeResponse: n.IntN(8) == 0, continueAfter: n.IntN(10) == 0,
	}
}

// firstWrites returns the writes that start a session. If the request was overtaken, those before
// a login are refused.
func (r *request) firstWrites(id int64) []model.Op {
	ops := []model.Op{{Kind: model.Set, Key: "s0", Value: id}}
	logins := 4 // one in so many
	if r.overtaken {
		logins = 2
	}
	if r.random.IntN(logins) > 0 {
		return ops
	}
	ops = append(ops, model.Op{Kind: model.Login, Key: r.subject(id, r.sentID)})
	if r.random.IntN(2) == 0 {
		ops = append(ops, model.Op{Kind: model.Set, Key: "s1", Value: id})
	}
	return ops
}

// subject returns the subject that a transaction logs in: one of its own, or the one that all
// requests log in which have found the session with the given id, if they choose to.
func (r *request) subject(id int64, session string) string {
	if session != "" && r.random.IntN(2) == 0 {
		return "home-" + session
	}
	return fmt.Sprintf("user-%d", id)
}

// randomWrites returns a function that returns one or more kinds of writes.
func (r *request) randomWrites(view *model.View) func(id int64) []model.Op {
	current := view
	return func(id int64) []model.Op {
		var ops []model.Op
		if r.random.IntN(25) == 0 {
			ops = append(ops, model.Op{Kind: model.Clear})
			view = &model.View{}
		}
		if r.random.IntN(3) == 0 {
			return append(ops, r.unloggedWrites(id)...)
		}
		for range 1 + r.random.IntN(2) {
			ops = append(ops, r.loggedWrites(view, id)...)
		}
		return append(ops, r.identityChanges(current, id)...)
	}
}

// unloggedWrites returns writes that are not logged.
func (r *request) unloggedWrites(id int64) []model.Op {
	ops := []model.Op{{Kind: model.Set, Key: r.key, Value: id}}
	if r.random.IntN(2) == 0 {
		ops = []model.Op{{Kind: model.Add, Key: model.UnloggedCounter}}
	}
	return ops
}

// loggedWrites returns writes to keys that all workers share. A transaction writes each key at
// most once, except the counter.
func (r *request) loggedWrites(view *model.View, id int64) []model.Op {
	key := fmt.Sprintf("s%d", r.random.IntN(4))
	switch r.random.IntN(4) {
	case 0:
		return []model.Op{{Kind: model.Add, Key: "n"}}
	case 1:
		key = fmt.Sprintf("d%d", r.random.IntN(4))
		if _, ok := view.Values[key]; !ok {
			return []model.Op{{Kind: model.Set, Key: key, Value: id}}
		}
		delete(view.Values, key)
		value := r.random.Int64N(2) // with Delete or Take
		return []model.Op{{Kind: model.Delete, Key: key, Value: value}}
	}
	return []model.Op{{Kind: model.Set, Key: key, Value: id}}
}

// identityChanges returns, sometimes, a change of the secret or the idle timeout.
func (r *request) identityChanges(view *model.View, id int64) []model.Op {
	switch n := r.random.IntN(30); {
	case n < 3:
		return []model.Op{{Kind: model.Renew}}
	case n < 5 && view.Subject == "":
		return []model.Op{{Kind: model.Login, Key: r.subject(id, view.ID)}}
	case n < 4:
		return []model.Op{{Kind: model.Login, Key: r.subject(id, "")}}
	case n < 5:
		return []model.Op{{Kind: model.Login, Key: view.Subject}}
	case n < 6:
		idle := []time.Duration{0, core.Permanent, time.Hour}
		return []model.Op{{Kind: model.Expire, Value: int64(idle[r.random.IntN(len(idle))])}}
	}
	return nil
}
