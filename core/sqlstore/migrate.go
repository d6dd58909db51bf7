package sqlstore

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
)

// Migrate creates the table and its indexes if they do not exist. It does not change a
// table that exists. It may run more than once, and in several processes at the same time.
//
// If nothing is missing, the rights that the store needs otherwise are enough: SELECT, INSERT,
// UPDATE and DELETE on the table, and in PostgreSQL USAGE on its schema. To create the table,
// the user also needs CREATE, in PostgreSQL on the schema, in MySQL on the table or its
// database. To add an index to a table of PostgreSQL that exists, the user has to own it.
func (s *Store) Migrate(ctx context.Context) error {
	texts, err := Schema(s.options.Dialect, s.options.Table)
	if err != nil {
		return err
	}
	migrate := s.migrateTable
	if s.options.Dialect == PostgreSQL {
		migrate = s.migrateLocked
	}
	if err = migrate(ctx, texts); err != nil && denied().matches(err) {
		return fmt.Errorf("sessions: sqlstore: migrate: %w: run Migrate, or the statements of "+
			"Schema, as a user with the rights that the comment of Migrate lists", err)
	}
	return err
}

// migrateTable runs the statements in MySQL and SQLite.
func (s *Store) migrateTable(ctx context.Context, texts []string) error {
	return s.write(ctx, func(ctx context.Context, q querier) error {
		// MySQL asks for the right to create also if there is nothing to create.
		if s.options.Dialect == MySQL && s.hasTable(ctx, q) {
			return nil
		}
		for _, text := range texts {
			if _, err := q.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// hasTable reports whether there is a table that the user may read.
func (s *Store) hasTable(ctx context.Context, q querier) bool {
	_, err := queryInt(ctx, q, render(s.options.Dialect, s.options.Table,
		"SELECT COUNT(*) FROM (SELECT id FROM {table} LIMIT 1) AS first"))
	return err == nil
}

// migrateLocked runs the statements in PostgreSQL, under an advisory lock. Without it, two
// processes that create one table at the same time may fail in spite of IF NOT EXISTS. It leaves
// out what exists, because PostgreSQL asks for the rights to create also if there is nothing to
// create.
func (s *Store) migrateLocked(ctx context.Context, texts []string) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	missing, err := s.missing(ctx, texts)
	switch {
	case err != nil && missingTable().matches(err): // of the catalog of PostgreSQL
		return wrongDialect(s.options.Dialect, err)
	case err != nil || len(missing) == 0:
		return s.explain(err)
	}
	return s.explain(s.demotion.retryWrite(ctx, s.db, func() error {
		return s.createLocked(ctx, missing)
	}))
}

// missing returns the statements whose table or index does not exist in PostgreSQL.
func (s *Store) missing(ctx context.Context, texts []string) ([]string, error) {
	const existing = "SELECT COUNT(*) FROM pg_catalog.pg_class" +
		" WHERE oid = pg_catalog.to_regclass($1)"
	const indexed = "SELECT COUNT(*) FROM pg_catalog.pg_index" +
		" JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid" +
		" WHERE indrelid = pg_catalog.to_regclass($1) AND relname = $2"
	table := render(s.options.Dialect, s.options.Table, "{table}")
	n, err := queryInt(ctx, s.pool, existing, table)
	if err != nil || n == 0 {
		return texts, err
	}
	var missing []string
	for i, suffix := range []string{"_subject_id", "_expires"} {
		n, err := queryInt(ctx, s.pool, indexed, table,
			render(s.options.Dialect, s.options.Table, "{name}"+suffix))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			missing = append(missing, texts[1+i])
		}
	}
	return slices.Clip(missing), nil
}

func (s *Store) createLocked(ctx context.Context, texts []string) error {
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
