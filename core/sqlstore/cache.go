package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statementCache runs statements that it prepares on first use. Without it, drivers for
// MySQL prepare, run and close each statement that has parameters, which takes more than
// two round trips.
type statementCache struct {
	db     *sql.DB
	mu     sync.Mutex
	byText map[string]*sql.Stmt
	closed bool
}

func newStatementCache(db *sql.DB) *statementCache {
	return &statementCache{db: db, byText: make(map[string]*sql.Stmt)}
}

// ExecContext does what [sql.DB.ExecContext] does.
func (c *statementCache) ExecContext(
	ctx context.Context, text string, args ...any,
) (sql.Result, error) {
	if len(args) == 0 {
		return c.db.ExecContext(ctx, text)
	}
	stmt, err := c.statement(ctx, text) //nolint:sqlclosecheck // close closes it
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext does what [sql.DB.QueryContext] does.
func (c *statementCache) QueryContext(
	ctx context.Context, text string, args ...any,
) (*sql.Rows, error) {
	stmt, err := c.statement(ctx, text) //nolint:sqlclosecheck // close closes it
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// statement returns the prepared statement. It prepares outside the lock, because that
// waits for the server.
func (c *statementCache) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := c.lookup(text); stmt != nil {
		return stmt, nil
	}
	stmt, err := c.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return c.add(text, stmt)
}

func (c *statementCache) lookup(text string) *sql.Stmt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byText[text]
}

// add adds stmt to the cache and returns it. If another call has added one meanwhile, add
// closes stmt and returns the other.
func (c *statementCache) add(text string, stmt *sql.Stmt) (cached *sql.Stmt, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch first := c.byText[text]; {
	case c.closed:
		err = errClosed
	case first != nil:
		cached = first
	default:
		c.byText[text] = stmt
		return stmt, nil
	}
	_ = stmt.Close()
	return cached, err
}

// close closes all statements. No statement can be added afterwards.
func (c *statementCache) close() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, stmt := range c.byText {
		err = errors.Join(err, stmt.Close())
	}
	return err
}
