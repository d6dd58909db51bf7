package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// shortIdle is the idle timeout of a session that is to end by itself.
const shortIdle = time.Second

// kept bounds how many old cookies a browser keeps.
const kept = 40

// browser has one cookie, as browsers do, and keeps old ones, as attackers do. Its workers send requests at the same time.
type browser struct {
	stress *stress
	name   string

	alone sync.RWMutex // held for writing by who wants no other request under way

	mu   sync.Mutex
	jar  *model.Token
	old  []*model.Token
	left []*model.Token // of sessions left alone, to be tried once they must have expired
}

// worker sends one request after the other until ctx is over.
func (b *browser) worker(ctx context.Context, n int) {
	w := &worker{
		browser: b, key: fmt.Sprintf("q%d", n), name: fmt.Sprintf("%s/%d", b.name, n),
		random: rand.New(rand.NewPCG(b.stress.seed, uint64(b.stress.streams.Add(1)))), //nolint:gosec // To be repeated.
	}
	for ctx.Err() == nil {
		if err := w.turn(); err != nil { //nolint:contextcheck // A request ends by itself, not with the run.
			b.stress.fail(err)
			return
		}
		time.Sleep(time.Duration(w.random.IntN(15)) * time.Millisecond)
	}
}

// pick returns the cookie that the next request is to carry: the browser's, now and then an old one, or none.
func (b *browser) pick(random *rand.Rand) *model.Token {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) > 0 && b.stress.world.Usable(b.left[0]) {
		token := b.left[0]
		b.left = b.left[1:]
		return token
	}
	if len(b.old) > 0 && random.IntN(8) == 0 {
		if token := b.old[random.IntN(len(b.old))]; b.stress.world.Usable(token) {
			return token
		}
	}
	if random.IntN(100) == 0 {
		return nil
	}
	return b.jar
}

// receive does with a response's cookie what a browser does. Only what old cookies bring is put aside.
func (b *browser) receive(sent, got *model.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case got == nil:
		return
	case got.Session == nil && sent == b.jar:
		b.jar = nil
	case got.Session == nil:
	case sent != nil && b.jar != nil && sent.Session != b.jar.Session:
		b.keep(got)
	default:
		if b.jar != nil && b.jar != got {
			b.keep(b.jar)
		}
		b.jar = got
	}
}

func (b *browser) keep(token *model.Token) {
	if len(b.old) == kept {
		b.old = b.old[1:]
	}
	b.old = append(b.old, token)
}

// forget takes the cookie of a session out of the jar.
func (b *browser) forget(token *model.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = append(b.left, token)
	if b.jar != nil && b.jar.Session == token.Session {
		b.jar = nil
	}
}

// worker is one of the requests that a browser has under way at any time.
type worker struct {
	browser   *browser
	random    *rand.Rand
	name, key string
}

// turn is one request, or now and then the end of a session that is left alone.
func (w *worker) turn() error {
	b := w.browser
	if w.random.IntN(250) == 0 {
		b.alone.Lock()
		defer b.alone.Unlock()
		return w.leave()
	}
	b.alone.RLock()
	defer b.alone.RUnlock()
	ctx := context.Background()
	if w.random.IntN(30) == 0 { // the client hangs up
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		timer := time.AfterFunc(time.Duration(w.random.IntN(5000))*time.Microsecond, cancel)
		defer cancel()
		defer timer.Stop()
	}
	return w.send(ctx, b.pick(w.random), choose)
}

// send carries out one request.
func (w *worker) send(ctx context.Context, token *model.Token, plan planner) error {
	s := w.browser.stress
	instance := w.random.IntN(len(s.managers))
	visit := s.world.Visit(token, fmt.Sprintf("%s at %d", w.name, instance))
	r := &request{stress: s, random: w.random, key: w.key, manager: s.managers[instance], visit: visit}
	value := ""
	if token != nil {
		value = token.Value
	}
	watch := time.AfterFunc(hangs, func() { s.fail(fmt.Errorf("a request of %s hangs", w.name)) })
	defer watch.Stop()
	got, err := r.run(ctx, value, plan)
	w.browser.receive(token, got)
	s.requests.Add(1)
	return err
}

// leave leaves the session alone for good, so that it expires: now and then sooner than usual.
func (w *worker) leave() error {
	b := w.browser
	b.mu.Lock()
	token := b.jar
	b.mu.Unlock()
	if token == nil {
		return nil
	}
	var idle time.Duration
	if w.random.IntN(2) == 0 {
		idle = shortIdle
		op := model.Op{Kind: model.Expire, Value: int64(shortIdle)}
		err := w.send(context.Background(), token, func(_ *request, view *model.View, round int) step {
			if view == nil || round > 0 {
				return step{}
			}
			return step{ops: func(int64) []model.Op { return []model.Op{op} }}
		})
		if err != nil || !b.stress.world.LastWas(token.Session, op) {
			return err
		}
	}
	if b.stress.world.Leave(token.Session, idle) {
		b.stress.count("sessions left alone")
		b.forget(token)
	}
	return nil
}
