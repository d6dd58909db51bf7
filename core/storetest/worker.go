package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func everyMethodAtOnce(e *env) {
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
	concurrently(workers, func(n int) {
		w := newWorker(e, e.handle(n), &clock, n)
		random := rand.New(rand.NewPCG(uint64(n), 1)) //nolint:gosec // needs no security
		for i := range steps {
			w.step(all[random.IntN(keys)], random.IntN(100), i)
		}
	})
	for _, h := range all {
		newWorker(e, e.second, &clock, 0).callLoad(h)
		h.check(e)
	}
}

// worker makes calls and records them.
type worker struct {
	*env
	store store.Store
	clock *atomic.Int64 // orders the calls of all workers
	n     int
	known map[string]store.Record // by key: what it loaded or saved last, perhaps outdated
}

func newWorker(e *env, s store.Store, clock *atomic.Int64, n int) *worker {
	return &worker{env: e, store: s, clock: clock, n: n, known: make(map[string]store.Record)}
}

// step makes one call, which the random number dice, from 0 to 99, determines.
func (w *worker) step(h *history, dice, i int) {
	known := w.known[h.key]
	rec := store.Record{
		Key: h.key, Data: fmt.Appendf(nil, "%d of %d", i, w.n), Expires: time.Now().Add(time.Hour),
	}
	switch {
	case dice < 30 || (known.Version == 0 && dice < 50):
		w.callLoad(h)
	case dice < 75:
		rec.Version = known.Version
		w.callSave(h, rec)
	case dice < 80:
		w.callSave(h, rec)
	case dice < 92:
		w.callTouch(h, known)
	default:
		w.callDelete(h)
	}
}

// observe records a call that f makes.
func (w *worker) observe(h *history, method method, f func(c *call)) {
	c := &call{method: method, start: w.clock.Add(1)}
	f(c)
	c.end = w.clock.Add(1)
	h.add(c)
}

func (w *worker) callLoad(h *history) {
	w.observe(h, methodLoad, func(c *call) {
		rec, err := w.store.Load(w.ctx, h.key)
		c.version, c.data, c.err = rec.Version, rec.Data, err
		w.known[h.key] = rec
		if err != nil {
			w.wantErr(err, store.ErrNotFound, "Load")
		}
	})
}

func (w *worker) callSave(h *history, rec store.Record) {
	w.observe(h, methodSave, func(c *call) {
		saved, err := w.store.Save(w.ctx, rec)
		c.base, c.version, c.data, c.err = rec.Version, saved.Version, rec.Data, err
		switch {
		case err == nil, errors.Is(err, store.ErrConflict):
			w.known[h.key] = saved
		case errors.Is(err, store.ErrNotFound) && rec.Version != 0:
			delete(w.known, h.key)
		default:
			w.Errorf("Save(version %d) = %v", rec.Version, err)
		}
	})
}

func (w *worker) callTouch(h *history, known store.Record) {
	s, ok := w.store.(store.Toucher)
	if !ok || known.Version == 0 {
		return
	}
	w.observe(h, methodTouch, func(c *call) {
		c.base = known.Version
		later := time.Now().Add(2 * time.Hour)
		c.err = s.Touch(w.ctx, store.Record{Key: h.key, Version: known.Version, Expires: later})
		switch {
		case c.err == nil, errors.Is(c.err, store.ErrConflict):
		case errors.Is(c.err, errors.ErrUnsupported):
		default:
			w.wantErr(c.err, store.ErrNotFound, "Touch")
		}
	})
}

func (w *worker) callDelete(h *history) {
	w.observe(h, methodDelete, func(c *call) {
		if c.err = w.store.Delete(w.ctx, h.key); c.err != nil {
			w.Errorf("Delete = %v", c.err)
		}
	})
}
