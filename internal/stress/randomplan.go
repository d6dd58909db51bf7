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
			s.writesAfterDestroy = r.firstWrites
		}
		return s
	}
	return commitPlan{
		writes:         r.randomWrites(view),
		beforeResponse: n.IntN(8) == 0, continueAfter: n.IntN(10) == 0,
	}
}

// firstWrites returns the writes that start a session.
func (r *request) firstWrites(id int64) []model.Op {
	ops := []model.Op{{Kind: model.Set, Key: "s0", Value: id}}
	if r.random.IntN(4) == 0 {
		ops = append(ops, model.Op{Kind: model.Login, Key: subject(id)})
	}
	return ops
}

func subject(id int64) string { return fmt.Sprintf("user-%d", id) }

// randomWrites returns a function that returns one or more kinds of writes.
func (r *request) randomWrites(view *model.View) func(id int64) []model.Op {
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
		return append(ops, r.identityChanges(id)...)
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
func (r *request) identityChanges(id int64) []model.Op {
	switch n := r.random.IntN(30); {
	case n < 3:
		return []model.Op{{Kind: model.Renew}}
	case n < 5:
		return []model.Op{{Kind: model.Login, Key: subject(id)}}
	case n < 6:
		idle := []time.Duration{0, core.Permanent, time.Hour}
		return []model.Op{{Kind: model.Expire, Value: int64(idle[r.random.IntN(len(idle))])}}
	}
	return nil
}
