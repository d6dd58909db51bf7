package core

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Lease is the value of a key for [Once]: which request does the work, and until when the others
// wait for it.
type Lease struct {
	Owner string
	Until time.Time
}

// Once runs work in one of the session's requests, such as the renewal of an access token that
// the provider accepts once. The other requests that call Once with the key meanwhile wait until
// it is done, on whichever server they run, and then see what it has stored in the session; their
// own work does not run. A request that calls Once after that runs its work, so work must first
// check whether there is anything left to do.
//
// The lease says how long the work may take. If the process that does it ends, or the work takes
// longer, the next request takes over; so nothing stays locked. The clocks of the servers must
// not differ by more than the lease.
//
// Once saves the session before and after the work. If work fails, Once returns its error, and
// what it has changed is saved by the next commit. If ctx ends while another request does the
// work, Once returns the error of ctx: go on with what there is, or answer 503. It needs a
// session that is stored, and returns [ErrGone] if that has ended, and [ErrBadValue] if the value
// under the key is no Lease.
func Once(
	ctx context.Context, s *Session, key Key[Lease], lease time.Duration, work func() error,
) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	owner := uuid.NewString()
	for wait := shortestWait; ; wait = min(2*wait, longestWait) {
		mine, err := acquire(ctx, s, key, Lease{owner, time.Now().Add(lease)})
		if err != nil {
			return err
		}
		if mine {
			break
		}
		if !sleep(ctx, jitter(wait)) {
			return ctx.Err()
		}
		if err := s.reload(ctx); err != nil {
			return err
		}
		if _, taken, err := key.lookup(s); !taken || err != nil {
			return err // Without an error, another request has done it.
		}
	}
	err := work()
	if releaseErr := release(s, key, owner); err == nil {
		err = releaseErr
	}
	if saveErr := s.Save(context.WithoutCancel(ctx)); err == nil {
		err = saveErr
	}
	return err
}

const (
	shortestWait = 5 * time.Millisecond
	longestWait  = 100 * time.Millisecond
)

// acquire stores the lease unless another one is valid, and reports whether it is stored.
func acquire(ctx context.Context, s *Session, key Key[Lease], l Lease) (bool, error) {
	if _, _, err := key.lookup(s); err != nil {
		return false, err
	}
	key.Update(s, func(current Lease) Lease {
		if time.Now().Before(current.Until) {
			return current
		}
		return l
	})
	if err := s.Save(ctx); err != nil {
		return false, err
	}
	return key.Get(s).Owner == l.Owner, nil
}

// release removes the lease of the owner, unless it has ended and another request has taken over.
func release(s *Session, key Key[Lease], owner string) error {
	data, ok := s.read(string(key))
	if !ok {
		return nil
	}
	if l, err := key.decode(s, data); err != nil || l.Owner != owner {
		return nil //nolint:nilerr // A value that is no lease is another's.
	}
	_, err := s.planTake(string(key), &take{value: data})
	return err
}

// reload replaces the base by the record that is stored now. Pending changes stay.
func (s *Session) reload(ctx context.Context) error {
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	s.mu.Lock()
	ref, live := s.ref(), s.status == statusLive
	s.mu.Unlock()
	if !live {
		return s.unusable()
	}
	r := &s.manager.records
	callCtx, cancel := r.withTimeout(ctx)
	defer cancel()
	var base verified
	if err := r.reopenAndCheck(callCtx, &base, &ref.ticket); err != nil {
		return goneIfNotFound(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == statusLive && s.key() == ref.key {
		base.keepUnpresented(&s.verified)
		s.setBase(&base.snap, &base.ticket, base.standing)
		s.rebaseNeeded = !s.pending.empty()
	}
	return nil
}

// goneIfNotFound returns ErrGone in place of ErrNotFound.
func goneIfNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrGone
	}
	return err
}
