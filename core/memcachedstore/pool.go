package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var errClosed = errors.New("the store is closed")

// pool holds the connections to one server.
type pool struct {
	options Options
	address string
	seed    uint64        // of the server's scores
	slots   chan struct{} // holds an element for each connection in use

	mu     sync.Mutex
	closed bool
	idle   []*conn // in the order of their last use
}

func newPool(address string, o Options) *pool {
	return &pool{
		options: o, address: address, seed: seedOf(address),
		slots: make(chan struct{}, o.MaxConns),
	}
}

// do calls f with a connection, which is a new one if fresh is set. It reports whether to try
// again: the connection failed and the context has not ended. A connection on which anything
// failed is not used again, because a reply may still be on its way.
func (p *pool) do(
	ctx context.Context, fresh bool, f func(c *conn) error,
) (retry bool, err error) {
	if err := p.acquireSlot(ctx); err != nil {
		return false, err
	}
	defer func() { <-p.slots }()
	c, err := p.connection(ctx, fresh)
	if err != nil {
		return false, err
	}
	err = c.do(ctx, f)
	retry = c.broken && err != nil && ctx.Err() == nil
	p.release(c) // another call may use c from here on
	return retry, err
}

// acquireSlot waits until one more connection may be used.
func (p *pool) acquireSlot(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection returns an idle connection, or a new one if there is none or if fresh is set.
func (p *pool) connection(ctx context.Context, fresh bool) (*conn, error) {
	for !fresh {
		c, err := p.popIdle()
		if err != nil {
			return nil, err
		}
		if c == nil {
			break
		}
		if time.Since(c.idleSince) < p.options.IdleTimeout && isAlive(c.socket) {
			return c, nil
		}
		c.close()
	}
	return p.dial(ctx)
}

// dial connects to the server and logs in.
func (p *pool) dial(ctx context.Context) (*conn, error) {
	o := &p.options
	socket, err := o.Dial(ctx, networkOf(p.address), p.address)
	if err != nil {
		return nil, err
	}
	c := newConn(socket, o.MaxItem)
	if o.Username == "" {
		return c, nil
	}
	err = c.do(ctx, func(c *conn) error { return c.login(o.Username, o.Password) })
	if err != nil {
		c.close()
		return nil, fmt.Errorf("login: %w", err)
	}
	return c, nil
}

// popIdle removes the idle connection that was used last and returns it. It returns nil if
// there is none.
func (p *pool) popIdle() (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil //nolint:nilnil // the lack of an idle connection is not an error
	}
	c := p.idle[n-1]
	p.idle[n-1], p.idle = nil, p.idle[:n-1]
	return c, nil
}

// release makes a connection idle, or closes it. It also closes one connection that has been
// idle for too long, so that those go while others are used.
func (p *pool) release(c *conn) {
	var expired *conn
	p.mu.Lock()
	c.idleSince = time.Now()
	if len(p.idle) > 0 && c.idleSince.Sub(p.idle[0].idleSince) >= p.options.IdleTimeout {
		expired, p.idle[0] = p.idle[0], nil
		p.idle = p.idle[1:]
	}
	keep := !p.closed && c.reusable() && len(p.idle) < p.options.MaxIdle
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if expired != nil {
		expired.close()
	}
	if !keep {
		c.close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}
