package sqlstore

import (
	"net/url"
	"strings"
)

// SQLitePragmas returns the statements that configure a connection to SQLite:
//
//   - a wait for locks, a short one, because the store itself waits until the caller's
//     deadline
//   - a write-ahead log, so that reads and writes do not wait for each other
//   - a flush to disk with each commit, so that a power failure loses nothing that was
//     acknowledged
//
// The log is a property of the file. The others hold for one connection. The store runs the
// statements on the connections that it writes with. Use [SQLiteDSN], or what your driver
// offers, to run them on all connections.
func SQLitePragmas() []string {
	// The wait for locks comes first, because switching to the log needs a lock.
	return []string{
		"PRAGMA busy_timeout = 20", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
	}
}

// SQLiteDSN returns the data source name for the file at path, with which
// modernc.org/sqlite runs [SQLitePragmas] on each connection. The file should be on a local
// disk, not on a network share. The database needs no limit on its connections. If it is
// limited to one, reads wait for writes.
//
//	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN("sessions.db"))
func SQLiteDSN(path string) string {
	query := url.Values{"_txlock": {"immediate"}}
	for _, pragma := range SQLitePragmas() {
		key, value, _ := strings.Cut(strings.TrimPrefix(pragma, "PRAGMA "), " = ")
		query.Add("_pragma", key+"("+value+")")
	}
	name := url.URL{
		Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode(),
	}
	return name.String()
}

// isLocked reports whether SQLite returned err because another connection holds a lock.
func isLocked(err error) bool {
	return strings.Contains(err.Error(), "database is locked")
}
