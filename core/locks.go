package core

import "context"

// locks is a set of mutexes that can be acquired with a context. Sessions or subjects that
// share one only wait needlessly.
type locks [64]lock

type lock chan struct{}

func newLocks() (l locks) {
	for i := range l {
		l[i] = make(lock, 1)
	}
	return l
}

// at returns the lock for a random byte of a session's id or a subject's key.
func (l *locks) at(b byte) lock { return l[int(b)%len(l)] }

// acquire waits for the lock, or for the end of ctx, and reports whether it had to wait. Unless
// it returns an error, the caller must call release.
func (l lock) acquire(ctx context.Context) (waited bool, err error) {
	select {
	case l <- struct{}{}:
		return false, nil
	default:
	}
	select {
	case l <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func (l lock) release() { <-l }

// held reports whether somebody has acquired the lock.
func (l lock) held() bool { return len(l) > 0 }
