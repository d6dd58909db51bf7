package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// dial connects to addr over TCP. The connection has the deadline of ctx.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, err
}

// redisConn is a client of Redis that supports what setting up servers needs.
type redisConn struct {
	net.Conn
	r *bufio.Reader
}

func dialRedis(ctx context.Context, addr string, config *tls.Config) (*redisConn, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	return &redisConn{conn, bufio.NewReader(conn)}, nil
}

// do sends a command and returns its reply as text. The elements of an array are lines.
func (c *redisConn) do(args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", err
	}
	reply, err := c.read()
	if err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	return reply, nil
}

func (c *redisConn) read() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("empty reply")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '-':
		return "", errors.New(rest)
	case '$':
		return c.bulk(rest)
	case '*':
		return c.array(rest)
	default:
		return rest, nil
	}
}

func (c *redisConn) bulk(length string) (string, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return "", err
	}
	text := make([]byte, n+len("\r\n"))
	_, err = io.ReadFull(c.r, text)
	return string(text[:n]), err
}

func (c *redisConn) array(length string) (string, error) {
	n, err := strconv.Atoi(length)
	if err != nil {
		return "", err
	}
	var lines []string
	for range n {
		line, err := c.read()
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

// ping returns an error until the server is ready. If the user may not ping, the server is
// ready too.
func (c *redisConn) ping() error {
	_, err := c.do("PING")
	if err != nil && strings.Contains(err.Error(), "NOPERM") {
		return nil
	}
	return err
}

// expect returns an error unless the reply to a command contains every text.
func (c *redisConn) expect(command string, texts ...string) error {
	reply, err := c.do(strings.Fields(command)...)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if !strings.Contains(reply, text) {
			return fmt.Errorf("%s: no %q in %q", command, text, reply)
		}
	}
	return nil
}
