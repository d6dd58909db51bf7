package testserver

import (
	"context"
	"net"
	"sync"
)

// link is one client's connection and its continuation to the server.
type link struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn // nil until it is made; guarded by proxy.mu, like dead.
	dead   bool

	mu   sync.Mutex
	lost *swallow // The reply to be lost next.
}

// run passes data until either side hangs up.
func (l *link) run() {
	defer l.proxy.remove(l)
	if !l.connect() {
		l.proxy.change(l.reset)
		return
	}
	var replies sync.WaitGroup
	replies.Go(l.replies)
	l.requests()
	replies.Wait()
}

// connect connects to the server. A server that is down shows as a reset.
func (l *link) connect() bool {
	if !l.proxy.wait(l, false) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), faultWait)
	defer cancel()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", l.proxy.target)
	if err != nil {
		return false
	}
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.server = server
	if l.dead {
		_ = server.Close()
	}
	return !l.dead
}

// reset ends both sides without farewell. The caller holds the proxy's lock.
func (l *link) reset() {
	l.dead = true
	for _, conn := range []net.Conn{l.client, l.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // Close then sends a reset.
			_ = tcp.Close()
		}
	}
}

// finish ends both sides in good order, with what has been written.
func (l *link) finish() {
	_ = l.client.Close()
	_ = l.server.Close()
	l.proxy.change(func() { l.dead = true })
}

// requests passes what the client sends.
func (l *link) requests() {
	defer l.finish()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if n > 0 {
			if !l.proxy.wait(l, false) {
				return
			}
			if s := l.proxy.matches(buf[:n]); s != nil {
				l.mu.Lock()
				l.lost = s
				l.mu.Unlock()
			}
			if _, err := l.server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// replies passes what the server answers.
func (l *link) replies() {
	defer l.finish()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		if n > 0 && !l.reply(buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// reply passes one piece of a reply. It returns false when the connection is to end.
func (l *link) reply(piece []byte) bool {
	l.mu.Lock()
	lost := l.lost
	l.mu.Unlock()
	if lost != nil {
		// Whoever waits for the channel may rely on the end of the connection.
		l.finish()
		close(lost.done)
		return false
	}
	if !l.proxy.wait(l, true) {
		return false
	}
	n, c := l.proxy.limit(len(piece))
	_, err := l.client.Write(piece[:n])
	if c != nil {
		l.finish()
		close(c.done)
		return false
	}
	return err == nil
}
