package testserver

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and a server and breaks the connections in ways that a server cannot be told to. It
// passes everything until told otherwise; faults add up until Heal.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // Closed and replaced at each change, for those who wait for one.
	closed  bool
	delay   time.Duration
	refuse  bool
	stalled bool
	cut     *cut
	swallow *swallow
	links   map[*link]struct{}
	total   int
}

// cut is an order to end a connection within a reply.
type cut struct {
	left int // Bytes of replies that still pass.
	done chan struct{}
}

// swallow is an order to lose one reply.
type swallow struct {
	match []byte
	done  chan struct{}
}

// NewProxy returns a proxy in front of addr. It ends with the test.
func NewProxy(tb testing.TB, addr string) *Proxy {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{target: addr, listener: l, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.done.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns where clients reach the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Through returns an address or URL of the server with the proxy in its place.
func (p *Proxy) Through(url string) string { return strings.Replace(url, p.target, p.Addr(), 1) }

// Delay lets each piece of a reply wait that long. 0 ends it.
func (p *Proxy) Delay(d time.Duration) { p.change(func() { p.delay = d }) }

// BlackHole stops passing anything, in both directions; connections stay open, and new ones are accepted. What is on
// its way arrives after Heal, as it would after a pause of the network.
func (p *Proxy) BlackHole() { p.change(func() { p.stalled = true }) }

// Reset ends all connections there are, with a reset and not in good order. New ones work.
func (p *Proxy) Reset() { p.change(p.resetAll) }

// Drop ends all connections there are and every new one right after it is accepted.
func (p *Proxy) Drop() {
	p.change(func() {
		p.refuse = true
		p.resetAll()
	})
}

// CutAfter ends the connection on which the nth byte of replies from now on has passed: once, and then no more. With a
// number below the length of the next reply, that reply arrives in part. The channel is closed when it has happened.
func (p *Proxy) CutAfter(n int) <-chan struct{} {
	c := &cut{n, make(chan struct{})}
	p.change(func() { p.cut = c })
	return c.done
}

// SwallowReply lets the next request that contains match through ("" is in every request), and when the server
// answers, drops the answer and ends the connection: the server has done its work, and the client cannot know. It
// does so once; the channel is closed when it has happened. The text must be within what one write of the client
// sends, and a connection with TLS shows nothing but "".
func (p *Proxy) SwallowReply(match string) <-chan struct{} {
	s := &swallow{[]byte(match), make(chan struct{})}
	p.change(func() { p.swallow = s })
	return s.done
}

// Heal ends all faults.
func (p *Proxy) Heal() {
	p.change(func() {
		p.delay, p.refuse, p.stalled, p.cut, p.swallow = 0, false, false, nil, nil
	})
}

// Connections returns how many connections clients have made so far, and how many are open.
func (p *Proxy) Connections() (total, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total, len(p.links)
}

// change changes the rules and wakes those who wait.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) resetAll() {
	for l := range p.links {
		l.reset()
	}
}

// close ends everything and waits for it.
func (p *Proxy) close() {
	_ = p.listener.Close()
	p.change(func() {
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
		l := &link{proxy: p, client: client}
		if p.add(l) {
			p.done.Go(l.run)
		} else {
			l.reset()
		}
	}
}

// add counts a connection; it returns false for one that is not wanted.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	if p.refuse || p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// wait returns when data may pass: at once, or after a delay or a stall. It returns false when the proxy is closed.
func (p *Proxy) wait(l *link, reply bool) bool {
	var slept time.Duration
	for {
		p.mu.Lock()
		closed, stalled, delay, changed := p.closed || l.dead, p.stalled, p.delay, p.changed
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

// matches reports whether this request is the one whose reply is to be lost, and takes the order.
func (p *Proxy) matches(request []byte) *swallow {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.swallow
	if s == nil || !bytes.Contains(request, s.match) {
		return nil
	}
	p.swallow = nil
	return s
}

// limit returns how much of a piece of a reply may pass, and the order to end the connection after it, if there is one.
func (p *Proxy) limit(n int) (int, *cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cut
	switch {
	case c == nil:
		return n, nil
	case n < c.left:
		c.left -= n
		return n, nil
	default:
		p.cut = nil
		return c.left, c
	}
}
