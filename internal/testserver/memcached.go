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
	Megabytes int    // size of the cache; 0 means memcached's default, 64
	ItemSize  string // size of the largest item, such as "4m"; "" means memcached's default, 1m
	Threads   int    // 0 means memcached's default, 4
}

// start implements Spec.
func (m Memcached) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := memcachedSource()
	if addr := src.externalAddr(); addr != "" {
		if (m != Memcached{}) {
			return nil, &missingError{src, "an external server cannot be configured"}
		}
		return externalServer(src, addr, addr), nil
	}
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	dir, err := g.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, program{
		name: src.name, path: path, dir: dir, args: m.args,
		ping: pingMemcached, stop: syscall.SIGTERM,
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
		// Without this option, memcached refuses to run as root.
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
