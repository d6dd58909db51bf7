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

// Ports are below the range that systems use for outgoing connections. Otherwise the system
// could give a server's port to a client while the server is being restarted.
const firstPort, lastPort = 15000, 32000

// port is a TCP port that no other test process uses until it is released.
type port struct {
	number int
	lock   *os.File
}

// reservePort finds a free port and locks it. Without the lock, two test processes could
// choose the same port. The server that lost the race would then seem ready because the other
// one answers.
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
		n := firstPort + rand.N(lastPort-firstPort) //nolint:gosec // not a secret
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

// free reports whether no process listens on the port.
func (p *port) free(ctx context.Context) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.addr())
	return err == nil && l.Close() == nil
}

func (p *port) addr() string { return fmt.Sprintf("127.0.0.1:%d", p.number) }

// release releases the port. The lock file stays, since removing it would race with the next
// process that opens it.
func (p *port) release() { _ = p.lock.Close() }

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// poll calls ready until it returns nil. If ctx is done first, the error includes the last one
// that ready returned.
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
