package sqlstore

import (
	"context"
	"hash/fnv"
)

// Migrate creates the table and its indexes if they do not exist. It does not change a
// table that exists. It may run more than once, and in several processes at the same time.
func (s *Store) Migrate(ctx context.Context) error {
	texts, err := Schema(s.options.Dialect, s.options.Table)
	if err != nil {
		return err
	}
	if s.options.Dialect == PostgreSQL {
		return s.migrateLocked(ctx, texts)
	}
	return s.write(ctx, func(ctx context.Context, q querier) error {
		for _, text := range texts {
			if _, err := q.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// migrateLocked runs the statements under an advisory lock. Without it, two processes that
// create one table at the same time in PostgreSQL may fail in spite of IF NOT EXISTS.
func (s *Store) migrateLocked(ctx context.Context, texts []string) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("sessions:" + s.options.Table))
	_, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(hash.Sum32()))
	if err != nil {
		return err
	}
	for _, text := range texts {
		if _, err = tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return tx.Commit()
}
