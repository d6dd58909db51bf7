package testserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Memcached is the [Spec] of a memcached.
type Memcached struct {
	Megabytes int    // Of memory; 0 means 64, as in memcached.
	ItemSize  string // The largest item, for example "4m"; "" means 1m, as in memcached.
	Threads   int    // 0 means 4, as in memcached.
}

// start implements Spec.
func (m Memcached) start(ctx context.Context, h *host) (*Server, error) {
	src := memcachedSource()
	if addr := src.external(); addr != "" {
		if (m != Memcached{}) {
			return nil, &missingError{src, "an external server cannot be configured"}
		}
		return outside(src, addr, addr), nil
	}
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	dir, err := h.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, h, program{
		name: src.name, path: path, dir: dir, args: m.args, ping: pingMemcached, stop: syscall.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	s.source, s.url = src, s.addr
	return s, nil
}

func (m Memcached) args(port int) ([]string, error) {
	args := []string{"-l", "127.0.0.1", "-U", "0", "-p", strconv.Itoa(port)}
	if m.Megabytes > 0 {
		args = append(args, "-m", strconv.Itoa(m.Megabytes))
	}
	if m.ItemSize != "" {
		args = append(args, "-I", m.ItemSize)
	}
	if m.Threads > 0 {
		args = append(args, "-t", strconv.Itoa(m.Threads))
	}
	if os.Getuid() == 0 {
		// It refuses to run as root unless told to.
		args = append(args, "-u", "root")
	}
	return args, nil
}

func pingMemcached(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "version\r\n"); err != nil {
		return err
	}
	reply := make([]byte, 64)
	n, err := conn.Read(reply)
	if err == nil && !strings.HasPrefix(string(reply[:n]), "VERSION ") {
		err = fmt.Errorf("memcached: %q", reply[:n])
	}
	return err
}
