package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// call is one call of a method and its outcome. start and end are its place in an order that all goroutines agree on: a
// call that ended before another started has happened before it.
type call struct {
	op         operation
	start, end int64
	base       uint64 // the version that a save or a touch was given
	version    uint64 // the version that a successful save or load returned
	data       []byte
	err        error
}

type operation string

const (
	opLoad   operation = "Load"
	opSave   operation = "Save"
	opTouch  operation = "Touch"
	opDelete operation = "Delete"
)

// history is every call there was on one key.
type history struct {
	key   string
	mu    sync.Mutex
	calls []*call
}

func everything(e *env) {
	const keys, workers = 4, 8
	steps := 250
	if testing.Short() {
		steps = 40
	}
	var clock atomic.Int64
	all := make([]*history, keys)
	for i := range all {
		all[i] = &history{key: e.name(fmt.Sprint(i))}
	}
	together(workers, func(n int) {
		w := &worker{env: e, store: e.handle(n), clock: &clock, n: n, known: make(map[string]store.Record)}
		random := rand.New(rand.NewPCG(uint64(n), 1)) //nolint:gosec // a test's choice of what to do next
		for i := range steps {
			w.step(all[random.IntN(keys)], random.IntN(100), i)
		}
	})
	for _, h := range all {
		w := &worker{env: e, store: e.second, clock: &clock, known: make(map[string]store.Record)}
		w.load(h)
		h.check(e)
	}
}

// worker makes calls and writes them down.
type worker struct {
	*env
	store store.Store
	clock *atomic.Int64
	n     int
	known map[string]store.Record // what it loaded or saved last, maybe outdated since
}

// step makes one call, chosen by dice between 0 and 99.
func (w *worker) step(h *history, dice, i int) {
	known := w.known[h.key]
	data := fmt.Appendf(nil, "%d of %d", i, w.n)
	switch {
	case dice < 30 || (known.Version == 0 && dice < 50):
		w.load(h)
	case dice < 75:
		w.save(h, store.Record{Key: h.key, Version: known.Version, Data: data, Expires: time.Now().Add(time.Hour)})
	case dice < 80:
		w.save(h, store.Record{Key: h.key, Data: data, Expires: time.Now().Add(time.Hour)})
	case dice < 92:
		w.touch(h, known)
	default:
		c := w.record(h, opDelete, func(c *call) { c.err = w.store.Delete(w.ctx, h.key) })
		if c.err != nil {
			w.Errorf("Delete = %v", c.err)
		}
	}
}

func (w *worker) record(h *history, op operation, f func(c *call)) *call {
	c := &call{op: op, start: w.clock.Add(1)}
	f(c)
	c.end = w.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
	return c
}

func (w *worker) load(h *history) {
	w.record(h, opLoad, func(c *call) {
		rec, err := w.store.Load(w.ctx, h.key)
		c.version, c.data, c.err = rec.Version, rec.Data, err
		w.known[h.key] = rec
		if err != nil {
			w.is(err, store.ErrNotFound, "Load")
		}
	})
}

func (w *worker) save(h *history, rec store.Record) {
	w.record(h, opSave, func(c *call) {
		saved, err := w.store.Save(w.ctx, rec)
		c.base, c.version, c.data, c.err = rec.Version, saved.Version, rec.Data, err
		switch {
		case err == nil:
			w.known[h.key] = saved
		case errors.Is(err, store.ErrConflict):
			w.known[h.key] = saved
		case errors.Is(err, store.ErrNotFound) && rec.Version != 0:
			delete(w.known, h.key)
		default:
			w.Errorf("Save(version %d) = %v", rec.Version, err)
		}
	})
}

func (w *worker) touch(h *history, known store.Record) {
	s, ok := w.store.(store.Toucher)
	if !ok || known.Version == 0 {
		return
	}
	w.record(h, opTouch, func(c *call) {
		c.base = known.Version
		c.err = s.Touch(w.ctx, store.Record{Key: h.key, Version: known.Version, Expires: time.Now().Add(2 * time.Hour)})
		if c.err != nil && !errors.Is(c.err, store.ErrConflict) && !errors.Is(c.err, errors.ErrUnsupported) {
			w.is(c.err, store.ErrNotFound, "Touch")
		}
	})
}

// life is what is known of one version: who saved it, who replaced it.
type life struct{ saved, replaced *call }

// check looks for calls that no order explains.
func (h *history) check(e *env) {
	lives := h.lives(e)
	for _, c := range h.calls {
		switch {
		case c.op == opDelete || errors.Is(c.err, errors.ErrUnsupported):
		case errors.Is(c.err, store.ErrNotFound):
			h.checkGone(e, c)
		case c.err != nil: // a conflict says little
		case c.op == opLoad:
			h.checkSeen(e, lives, c, c.version)
			h.checkData(e, lives, c)
		case c.base != 0:
			h.checkSeen(e, lives, c, c.base)
		default:
			h.checkAbsent(e, lives, c)
		}
	}
}

// lives finds out what there is to know about each version.
func (h *history) lives(e *env) map[uint64]*life {
	lives := make(map[uint64]*life)
	var saves []*call
	for _, c := range h.calls {
		if c.op != opSave || c.err != nil {
			continue
		}
		if lives[c.version] != nil {
			e.Errorf("%q: version %d was given to two saves", h.key, c.version)
		}
		lives[c.version] = &life{saved: c}
		saves = append(saves, c)
	}
	for _, c := range saves {
		if c.base != 0 {
			h.checkReplaced(e, lives, c)
		}
	}
	return lives
}

func (h *history) checkData(e *env, lives map[uint64]*life, c *call) {
	if l := lives[c.version]; l != nil && !bytes.Equal(l.saved.data, c.data) {
		e.Errorf("%q: Load returned version %d with %q, which was saved with %q", h.key, c.version, c.data, l.saved.data)
	}
}

func (h *history) checkReplaced(e *env, lives map[uint64]*life, c *call) {
	switch l := lives[c.base]; {
	case l == nil: // reported by checkSeen
	case l.replaced != nil:
		e.Errorf("%q: version %d was replaced twice, so one of the changes is lost", h.key, c.base)
	default:
		l.replaced = c
	}
}

// checkSeen checks a call that found version alive: it was saved, and neither replaced nor deleted before the call.
func (h *history) checkSeen(e *env, lives map[uint64]*life, c *call, version uint64) {
	l := lives[version]
	if l == nil || l.saved.start > c.end {
		e.Errorf("%q: %s found version %d, which nobody had saved", h.key, c.op, version)
		return
	}
	if l.replaced != nil && l.replaced.end < c.start {
		e.Errorf("%q: %s found version %d, which had been replaced before the call", h.key, c.op, version)
	}
	for _, d := range h.calls {
		if d.op == opDelete && d.start > l.saved.end && d.end < c.start {
			e.Errorf("%q: %s found version %d alive, which had been deleted before the call", h.key, c.op, version)
		}
	}
}

// checkAbsent checks a successful create: no other version was alive all the while.
func (h *history) checkAbsent(e *env, lives map[uint64]*life, c *call) {
	for version, l := range lives {
		if l.saved.end < c.start && l.replaced == nil && !h.deletedBetween(l.saved.start, c.end) {
			e.Errorf("%q: a create succeeded while version %d was stored", h.key, version)
		}
	}
}

// checkGone checks a call that found nothing: there was a delete since the last create before it, or no create.
func (h *history) checkGone(e *env, c *call) {
	for _, s := range h.calls {
		if s.op == opSave && s.err == nil && s.end < c.start && !h.deletedBetween(s.start, c.end) {
			e.Errorf("%q: %s found nothing, though version %d had been saved and never deleted", h.key, c.op, s.version)
			return
		}
	}
}

// deletedBetween reports whether a delete may have taken effect between two instants.
func (h *history) deletedBetween(start, end int64) bool {
	for _, d := range h.calls {
		if d.op == opDelete && d.end > start && d.start < end {
			return true
		}
	}
	return false
}
