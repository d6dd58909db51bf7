package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"strings"
)

// Schema returns the statements that create the table and its indexes where they are missing, for those who run their own
// migrations. An empty table is [DefaultTable].
//
// The columns are: id, the record's key; subject, "" while the session is anonymous; data, opaque bytes; expires, in
// milliseconds of the Unix epoch, NULL for never; version, which changes with each save. Keys and subjects compare byte by
// byte: listing by prefix and the reading of pages rely on it, so a migration of your own must keep the collations.
func Schema(d Dialect, table string) ([]string, error) {
	o := Options{Dialect: d, Table: or(table, DefaultTable)}
	if err := o.check(new(sql.DB)); err != nil {
		return nil, err
	}
	var texts []string
	for _, text := range schemas(d) {
		texts = append(texts, render(d, o.Table, text))
	}
	return texts, nil
}

// schemas returns the statements with {table} and {name}, the table's name without schema or quotes, to be filled in.
// Anonymous sessions are left out of the subject's index where the database can do that.
func schemas(d Dialect) []string {
	switch d {
	case PostgreSQL:
		return []string{
			`CREATE TABLE IF NOT EXISTS {table} (
	id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	subject TEXT COLLATE "C" NOT NULL,
	data BYTEA NOT NULL,
	expires BIGINT,
	version BIGINT NOT NULL
)`,
			`CREATE INDEX IF NOT EXISTS "{name}_subject" ON {table} (subject) WHERE subject <> ''`,
			`CREATE INDEX IF NOT EXISTS "{name}_expires" ON {table} (expires)`,
		}
	case MySQL:
		return []string{"CREATE TABLE IF NOT EXISTS {table} (\n" +
			"\tid VARBINARY(255) NOT NULL PRIMARY KEY,\n" +
			"\tsubject VARBINARY(255) NOT NULL,\n" +
			"\tdata LONGBLOB NOT NULL,\n" +
			"\texpires BIGINT NULL,\n" +
			"\tversion BIGINT NOT NULL,\n" +
			"\tKEY `{name}_subject` (subject),\n" +
			"\tKEY `{name}_expires` (expires)\n" +
			") ENGINE=InnoDB"}
	default:
		return []string{
			`CREATE TABLE IF NOT EXISTS {table} (
	id TEXT NOT NULL PRIMARY KEY,
	subject TEXT NOT NULL,
	data BLOB NOT NULL,
	expires INTEGER,
	version INTEGER NOT NULL
)`,
			`CREATE INDEX IF NOT EXISTS "{name}_subject" ON {table} (subject) WHERE subject <> ''`,
			`CREATE INDEX IF NOT EXISTS "{name}_expires" ON {table} (expires)`,
		}
	}
}

// render fills in the table and numbers the parameters where the dialect wants it.
func render(d Dialect, table, text string) string {
	quote := `"`
	if d == MySQL {
		quote = "`"
	}
	bare := table[strings.IndexByte(table, '.')+1:]
	quoted := quote + strings.ReplaceAll(table, ".", quote+"."+quote) + quote
	text = strings.NewReplacer("{table}", quoted, "{name}", bare).Replace(text)
	if d != PostgreSQL {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}

// Migrate creates the table and its indexes where they are missing. It may run again, and in many processes at once. It
// changes no table that is there already.
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

// migrateLocked keeps other processes out meanwhile: in PostgreSQL two that create one table at once may fail in spite of
// IF NOT EXISTS.
func (s *Store) migrateLocked(ctx context.Context, texts []string) error {
	if err := s.open(); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("sessions:" + s.options.Table))
	if _, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(hash.Sum32())); err != nil {
		return err
	}
	for _, text := range texts {
		if _, err = tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return tx.Commit()
}
