package core

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A mutex is for one key alone, whatever the keys have in common, and nothing is left of it.
func TestQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := new(queues)
		key := func(n int) string { return fmt.Sprintf("session-%04d-a", n) } // one shard
		for n := range 100 {
			equal(t, "held before", q.held(key(n)), false)
			waited, err := q.acquire(t.Context(), key(n))
			want(t, err, nil)
			equal(t, "waited", waited, false)
			equal(t, "held", q.held(key(n)), true)
		}
		var order []int
		for n := range 3 {
			go func() {
				waited, err := q.acquire(t.Context(), key(7))
				want(t, err, nil)
				equal(t, "waited for another", waited, true)
				order = append(order, n)
				q.release(key(7))
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := q.acquire(ctx, key(7))
		want(t, err, context.DeadlineExceeded)
		equal(t, "waited for", time.Since(start), time.Second)
		equal(t, "who got it so far", len(order), 0)
		for n := range 100 {
			q.release(key(n))
		}
		synctest.Wait()
		equal(t, "who got it", fmt.Sprint(order), "[0 1 2]")
		for i := range q {
			equal(t, "queues left", len(q[i].all)+int(q[i].used.Load()), 0)
		}
	})
}

// Who overfills a queue is told at once. There is room again when somebody leaves.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := new(queues)
		_, err := q.acquire(t.Context(), "a")
		want(t, err, nil)
		ctx, giveUp := context.WithCancel(t.Context())
		for range maxQueue - 1 {
			go func() {
				_, err := q.acquire(ctx, "a")
				want(t, err, context.Canceled)
			}()
		}
		synctest.Wait()
		start := time.Now()
		_, err = q.acquire(t.Context(), "a")
		want(t, err, errCrowded)
		equal(t, "waited for", time.Since(start), 0)
		_, err = q.acquire(t.Context(), "b")
		want(t, err, nil)
		giveUp()
		synctest.Wait()
		go func() { time.Sleep(time.Second); q.release("a") }()
		_, err = q.acquire(t.Context(), "a")
		want(t, err, nil)
		equal(t, "waited for the next", time.Since(start), time.Second)
	})
}

// attack runs writers on one session until stop is called, each behind a conflict.
func attack(tb testing.TB, m *Manager, writers int) (stop func()) {
	tb.Helper()
	c := newClient(tb, m)
	c.request(set(tb, 1))
	var wg sync.WaitGroup
	var done atomic.Bool
	for range writers {
		wg.Go(func() {
			for !done.Load() {
				s := c.load()
				increment(s)
				_, _ = s.finish(tb.Context())
			}
		})
	}
	return func() { done.Store(true); wg.Wait() }
}

// slowStore answers each save after a while.
type slowStore struct {
	*spy
	delay time.Duration
}

func (s slowStore) Save(ctx context.Context, rec Record) (Record, error) {
	time.Sleep(s.delay)
	return s.spy.Save(ctx, rec)
}

// F: many writers on one session delay no other session, wherever its id ends, nor the logins of
// other users. Who overfills the queue of the session is refused at once.
func TestAttackerDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		const delay = 20 * time.Millisecond
		m := newTestManager(t, Options{Store: slowStore{store, delay}})
		stop := attack(t, m, 100)
		time.Sleep(time.Second)
		for range 200 { // Some ids end as the attacker's does.
			start := time.Now()
			c := newClient(t, m)
			c.request(set(t, 1))
			a, b := c.load(), c.load()
			increment(a)
			increment(b)
			c.respond(a)
			c.respond(b) // meets a conflict
			equal(t, "visits", visits.Get(c.load()), 3)
			equal(t, "four saves took", time.Since(start), 4*delay)
		}
		stop()
	})
}

// Many logins of one user delay those of nobody else.
func TestLoginsOfOneUserDelayNobodyElse(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		const delay = 20 * time.Millisecond
		store.onCall(func(_ context.Context, op, _ string) error {
			if op == "save" {
				time.Sleep(delay)
			}
			return nil
		})
		m := newTestManager(t, Options{Store: store, MaxSessions: 3})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { newSignedIn(t, m, "ann") })
		}
		synctest.Wait()
		for n, others := 0, 0; others < 20; n++ {
			other, ann := m.keyspace.subjectKey(strconv.Itoa(n)), m.keyspace.subjectKey("ann")
			if other[0] != ann[0] && other[len(other)-1] != ann[len(ann)-1] {
				continue // Those that have something in common are more likely to meet.
			}
			others++
			start := time.Now()
			newSignedIn(t, m, strconv.Itoa(n))
			equal(t, "one save took", time.Since(start), delay)
		}
		wg.Wait()
		equal(t, "sessions of ann", liveSessions(t, m), 3)
	})
}

func TestCrowdedSessionIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		m := newTestManager(t, Options{Store: slowStore{store, 10 * time.Millisecond}, StoreTimeout: time.Minute})
		c := newClient(t, m)
		c.request(set(t, 0))
		var saved, refused atomic.Int64
		var wg sync.WaitGroup
		for range 3 * maxQueue {
			s := c.load()
			increment(s)
			wg.Go(func() {
				_, err := s.finish(t.Context())
				if err == nil {
					saved.Add(1)
					return
				}
				want(t, err, errCrowded)
				want(t, err, ErrStore)
				equal(t, "status", StatusCode(err), 503)
				refused.Add(1)
			})
		}
		wg.Wait()
		equal(t, "some are refused", refused.Load() > 0, true)
		equal(t, "as many as fit are saved", saved.Load() >= maxQueue, true)
		equal(t, "visits", visits.Get(c.load()), int(saved.Load()))
		equal(t, "failures of the store", m.Stats().StoreFailures, 0)
	})
}

// BenchmarkBystanders measures how long the update of a session takes at most in 99 of 100 cases,
// alone and while the clients of another session send many updates at once.
func BenchmarkBystanders(b *testing.B) {
	m := newTestManager(b, Options{Store: slowStore{newSpy(), 10 * time.Millisecond}})
	bystanders := make([]*client, 100)
	for i := range bystanders {
		bystanders[i] = newClient(b, m)
		bystanders[i].request(set(b, 1))
	}
	p99 := func() time.Duration {
		all := make([]time.Duration, max(b.N, 100))
		for i := range all {
			start := time.Now()
			bystanders[i%len(bystanders)].request(increment)
			all[i] = time.Since(start)
		}
		slices.Sort(all)
		return all[len(all)*99/100]
	}
	quiet := p99()
	var attackers []func()
	for range 8 {
		attackers = append(attackers, attack(b, m, 16))
	}
	attacked := p99()
	for _, stop := range attackers {
		stop()
	}
	b.ReportMetric(float64(quiet.Microseconds()), "us-alone")
	b.ReportMetric(float64(attacked.Microseconds()), "us-attacked")
	b.ReportMetric(float64(attacked)/float64(quiet), "ratio")
}
