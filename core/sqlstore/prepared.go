package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// prepared runs statements that it prepares on first use. Drivers for MySQL otherwise prepare, run and forget each
// statement with parameters, in two round trips and a half.
type prepared struct {
	db     *sql.DB
	mu     sync.Mutex
	all    map[string]*sql.Stmt
	closed bool
}

func newPrepared(db *sql.DB) *prepared {
	return &prepared{db: db, all: make(map[string]*sql.Stmt)}
}

// ExecContext is that of [sql.DB].
func (p *prepared) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if len(args) == 0 {
		return p.db.ExecContext(ctx, text)
	}
	stmt, err := p.get(ctx, text) //nolint:sqlclosecheck // it is closed with the store
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext is that of [sql.DB].
func (p *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	stmt, err := p.get(ctx, text) //nolint:sqlclosecheck // it is closed with the store
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// get returns the statement. It is prepared outside the lock, since that takes as long as the server likes.
func (p *prepared) get(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := p.known(text); stmt != nil {
		return stmt, nil
	}
	stmt, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return p.keep(text, stmt)
}

// keep puts the statement where others find it. The one that another call has prepared meanwhile is preferred.
func (p *prepared) keep(text string, stmt *sql.Stmt) (kept *sql.Stmt, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch first := p.all[text]; {
	case p.closed:
		err = errClosed
	case first != nil:
		kept = first
	default:
		p.all[text] = stmt
		return stmt, nil
	}
	_ = stmt.Close()
	return kept, err
}

func (p *prepared) known(text string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[text]
}

func (p *prepared) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, stmt := range p.all {
		err = errors.Join(err, stmt.Close())
	}
	return err
}
