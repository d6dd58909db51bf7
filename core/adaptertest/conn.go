package adaptertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// rawConn is a connection to the server on which the suite writes requests byte by byte.
type rawConn struct {
	env *env
	net net.Conn
	in  *bufio.Reader
}

// dial opens a connection to the server.
func (e *env) dial() *rawConn {
	e.Helper()
	var d net.Dialer
	nc, err := d.DialContext(e.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.Fatalf("dial: %v", err)
	}
	e.Cleanup(func() { _ = nc.Close() })
	return &rawConn{e, nc, bufio.NewReader(nc)}
}

func (c *rawConn) extendDeadline() { _ = c.net.SetDeadline(time.Now().Add(3 * timeout)) }

// send writes a GET request with these header lines, exactly as they are.
func (c *rawConn) send(target string, lines ...string) {
	c.env.Helper()
	c.extendDeadline()
	lines = append([]string{"GET " + target + " HTTP/1.1", "Host: localhost"}, lines...)
	if _, err := io.WriteString(c.net, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		c.env.Errorf("write: %v", err)
	}
}

// readHeader reads the next response up to its body.
func (c *rawConn) readHeader() *http.Response {
	c.env.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.env.Fatalf("no response: %v", err)
	}
	return res
}

// readOK reads the next response and returns an error if its status is not 200. Unlike the
// other methods it may be called from any goroutine.
func (c *rawConn) readOK() error {
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status is %d", res.StatusCode)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// readAnswer reads the next response completely.
func (c *rawConn) readAnswer() *answer {
	c.env.Helper()
	res := c.readHeader()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.env.Errorf("reading the body: %v", err)
	}
	return &answer{res.StatusCode, res.Header, string(body)}
}

// roundTrip sends one request and reads its response.
func (c *rawConn) roundTrip(target string, lines ...string) *answer {
	c.env.Helper()
	c.send(target, lines...)
	return c.readAnswer()
}

// pipeline sends n requests without waiting for responses, and passes each response to check.
// The request function returns the target and one header line of request i; the line may be
// empty.
func (c *rawConn) pipeline(
	n int, request func(i int) (target, line string), check func(i int, a *answer),
) {
	c.env.Helper()
	c.extendDeadline()
	go func() {
		out := bufio.NewWriter(c.net)
		for i := range n {
			target, line := request(i)
			_, _ = out.WriteString("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n")
			if line != "" {
				_, _ = out.WriteString(line + "\r\n")
			}
			_, _ = out.WriteString("\r\n")
		}
		_ = out.Flush()
	}()
	for i := range n {
		check(i, c.readAnswer())
		c.extendDeadline() // All responses together may take longer than one deadline.
	}
}
