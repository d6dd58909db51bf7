package memcachedstore

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errClosed = errors.New("the store is closed")

// pool keeps the connections to one server.
type pool struct {
	options Options
	address string
	seed    uint64        // of the scores for keys
	slots   chan struct{} // one taken for each connection in use

	mu     sync.Mutex
	closed bool
	idle   []*conn // the one used last at the end
}

func newPool(address string, o Options) *pool {
	return &pool{options: o, address: address, seed: hash(fnvOffset, address+"\x00"), slots: make(chan struct{}, o.MaxConns)}
}

// use has a conversation over a connection, a new one if asked for. It reports whether the connection broke and there is time
// for another try. A connection on which anything went wrong is not used again: an answer may still be on its way.
func (p *pool) use(ctx context.Context, fresh bool, conversation func(c *conn) error) (again bool, err error) {
	if err := p.acquire(ctx); err != nil {
		return false, err
	}
	defer func() { <-p.slots }()
	c, err := p.connection(ctx, fresh)
	if err != nil {
		return false, err
	}
	err = c.during(ctx, conversation)
	again = c.broken && err != nil && ctx.Err() == nil
	p.release(c) // from here on it may be somebody else's
	return again, err
}

// acquire waits for the right to have a connection.
func (p *pool) acquire(ctx context.Context) error {
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

// connection returns one that is idle, or makes one.
func (p *pool) connection(ctx context.Context, fresh bool) (*conn, error) {
	for !fresh {
		c, err := p.pop()
		if err != nil {
			return nil, err
		}
		if c == nil {
			break
		}
		if time.Since(c.since) < p.options.IdleTimeout && quiet(c.net) {
			return c, nil
		}
		c.close()
	}
	return p.options.dial(ctx, p.address)
}

// pop takes the idle connection that was used last, nil if there is none.
func (p *pool) pop() (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil //nolint:nilnil // no connection is no error
	}
	c := p.idle[n-1]
	p.idle[n-1], p.idle = nil, p.idle[:n-1]
	return c, nil
}

// release takes back a connection. Of those that have been idle for too long it closes one each time, so that they go
// while others are used.
func (p *pool) release(c *conn) {
	var old *conn
	p.mu.Lock()
	c.since = time.Now()
	if len(p.idle) > 0 && c.since.Sub(p.idle[0].since) >= p.options.IdleTimeout {
		old, p.idle[0] = p.idle[0], nil
		p.idle = p.idle[1:]
	}
	keep := !p.closed && c.reusable() && len(p.idle) < p.options.MaxIdle
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
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
