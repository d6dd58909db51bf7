package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"strings"
	"time"
)

// retry calls do again as long as it fails with a transient error, until the context ends.
// It gives up after many attempts, because then something else must be wrong.
func retry(ctx context.Context, d Dialect, do func() error) error {
	const attempts, pause = 100, 2 * time.Millisecond
	for i := 1; ; i++ {
		err := do()
		if err == nil || i == attempts || !isTransient(d, err) {
			return err
		}
		if sleep(ctx, jitter(pause)) != nil {
			return err
		}
	}
}

// isTransient reports whether the database has undone a statement in favor of another
// transaction.
func isTransient(d Dialect, err error) bool {
	switch d {
	case PostgreSQL:
		const serialization, deadlock = "40001", "40P01"
		state := sqlState(err)
		return state == serialization || state == deadlock
	case MySQL:
		return strings.Contains(err.Error(), "Error 1213")
	default:
		return isLocked(err)
	}
}

// sleep waits for d. It returns an error if ctx ends before that.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// jitter returns a random duration between 75 and 125 percent of d.
func jitter(d time.Duration) time.Duration {
	const steps = 1 << 16
	var b [2]byte
	_, _ = rand.Read(b[:]) // Read never returns an error.
	return d/4*3 + time.Duration(binary.LittleEndian.Uint16(b[:]))*(d/2)/steps
}
