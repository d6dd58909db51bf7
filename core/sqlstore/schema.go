package sqlstore

import "cmp"

// Schema returns the statements that create the table and its indexes if they do not exist,
// for applications that run their own migrations. If table is empty, it is [DefaultTable].
//
// The columns are id, the key of the record; subject, which is "" while the session is
// anonymous; data, opaque bytes; expires, in milliseconds of the Unix epoch, or NULL for
// never; and version, which changes with each save.
//
// Keys and subjects compare byte by byte, because List relies on that order. A migration of
// your own must keep the collations.
func Schema(d Dialect, table string) ([]string, error) {
	o := Options{Dialect: d, Table: cmp.Or(table, DefaultTable)}
	if err := o.checkValues(); err != nil {
		return nil, err
	}
	texts := schemaTexts(d)
	for i, text := range texts {
		texts[i] = render(d, o.Table, text)
	}
	return texts, nil
}

// schemaTexts returns the statements of a schema before [render]. Where the database can do
// that, the index of the subject leaves out anonymous sessions. It has the keys of each subject
// in their order, as SubjectKeys returns them: in MySQL, each index ends with the primary key
// without naming it.
func schemaTexts(d Dialect) []string {
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
			`CREATE INDEX IF NOT EXISTS "{name}_subject_id" ON {table} (subject, id)` +
				` WHERE subject <> ''`,
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
			`CREATE INDEX IF NOT EXISTS "{name}_subject_id" ON {table} (subject, id)` +
				` WHERE subject <> ''`,
			`CREATE INDEX IF NOT EXISTS "{name}_expires" ON {table} (expires)`,
		}
	}
}
