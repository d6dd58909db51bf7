package testserver

import (
	"context"
	"net"
	"sync"
)

// proxyConn is the connection of a client to a proxy together with the proxy's connection to
// the server.
type proxyConn struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn // nil until it is made; guarded by proxy.mu, like closed
	closed bool

	mu      sync.Mutex
	swallow *pendingSwallow // drops the next reply
}

// run forwards data until either side closes its connection.
func (c *proxyConn) run() {
	defer c.proxy.remove(c)
	if !c.connect() {
		c.proxy.update(c.reset)
		return
	}
	var replies sync.WaitGroup
	replies.Go(c.forwardReplies)
	c.forwardRequests()
	replies.Wait()
}

// connect connects to the server. If it returns false, the client gets a reset.
func (c *proxyConn) connect() bool {
	if !c.proxy.waitToForward(c, false) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", c.proxy.target)
	if err != nil {
		return false
	}
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.server = server
	if c.closed {
		_ = server.Close()
	}
	return !c.closed
}

// reset resets both connections. The caller must hold proxy.mu.
func (c *proxyConn) reset() {
	c.closed = true
	for _, conn := range []net.Conn{c.client, c.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // makes Close send a reset
			_ = tcp.Close()
		}
	}
}

// closeBoth closes both connections after the data that has been written.
func (c *proxyConn) closeBoth() {
	_ = c.client.Close()
	_ = c.server.Close()
	c.proxy.update(func() { c.closed = true })
}

// forwardRequests forwards what the client sends.
func (c *proxyConn) forwardRequests() {
	defer c.closeBoth()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.client.Read(buf)
		if n > 0 {
			if !c.proxy.waitToForward(c, false) {
				return
			}
			if s := c.proxy.takeSwallow(buf[:n]); s != nil {
				c.mu.Lock()
				c.swallow = s
				c.mu.Unlock()
			}
			if _, err := c.server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// forwardReplies forwards what the server replies.
func (c *proxyConn) forwardReplies() {
	defer c.closeBoth()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		if n > 0 && !c.forwardReply(buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// forwardReply forwards a piece of a reply. It returns false if the connection is to end.
func (c *proxyConn) forwardReply(piece []byte) bool {
	c.mu.Lock()
	swallow := c.swallow
	c.mu.Unlock()
	if swallow != nil {
		// When the channel is closed, the connection must have ended.
		c.closeBoth()
		close(swallow.done)
		return false
	}
	if !c.proxy.waitToForward(c, true) {
		return false
	}
	n, cut := c.proxy.takeCut(len(piece))
	_, err := c.client.Write(piece[:n])
	if cut != nil {
		c.closeBoth()
		close(cut.done)
		return false
	}
	return err == nil
}
