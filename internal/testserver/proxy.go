package testserver

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy forwards connections to a server and injects faults into them. Several faults may be
// active at the same time, until Heal ends them. Its methods are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each update
	closed  bool
	delay   time.Duration
	refuse  bool
	stalled bool
	cut     *pendingCut
	swallow *pendingSwallow
	conns   map[*proxyConn]struct{}
	total   int
}

// pendingCut is a request to close a connection within a reply.
type pendingCut struct {
	remaining int // bytes of replies to forward before that
	done      chan struct{}
}

// pendingSwallow is a request to drop the reply to one request.
type pendingSwallow struct {
	match []byte
	done  chan struct{}
}

// NewProxy returns a proxy in front of addr. It is closed when the test ends.
func NewProxy(tb testing.TB, addr string) *Proxy {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		target: addr, listener: l,
		changed: make(chan struct{}), conns: map[*proxyConn]struct{}{},
	}
	p.done.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Through returns an address or URL of the server with the address of the proxy instead.
func (p *Proxy) Through(url string) string { return strings.Replace(url, p.target, p.Addr(), 1) }

// Delay delays each piece of a reply. A delay of 0 ends this.
func (p *Proxy) Delay(d time.Duration) { p.update(func() { p.delay = d }) }

// BlackHole stops forwarding in both directions. Connections stay open, and new ones are
// accepted. Data that is sent in the meantime arrives after Heal, as after an interruption of
// the network.
func (p *Proxy) BlackHole() { p.update(func() { p.stalled = true }) }

// Reset resets all current connections. New ones work.
func (p *Proxy) Reset() { p.update(p.resetAll) }

// Drop resets all current connections, and each new one right after it is accepted.
func (p *Proxy) Drop() {
	p.update(func() {
		p.refuse = true
		p.resetAll()
	})
}

// CutAfter forwards the next n bytes of replies and then closes the connection of the last of
// them, once. If n is less than the length of the next reply, the client receives a part of
// that reply. The channel is closed when the connection has been closed.
func (p *Proxy) CutAfter(n int) <-chan struct{} {
	c := &pendingCut{n, make(chan struct{})}
	p.update(func() { p.cut = c })
	return c.done
}

// SwallowReply forwards the next request that contains match, drops the reply and closes the
// connection, once. The server has then handled the request, but the client cannot know. The
// channel is closed when the connection has been closed. An empty match is contained in every
// request. Otherwise the client must send the text in a single write and without TLS.
func (p *Proxy) SwallowReply(match string) <-chan struct{} {
	s := &pendingSwallow{[]byte(match), make(chan struct{})}
	p.update(func() { p.swallow = s })
	return s.done
}

// Heal ends all faults.
func (p *Proxy) Heal() {
	p.update(func() {
		p.delay, p.refuse, p.stalled, p.cut, p.swallow = 0, false, false, nil, nil
	})
}

// Connections returns how many connections clients have made so far, and how many of them are
// open.
func (p *Proxy) Connections() (total, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total, len(p.conns)
}

// update calls f with the lock held and wakes all goroutines in waitToForward.
func (p *Proxy) update(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) resetAll() {
	for c := range p.conns {
		c.reset()
	}
}

// close closes the listener and all connections, and waits until their goroutines have ended.
func (p *Proxy) close() {
	_ = p.listener.Close()
	p.update(func() {
		p.closed = true
		p.resetAll()
	})
	p.done.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		c := &proxyConn{proxy: p, client: client}
		if p.add(c) {
			p.done.Go(c.run)
		} else {
			c.reset()
		}
	}
}

// add counts a connection. It returns false if the connection is to be refused.
func (p *Proxy) add(c *proxyConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	if p.refuse || p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c *proxyConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// waitToForward returns when data may be forwarded, after a delay or a stall if there is one.
// It returns false if the connection or the proxy is closed.
func (p *Proxy) waitToForward(c *proxyConn, reply bool) bool {
	var slept time.Duration
	for {
		p.mu.Lock()
		closed, stalled := p.closed || c.closed, p.stalled
		delay, changed := p.delay, p.changed
		p.mu.Unlock()
		var timer <-chan time.Time
		switch {
		case closed:
			return false
		case stalled:
		case reply && slept < delay:
			timer = time.After(delay - slept)
		default:
			return true
		}
		start := time.Now()
		select {
		case <-changed:
		case <-timer:
		}
		slept += time.Since(start)
	}
}

// takeSwallow removes and returns the pending swallow if the request matches it, and returns
// nil otherwise.
func (p *Proxy) takeSwallow(request []byte) *pendingSwallow {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.swallow
	if s == nil || !bytes.Contains(request, s.match) {
		return nil
	}
	p.swallow = nil
	return s
}

// takeCut returns how many of the next n bytes of a reply to forward, and the cut after them,
// if there is one.
func (p *Proxy) takeCut(n int) (int, *pendingCut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cut
	switch {
	case c == nil:
		return n, nil
	case n < c.remaining:
		c.remaining -= n
		return n, nil
	default:
		p.cut = nil
		return c.remaining, c
	}
}
