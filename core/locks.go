package core

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// queues is a set of mutexes by key: that of a session or of a subject. A mutex exists only while
// somebody holds it or waits for it, so nobody waits for anybody else's.
type queues [64]queueShard

type queueShard struct {
	used atomic.Int32 // the number of queues, so that held is cheap while there is none
	mu   sync.Mutex
	all  map[string]*queue
}

// queue is one mutex, which can be acquired with a context.
type queue struct {
	turn  chan struct{} // has an element while the mutex is held
	users int           // who holds it or waits for it; guarded by queueShard.mu
}

// maxQueue is how many requests may hold or wait for one mutex. A session has as many writers at
// once only if something is wrong with its client, and each of them holds the memory of a request.
const maxQueue = 128

// errCrowded is returned to a request that would have to wait behind too many others.
var errCrowded = fmt.Errorf("%w: too many requests wait to save this session, "+
	"or to sign this subject in", ErrConflict)

func (q *queues) shard(key string) *queueShard {
	n := 0
	for i := max(len(key)-2, 0); i < len(key); i++ { // Keys are random at the end.
		n = 16*n + int(key[i])
	}
	return &q[n%len(q)]
}

// held reports whether somebody has acquired the mutex of the key.
func (q *queues) held(key string) bool {
	s := q.shard(key)
	if s.used.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[key] != nil
}

// acquire waits for the mutex of the key, or for the end of ctx, and reports whether it had to
// wait. Unless it returns an error, the caller must call release.
func (q *queues) acquire(ctx context.Context, key string) (waited bool, err error) {
	s := q.shard(key)
	one := s.join(key)
	if one == nil {
		return false, errCrowded
	}
	select {
	case one.turn <- struct{}{}:
		return false, nil
	default:
	}
	select {
	case one.turn <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		s.leave(key, one)
		return true, ctx.Err()
	}
}

// release releases the mutex of the key.
func (q *queues) release(key string) {
	s := q.shard(key)
	s.mu.Lock()
	one := s.all[key]
	s.mu.Unlock()
	<-one.turn
	s.leave(key, one)
}

// join returns the queue of the key with another user, or nil if it is full.
func (s *queueShard) join(key string) *queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[key]
	if one == nil {
		one = &queue{turn: make(chan struct{}, 1)}
		if s.all == nil {
			s.all = map[string]*queue{}
		}
		s.all[key] = one
		s.used.Add(1)
	}
	if one.users == maxQueue {
		return nil
	}
	one.users++
	return one
}

// leave takes a user from the queue, and forgets it if that was the last one.
func (s *queueShard) leave(key string, one *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.all, key)
		s.used.Add(-1)
	}
}
