package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// shortIdle is the idle timeout of some sessions that are abandoned.
const shortIdle = time.Second

// maxOldCookies is how many old cookies a browser keeps.
const maxOldCookies = 40

// browser has one cookie, as browsers do, and keeps old ones, as attackers do. Its workers
// send requests concurrently.
type browser struct {
	stress *stress
	name   string

	exclusive sync.RWMutex // locked for writing to prevent concurrent requests

	mu         sync.Mutex
	cookie     *model.Token
	oldCookies []*model.Token
	abandoned  []*model.Token // of sessions that are abandoned
}

// runWorker lets a worker send one request after another until ctx is done.
func (b *browser) runWorker(ctx context.Context, n int) {
	stream := uint64(b.stress.workerCount.Add(1)) //nolint:gosec // positive
	w := &worker{
		browser: b, key: fmt.Sprintf("q%d", n), name: fmt.Sprintf("%s/%d", b.name, n),
		random: rand.New(rand.NewPCG(b.stress.seed, stream)), //nolint:gosec // can be repeated
	}
	for ctx.Err() == nil {
		if err := w.next(); err != nil { //nolint:contextcheck // requests outlive ctx
			b.stress.fail(err)
			return
		}
		time.Sleep(time.Duration(w.random.IntN(15)) * time.Millisecond)
	}
}

// pickCookie returns the cookie for the next request: the current one, sometimes an old one,
// or none.
func (b *browser) pickCookie(random *rand.Rand) *model.Token {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.abandoned) > 0 && b.stress.history.Usable(b.abandoned[0]) {
		token := b.abandoned[0]
		b.abandoned = b.abandoned[1:]
		return token
	}
	if len(b.oldCookies) > 0 && random.IntN(8) == 0 {
		if token := b.oldCookies[random.IntN(len(b.oldCookies))]; b.stress.history.Usable(token) {
			return token
		}
	}
	if random.IntN(100) == 0 {
		return nil
	}
	return b.cookie
}

// receive stores the cookie of a response, as a browser does. A cookie that another session's
// cookie was exchanged for becomes an old one.
func (b *browser) receive(sent, got *model.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case got == nil:
		return
	case got.Session == nil && sent == b.cookie:
		b.cookie = nil
	case got.Session == nil:
	case sent != nil && b.cookie != nil && sent.Session != b.cookie.Session:
		b.addOld(got)
	default:
		if b.cookie != nil && b.cookie != got {
			b.addOld(b.cookie)
		}
		b.cookie = got
	}
}

func (b *browser) addOld(token *model.Token) {
	if len(b.oldCookies) == maxOldCookies {
		b.oldCookies = b.oldCookies[1:]
	}
	b.oldCookies = append(b.oldCookies, token)
}

// abandon removes the cookie of a session from the browser. The token is tried again when the
// session must have expired.
func (b *browser) abandon(token *model.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned = append(b.abandoned, token)
	if b.cookie != nil && b.cookie.Session == token.Session {
		b.cookie = nil
	}
}

// worker sends the requests of a browser one after another.
type worker struct {
	browser   *browser
	random    *rand.Rand
	name, key string
}

// next sends one request, or sometimes abandons the session.
func (w *worker) next() error {
	b := w.browser
	if w.random.IntN(250) == 0 {
		b.exclusive.Lock()
		defer b.exclusive.Unlock()
		return w.abandonSession()
	}
	b.exclusive.RLock()
	defer b.exclusive.RUnlock()
	ctx := context.Background()
	if w.random.IntN(30) == 0 { // the client closes the connection
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		timer := time.AfterFunc(time.Duration(w.random.IntN(5000))*time.Microsecond, cancel)
		defer cancel()
		defer timer.Stop()
	}
	return w.send(ctx, b.pickCookie(w.random), randomPlan)
}

// send sends one request.
func (w *worker) send(ctx context.Context, token *model.Token, plan planner) error {
	s := w.browser.stress
	instance := w.random.IntN(len(s.managers))
	visit := s.history.Visit(token, fmt.Sprintf("%s at %d", w.name, instance))
	r := &request{
		stress: s, random: w.random, key: w.key, manager: s.managers[instance], visit: visit,
	}
	value := ""
	if token != nil {
		value, r.sentID = token.Value, token.Session.ID
	}
	watchdog := time.AfterFunc(hangTimeout, func() {
		s.fail(fmt.Errorf("a request of %s hangs", w.name))
	})
	defer watchdog.Stop()
	got, err := r.run(ctx, value, plan)
	w.browser.receive(token, got)
	s.requests.Add(1)
	return err
}

// abandonSession abandons the session until it expires. It sometimes sets a short idle timeout
// first.
func (w *worker) abandonSession() error {
	b := w.browser
	b.mu.Lock()
	token := b.cookie
	b.mu.Unlock()
	if token == nil {
		return nil
	}
	var idle time.Duration
	if w.random.IntN(2) == 0 {
		idle = shortIdle
		op := model.Op{Kind: model.Expire, Value: int64(shortIdle)}
		plan := func(_ *request, view *model.View, round int) commitPlan {
			if view == nil || round > 0 {
				return commitPlan{}
			}
			return commitPlan{writes: func(int64) []model.Op { return []model.Op{op} }}
		}
		err := w.send(context.Background(), token, plan)
		if err != nil || !b.stress.history.LastWas(token.Session, op) {
			return err
		}
	}
	if b.stress.history.Abandon(token.Session, idle) {
		b.stress.count("sessions left alone")
		b.abandon(token)
	}
	return nil
}
