package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"time"
)

// trial is a contender in a use case. It is measured in slots of so many requests.
type trial struct {
	contender *contender
	use       useCase
	world     world
	site      *site
	x         exchange
	first     string // cookie that the session was started with
	n         int    // requests in a slot
	sent      int    // requests since the session was started
	figures   []figure
}

// newTrial builds the contender and proves that it does what is measured.
func newTrial(ctx context.Context, c *contender, u useCase, w world) (*trial, error) {
	t := &trial{contender: c, use: u, world: w}
	if err := t.renew(ctx); err != nil {
		t.close()
		return nil, fmt.Errorf("%v: %w", c, err)
	}
	return t, nil
}

func (t *trial) close() {
	if t.site != nil {
		t.site.close()
		t.site = nil
	}
}

// renew builds the site, anew if there is one: what creates sessions would fill it otherwise.
func (t *trial) renew(ctx context.Context) (err error) {
	t.close()
	if t.site, err = t.contender.build(t.world); err != nil {
		return err
	}
	if err := t.prove(ctx); err != nil {
		return err
	}
	t.x, t.sent, t.first = t.site.exchange(ctx, t.use.action), 0, ""
	if !t.use.cookie {
		return t.send(8) // connections and pools
	}
	if t.first, err = t.site.open(ctx); err != nil {
		return err
	}
	if !t.contender.keepsSessions() {
		t.first = bareField
	}
	t.x.carry(t.first)
	return t.send(8)
}

// prove shows that the contender does what it is to do.
func (t *trial) prove(ctx context.Context) error {
	if t.contender.keepsSessions() {
		return t.site.prove(ctx)
	}
	_, _, err := t.site.visit(ctx, read, bareField)
	return err
}

// bareField is the Cookie field for who has no sessions, as long as a usual one.
const bareField = "session=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var errFailed = errors.New("a request failed")

// send sends so many requests.
func (t *trial) send(n int) error {
	for range n {
		if t.x.send() != http.StatusOK {
			return fmt.Errorf("%v, case %s: %w: %s", t.contender, t.use.name, errFailed, t.x.body())
		}
	}
	t.sent += n
	return nil
}

// calibrate finds how many requests fill a slot.
func (t *trial) calibrate(slot time.Duration) error {
	for n := 8; ; n *= 2 {
		took := time.Duration(math.MaxInt64)
		for range 3 { // the fastest, since a pause of the machine is no work
			began := time.Now()
			if err := t.send(n); err != nil {
				return err
			}
			took = min(took, time.Since(began))
		}
		if took >= slot/8 {
			t.n = max(int(float64(n)*slot.Seconds()/took.Seconds()), 16)
			return nil
		}
	}
}

// slot measures one slot. What creates sessions begins with an empty store each time, and leaves none: a larger heap would
// make every other trial's garbage cheaper or dearer to collect.
func (t *trial) slot(ctx context.Context) error {
	if t.use.action != create || !t.contender.keepsSessions() {
		return t.measure()
	}
	if err := t.renew(ctx); err != nil {
		return err
	}
	err := errors.Join(t.measure(), t.check(ctx))
	t.close()
	t.x = nil
	return err
}

func (t *trial) measure() error {
	f, err := measure(t.n, func() error { return t.send(t.n) })
	t.figures = append(t.figures, f)
	return err
}

// measure returns what each of n requests took.
func measure(n int, send func() error) (figure, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	busy, began := processorTime(), time.Now()
	err := send()
	took, worked := time.Since(began), processorTime()-busy
	runtime.ReadMemStats(&after)
	per := func(total float64) float64 { return total / float64(n) }
	return figure{
		per(float64(took)), per(float64(worked)),
		per(float64(after.Mallocs - before.Mallocs)), per(float64(after.TotalAlloc - before.TotalAlloc)),
	}, err
}

// check proves, after all slots, that each request that was to change the session did so.
func (t *trial) check(ctx context.Context) error {
	if !t.contender.keepsSessions() || t.site == nil {
		return nil // there is nothing to prove, or it has been proved after each slot
	}
	cookie, want := t.first, 1
	switch {
	case t.use.action == create:
		cookie = t.x.cookie()
	case !t.use.cookie:
		if set := t.x.cookie(); set != "" {
			return fmt.Errorf("%v, case %s: it sets the cookie %q", t.contender, t.use.name, set)
		}
		return nil
	case t.use.action == change && t.contender.store == cookieStore:
		cookie, want = t.x.cookie(), 2 // of the cookie that each request was sent with
	case t.use.action == change:
		want += t.sent
	}
	if err := t.site.expect(ctx, cookie, want); err != nil {
		return fmt.Errorf("%v, case %s, after %d requests: %w", t.contender, t.use.name, t.sent, err)
	}
	return t.checkCookie()
}

// checkCookie proves that it is the cookie which leads to the session, and nothing that the last request has left behind.
func (t *trial) checkCookie() error {
	if t.use.action != read && t.use.action != change {
		return nil
	}
	if t.x.carry(""); t.x.send() == http.StatusOK {
		return fmt.Errorf("%v, case %s: it finds the session without its cookie", t.contender, t.use.name)
	}
	return nil
}
