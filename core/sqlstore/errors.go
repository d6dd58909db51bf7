package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom-go/sessions/core/store"
)

var (
	errClosed  = errors.New("sessions: sqlstore: the store is closed")
	errKey     = errors.New("sessions: sqlstore: the key is not printable ASCII of 1 to 255 bytes")
	errSubject = errors.New("sessions: sqlstore: the subject is not printable ASCII " +
		"of at most 255 bytes")
	errTime = errors.New("sessions: sqlstore: the expiry is further away " +
		"than milliseconds can count")
	errLocked = errors.New("sessions: sqlstore: another connection has locked the SQLite " +
		"file: a transaction of the application has to end before its session is saved, " +
		"or the sessions need a file of their own")
)

// sqlState returns the SQL state of an error of the database, or "" if its type does not tell.
// The package imports no drivers, so it has to tell errors by that or by their text.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// failure is a kind of error of the database, whatever the dialect. states are SQL states of
// PostgreSQL, texts are parts of the texts of MySQL and SQLite.
type failure struct{ states, texts []string }

func (f failure) matches(err error) bool {
	if state := sqlState(err); state != "" {
		return slices.Contains(f.states, state)
	}
	text := err.Error()
	return slices.ContainsFunc(f.texts, func(part string) bool {
		return strings.Contains(text, part)
	})
}

// missingTable is the failure of a statement whose table does not exist.
func missingTable() failure {
	return failure{[]string{"42P01"}, []string{"Error 1146", "no such table"}}
}

// misunderstood is the failure of a statement that is not in the language of the database.
func misunderstood() failure {
	return failure{
		[]string{"42601", "42883"},
		[]string{
			"Error 1064", "Error 1305", "no such function", "syntax error", "unrecognized token",
		},
	}
}

// denied is the failure of a statement for which the user lacks a right.
func denied() failure {
	return failure{[]string{"42501"}, []string{"Error 1044", "Error 1142"}}
}

// pooled is the failure of a prepared statement behind a pooler that gives each transaction any of
// its connections: the statement is unknown on this one, or was prepared on it by another client.
func pooled() failure { return failure{[]string{"26000", "42P05"}, nil} }

// readOnly is the failure of a write on a server that is, or has become, a replica.
func readOnly() failure {
	return failure{[]string{"25006"}, []string{"Error 1290", "Error 1792", "Error 1836"}}
}

// explain adds to a failure of the database what the application can do about it.
func explain(d Dialect, db *sql.DB, err error) error {
	switch {
	case err == nil, isAnswer(err):
		return err
	case missingTable().matches(err):
		return fmt.Errorf("sessions: sqlstore: %w: call Migrate at the start, "+
			"or run the statements of Schema%s", err, inMemory(d))
	case misunderstood().matches(err):
		return wrongDialect(d, err)
	case pooled().matches(err):
		return fmt.Errorf("sessions: sqlstore: %w: a pooler such as PgBouncer in transaction "+
			"mode keeps no prepared statements: set default_query_exec_mode=exec in the data "+
			"source name of pgx, binary_parameters=yes in that of lib/pq", err)
	case readOnly().matches(err):
		return fmt.Errorf("sessions: sqlstore: %w: the server takes no writes: "+
			"connect to the primary", err)
	case errors.Is(err, context.DeadlineExceeded):
		return explainTimeout(err, db.Stats())
	}
	return err
}

// wrongDialect says that the database does not understand the store.
func wrongDialect(d Dialect, err error) error {
	return fmt.Errorf("sessions: sqlstore: %w: the database does not understand a statement "+
		"for %v: set Options.Dialect to what it is", err, d)
}

// inMemory returns what is to be added where a table is missing that may exist for another
// connection.
func inMemory(d Dialect) string {
	if d != SQLite {
		return ""
	}
	return " (with :memory:, each connection has a database of its own: use a file)"
}

// explainTimeout says if a call may have had no connection.
func explainTimeout(err error, pool sql.DBStats) error {
	if pool.MaxOpenConnections == 0 || pool.InUse < pool.MaxOpenConnections {
		return err
	}
	return fmt.Errorf("sessions: sqlstore: %w: all %d connections of the pool are in use: "+
		"a transaction of the application has to end before its session is loaded or saved, "+
		"or the sessions need a pool of their own", err, pool.MaxOpenConnections)
}

// isAnswer reports whether err is an answer of the store and not a failure of the database.
func isAnswer(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict)
}
