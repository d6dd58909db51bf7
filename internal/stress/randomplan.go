package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// choose is what an application might do, at random.
func choose(r *request, view *model.View, round int) step {
	n := r.random
	switch {
	case round > 0 && n.IntN(2) == 0, n.IntN(10) < 3:
		return step{}
	case view == nil && r.begun:
		return step{}
	case view == nil:
		return step{ops: r.first, early: n.IntN(10) == 0, late: n.IntN(10) == 0}
	case r.begun: // what needs a cookie is too late
		return step{ops: func(id int64) []model.Op { return slices.Concat(r.quiet(id), r.loud(view, id)) }}
	case n.IntN(60) == 0:
		s := step{ops: func(int64) []model.Op { return []model.Op{{Kind: model.Destroy}} }}
		if n.IntN(3) == 0 {
			s.restart = r.first
		}
		return s
	}
	return step{ops: r.writes(view), early: n.IntN(8) == 0, late: n.IntN(10) == 0}
}

// first is what starts a session.
func (r *request) first(id int64) []model.Op {
	ops := []model.Op{{Kind: model.Set, Key: "s0", Value: id}}
	if r.random.IntN(4) == 0 {
		ops = append(ops, model.Op{Kind: model.Login, Key: subject(id)})
	}
	return ops
}

func subject(id int64) string { return fmt.Sprintf("user-%d", id) }

// writes returns one kind of writes or several.
func (r *request) writes(view *model.View) func(id int64) []model.Op {
	return func(id int64) []model.Op {
		var ops []model.Op
		if r.random.IntN(25) == 0 {
			ops = append(ops, model.Op{Kind: model.Clear})
			view = &model.View{}
		}
		if r.random.IntN(3) == 0 {
			return append(ops, r.quiet(id)...)
		}
		for range 1 + r.random.IntN(2) {
			ops = append(ops, r.loud(view, id)...)
		}
		return append(ops, r.identity(id)...)
	}
}

// quiet writes what keeps out of the log.
func (r *request) quiet(id int64) []model.Op {
	ops := []model.Op{{Kind: model.Set, Key: r.key, Value: id}}
	if r.random.IntN(2) == 0 {
		ops = []model.Op{{Kind: model.Add, Key: model.QuietCounter}}
	}
	return ops
}

// loud writes keys that all workers share. Each key is written once in a transaction at most, but for the counter.
func (r *request) loud(view *model.View, id int64) []model.Op {
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
		return []model.Op{{Kind: model.Delete, Key: key, Value: r.random.Int64N(2)}} // by Delete or Take
	}
	return []model.Op{{Kind: model.Set, Key: key, Value: id}}
}

// identity changes the secret or the idle timeout, now and then.
func (r *request) identity(id int64) []model.Op {
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
