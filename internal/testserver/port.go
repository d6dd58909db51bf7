package testserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Ports come from below the range that systems use for outgoing connections: between the end of a server and its
// restart, no client can be given its port.
const firstPort, lastPort = 15000, 32000

// port is one that no other test process takes while we hold it.
type port struct {
	number int
	lock   *os.File
}

// reservePort finds a free port. Without the lock, two test processes could pick the same one, and a server that lost
// the race would look ready because the other one answers.
func reservePort(ctx context.Context) (*port, error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "ports")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	for range 1000 {
		n := firstPort + rand.N(lastPort-firstPort) //nolint:gosec // Nobody has to guess it.
		lock, err := tryLock(filepath.Join(dir, strconv.Itoa(n)))
		if err != nil {
			return nil, err
		}
		if lock == nil {
			continue
		}
		if p := (&port{n, lock}); p.free(ctx) {
			return p, nil
		}
		_ = lock.Close()
	}
	return nil, errors.New("no free port")
}

// free reports whether nobody listens there.
func (p *port) free(ctx context.Context) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.addr())
	return err == nil && l.Close() == nil
}

func (p *port) addr() string { return fmt.Sprintf("127.0.0.1:%d", p.number) }

// release gives the port back. The lock's file stays: removing it would race with whoever opens it next.
func (p *port) release() { _ = p.lock.Close() }

// sleep waits, and no longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// poll calls ready until it returns nil. When ctx ends first, the error says what was still wrong.
func poll(ctx context.Context, ready func() error) error {
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if sleep(ctx, 5*time.Millisecond) != nil {
			return fmt.Errorf("%w; last try: %w", context.Cause(ctx), err)
		}
	}
}
