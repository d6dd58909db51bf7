package memcachedstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// conn is a connection to a server. One conversation at a time goes over it.
type conn struct {
	net     net.Conn
	in      *bufio.Reader
	out     []byte // the request being made, kept for its room
	largest int    // the longest value that it reads
	number  uint64 // of the last request; the answer bears it too
	since   time.Time
	broken  bool // it failed, or was interrupted: nobody knows what comes next
	spent   bool // the server has complained, and may not have read all
}

// keptRoom is how large a buffer may be that an idle connection keeps.
const keptRoom = 64 << 10

// dial connects to a server and logs in.
func (o Options) dial(ctx context.Context, address string) (*conn, error) {
	nc, err := o.Dial(ctx, network(address), address)
	if err != nil {
		return nil, err
	}
	c := &conn{net: nc, in: bufio.NewReader(nc), largest: o.MaxItem}
	if o.Username == "" {
		return c, nil
	}
	if err := c.during(ctx, func(c *conn) error { return c.login(o.Username, o.Password) }); err != nil {
		c.close()
		return nil, fmt.Errorf("login: %w", err)
	}
	return c, nil
}

// during has a conversation and interrupts it when the context ends.
func (c *conn) during(ctx context.Context, conversation func(c *conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	err := conversation(c)
	if !stop() {
		c.broken = true
	}
	return err
}

func (c *conn) reusable() bool { return !c.broken && !c.spent && c.in.Buffered() == 0 }

// close ends the connection. After an interruption it does so by a reset, so that nothing that was written arrives any more.
func (c *conn) close() {
	if tcp, ok := c.net.(*net.TCPConn); ok && c.broken {
		_ = tcp.SetLinger(0)
	}
	_ = c.net.Close()
}

// fail marks the connection as broken.
func (c *conn) fail(err error) error {
	c.broken = true
	return err
}

// send writes the request in c.out, in one piece.
func (c *conn) send() error {
	if _, err := c.net.Write(c.out); err != nil {
		return c.fail(err)
	}
	if cap(c.out) > keptRoom {
		c.out = nil
	}
	return nil
}

var errGarbled = errors.New("the server's answer is not what the protocol allows")

// line reads one line of an answer, without its end. It is valid until the next read.
func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, c.fail(errGarbled)
	case err != nil:
		return nil, c.fail(noEOF(err))
	case len(line) < 2 || line[len(line)-2] != '\r':
		return nil, c.fail(errGarbled)
	}
	return line[:len(line)-2], nil
}

// value reads a value of n bytes, into memory of its own.
func (c *conn) value(n int) ([]byte, error) {
	if n > c.largest {
		return nil, c.fail(errGarbled)
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return nil, c.fail(noEOF(err))
	}
	if b[n] != '\r' || b[n+1] != '\n' {
		return nil, c.fail(errGarbled)
	}
	return b[:n:n], nil
}

// noEOF says of the end of a connection what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
