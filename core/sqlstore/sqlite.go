package sqlstore

import (
	"net/url"
	"strings"
)

// SQLitePragmas returns the statements that make a connection to SQLite durable and patient: a write-ahead log, so that
// reading and writing do not wait for each other; a flush to disk with each commit, so that what was acknowledged survives
// a power cut; and a short wait for locks, which the store prolongs itself until the caller's deadline. All but the log
// hold for one connection only. The store runs them on the connections that it writes with; give them to your driver for
// all connections as it wants them, or use [SQLiteDSN].
func SQLitePragmas() []string {
	// The wait comes first: switching to the log needs a lock.
	return []string{"PRAGMA busy_timeout = 20", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"}
}

// SQLiteDSN returns the data source name for the file at path with which modernc.org/sqlite opens each connection as
// [SQLitePragmas] says. The file should be on a local disk, not a network share. The database needs no limit on its
// connections; with one of 1, reads wait for writes.
//
//	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN("sessions.db"))
func SQLiteDSN(path string) string {
	query := url.Values{"_txlock": {"immediate"}}
	for _, pragma := range SQLitePragmas() {
		key, value, _ := strings.Cut(strings.TrimPrefix(pragma, "PRAGMA "), " = ")
		query.Add("_pragma", key+"("+value+")")
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return name.String()
}
