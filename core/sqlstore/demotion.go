package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"time"
)

// A server that was the primary may be demoted while the pool has connections to it. It refuses
// writes on them, as long as they live, while a new connection would reach the new primary. So
// the store closes idle connections after such a refusal, and tries the write again: the server
// has not executed it.

// dropAttempts is how often a write is tried again. Before each attempt another call may have
// returned a connection to the demoted server.
const dropAttempts = 3

// dropPause is how long the store keeps its connections after new ones were refused as well.
const dropPause = time.Second

// demotion knows when the connections may be dropped again.
type demotion struct {
	next atomic.Int64 // in nanoseconds since the Unix epoch
}

// retryWrite calls do, which writes, again after a server has refused it as a replica.
func (d *demotion) retryWrite(ctx context.Context, db *sql.DB, do func() error) error {
	err := do()
	if !isReadOnly(err) || time.Now().UnixNano() < d.next.Load() {
		return err
	}
	for i := 0; i < dropAttempts && isReadOnly(err) && dropIdle(ctx, db); i++ {
		err = do()
	}
	if isReadOnly(err) {
		d.next.Store(time.Now().Add(dropPause).UnixNano())
	}
	return err
}

// isReadOnly reports whether the server has refused a write as a replica.
func isReadOnly(err error) bool {
	return err != nil && !isAnswer(err) && readOnly().matches(err)
}

// dropIdle closes the idle connections of a pool. It reports false if there is none, as with
// one that keeps none.
func dropIdle(ctx context.Context, db *sql.DB) (dropped bool) {
	var conns []*sql.Conn
	for range db.Stats().Idle {
		if db.Stats().Idle == 0 {
			break // Others have taken them, and Conn would make a new one.
		}
		conn, err := db.Conn(ctx)
		if err != nil {
			break
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		discard(conn)
	}
	return len(conns) > 0
}

// discard closes a connection, which does not get back into the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
