//go:build unix

package testserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// tryLock acquires a lock across processes, which ends when the file is closed or the process
// ends. It returns nil if the lock is taken.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in our cache
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if closed := f.Close(); closed != nil || !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(err, closed)
	}
	return nil, nil //nolint:nilnil // see the comment above
}

// lockCache waits for a lock in the cache folder. The caller must call unlock.
func lockCache(ctx context.Context, name string) (unlock func(), err error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	for {
		f, err := tryLock(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() { _ = f.Close() }, nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
