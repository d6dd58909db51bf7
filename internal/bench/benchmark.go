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

// benchmark measures a subject in a use case. It is measured in slots of a fixed number of
// requests.
type benchmark struct {
	subject      *subject
	use          useCase
	environment  environment
	app          *app
	requester    requester
	creates      bool   // whether each request creates a session
	cookie       string // of the session that was started for the use case
	slotRequests int
	sent         int // requests since the session was started
	samples      []sample
}

// newBenchmark builds the app and verifies that the subject does what is measured.
func newBenchmark(
	ctx context.Context, s *subject, u useCase, env environment,
) (*benchmark, error) {
	b := &benchmark{subject: s, use: u, environment: env}
	if err := b.rebuild(ctx); err != nil {
		b.close()
		return nil, fmt.Errorf("%v: %w", s, err)
	}
	return b, nil
}

func (b *benchmark) close() {
	if b.app != nil {
		b.app.close()
		b.app = nil
	}
}

// rebuild closes the app, if there is one, and builds a new one with an empty store.
func (b *benchmark) rebuild(ctx context.Context) (err error) {
	b.close()
	if b.app, err = b.subject.build(b.environment); err != nil {
		return err
	}
	if err := b.verify(ctx); err != nil {
		return err
	}
	if b.requester, err = b.app.connectedRequester(ctx, b.use.action); err != nil {
		return err
	}
	b.sent, b.cookie = 0, ""
	b.creates = b.subject.hasSessions() && !b.use.cookie &&
		(b.use.action == actionCreate || b.app.alwaysSaves)
	const warmUp = 8 // fills connections and pools
	if !b.use.cookie {
		return b.send(warmUp)
	}
	if b.cookie, err = b.app.startSession(ctx); err != nil {
		return err
	}
	if !b.subject.hasSessions() {
		b.cookie = cookieWithoutSession
	}
	b.requester.setCookie(b.cookie)
	return b.send(warmUp)
}

// verify checks that the subject does what is measured.
func (b *benchmark) verify(ctx context.Context) error {
	if b.subject.hasSessions() {
		return b.app.verify(ctx)
	}
	_, _, err := b.app.visit(ctx, actionRead, cookieWithoutSession)
	return err
}

// cookieWithoutSession is the Cookie field for subjects without sessions. It is as long as
// usual.
const cookieWithoutSession = "session=0123456789abcdef0123456789abcdef" +
	"0123456789abcdef0123456789abcdef"

var errFailed = errors.New("a request failed")

// send sends n requests.
func (b *benchmark) send(n int) error {
	for range n {
		if b.requester.send() != http.StatusOK {
			body := b.requester.responseBody()
			return fmt.Errorf("%v, case %s: %w: %s", b.subject, b.use.name, errFailed, body)
		}
	}
	b.sent += n
	return nil
}

// calibrate finds how many requests fill a slot.
func (b *benchmark) calibrate(slot time.Duration) error {
	for n := 8; ; n *= 2 {
		took := time.Duration(math.MaxInt64)
		for range 3 { // the fastest counts, since the machine may pause in another
			began := time.Now()
			if err := b.send(n); err != nil {
				return err
			}
			took = min(took, time.Since(began))
		}
		if took >= slot/8 {
			b.slotRequests = max(int(float64(n)*slot.Seconds()/took.Seconds()), 16)
			return nil
		}
	}
}

// measureSlot measures one slot. A benchmark that creates sessions begins each slot with an
// empty store and closes it afterwards, because a larger heap would change the cost of garbage
// collection for all other benchmarks.
func (b *benchmark) measureSlot(ctx context.Context) error {
	if !b.creates {
		return b.measure()
	}
	if err := b.rebuild(ctx); err != nil {
		return err
	}
	err := errors.Join(b.measure(), b.check(ctx))
	b.close()
	b.requester = nil
	return err
}

func (b *benchmark) measure() error {
	s, err := measure(b.slotRequests, func() error { return b.send(b.slotRequests) })
	b.samples = append(b.samples, s)
	return err
}

// measure calls send, which sends n requests, and returns what one of them takes.
func measure(n int, send func() error) (sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpuBefore, began := cpuTime(), time.Now()
	err := send()
	took, cpu := time.Since(began), cpuTime()-cpuBefore
	runtime.ReadMemStats(&after)
	per := func(total float64) float64 { return total / float64(n) }
	return sample{
		nanos:  per(float64(took)),
		cpu:    per(float64(cpu)),
		allocs: per(float64(after.Mallocs - before.Mallocs)),
		bytes:  per(float64(after.TotalAlloc - before.TotalAlloc)),
	}, err
}

// check verifies after all slots that each request changed the session if it should have. If
// the benchmark has no app, measureSlot has checked each slot already.
func (b *benchmark) check(ctx context.Context) error {
	if !b.subject.hasSessions() || b.app == nil {
		return nil
	}
	cookie, want := b.cookie, 1
	switch {
	case b.use.action == actionCreate:
		cookie = b.requester.responseCookie()
	case !b.use.cookie:
		if err := b.app.expectUntouched(b.requester.responseCookie()); err != nil {
			return fmt.Errorf("%v, case %s: %w", b.subject, b.use.name, err)
		}
		return nil
	case b.use.action == actionChange && b.subject.store == inCookie:
		// Each request incremented the counter of the same cookie.
		cookie, want = b.requester.responseCookie(), 2
	case b.use.action == actionChange:
		want += b.sent
	}
	if err := b.app.expect(ctx, cookie, want); err != nil {
		return fmt.Errorf("%v, case %s, after %d requests: %w", b.subject, b.use.name, b.sent, err)
	}
	return b.checkCookie()
}

// checkCookie verifies that the session is found by its cookie, and not by something that the
// last request left behind.
func (b *benchmark) checkCookie() error {
	if b.use.action != actionRead && b.use.action != actionChange {
		return nil
	}
	if b.requester.setCookie(""); b.requester.send() == http.StatusOK {
		const text = "%v, case %s: it finds the session without its cookie"
		return fmt.Errorf(text, b.subject, b.use.name)
	}
	return nil
}
