package memcachedstore

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// conn is a connection to a server. It is used by one call at a time.
type conn struct {
	socket    net.Conn
	in        *bufio.Reader
	out       []byte // the request; the buffer is reused
	maxValue  int    // the length of the longest value that it reads
	opaque    uint64 // the number of the last request, which its reply repeats
	idleSince time.Time
	broken    bool // it failed or was interrupted, so a reply may be outstanding
	rejected  bool // the server returned an error, and may not have read the whole request
}

// maxKeptBuffer is the largest request buffer that a connection keeps.
const maxKeptBuffer = 64 << 10

func newConn(socket net.Conn, maxValue int) *conn {
	return &conn{socket: socket, in: bufio.NewReader(socket), maxValue: maxValue}
}

// do calls f, and interrupts its reads and writes when the context ends.
func (c *conn) do(ctx context.Context, f func(c *conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetDeadline(time.Unix(1, 0)) })
	err := f(c)
	if !stop() {
		c.broken = true
	}
	return err
}

func (c *conn) reusable() bool { return !c.broken && !c.rejected && c.in.Buffered() == 0 }

// close closes the connection. It resets a broken one, so that the system does not send what
// is still in its buffer.
func (c *conn) close() {
	if tcp, ok := c.socket.(*net.TCPConn); ok && c.broken {
		_ = tcp.SetLinger(0)
	}
	_ = c.socket.Close()
}

// fail marks the connection as broken and returns err.
func (c *conn) fail(err error) error {
	c.broken = true
	return err
}

// send sends the request in c.out with a single write.
func (c *conn) send() error {
	if _, err := c.socket.Write(c.out); err != nil {
		return c.fail(err)
	}
	if cap(c.out) > maxKeptBuffer {
		c.out = nil
	}
	return nil
}

var errMalformed = errors.New("the server's reply does not follow the protocol")

// readLine reads a line and returns it without its end. The line is valid until the next read.
func (c *conn) readLine() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, c.fail(errMalformed)
	case err != nil:
		return nil, c.fail(unexpectedEOF(err))
	case len(line) < 2 || line[len(line)-2] != '\r':
		return nil, c.fail(errMalformed)
	}
	return line[:len(line)-2], nil
}

// readValue reads a value of n bytes into new memory.
func (c *conn) readValue(n int) ([]byte, error) {
	if n > c.maxValue {
		return nil, c.fail(errMalformed)
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return nil, c.fail(unexpectedEOF(err))
	}
	if b[n] != '\r' || b[n+1] != '\n' {
		return nil, c.fail(errMalformed)
	}
	return b[:n:n], nil
}

// unexpectedEOF replaces io.EOF, because a reply is missing or incomplete.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
