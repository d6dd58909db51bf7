package core

import "context"

// stripedMutexes is a set of mutexes that can be acquired with a context. Sessions or subjects
// that share one only wait needlessly.
type stripedMutexes [64]mutex

type mutex chan struct{}

func newStripedMutexes() (l stripedMutexes) {
	for i := range l {
		l[i] = make(mutex, 1)
	}
	return l
}

// at returns the mutex for a random byte of a session's id or a subject's key.
func (l *stripedMutexes) at(b byte) mutex { return l[int(b)%len(l)] }

// acquire waits for the mutex, or for the end of ctx, and reports whether it had to wait.
// Unless it returns an error, the caller must call release.
func (l mutex) acquire(ctx context.Context) (waited bool, err error) {
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

func (l mutex) release() { <-l }

// held reports whether somebody has acquired the mutex.
func (l mutex) held() bool { return len(l) > 0 }
