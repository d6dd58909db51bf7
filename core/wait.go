package core

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"
)

// sleep waits for d, or until ctx ends. It reports whether it waited for d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter returns a random duration below limit.
func jitter(limit time.Duration) time.Duration {
	var b [2]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return limit * time.Duration(binary.BigEndian.Uint16(b[:])) >> 16
}
