package core

import (
	"errors"

	"github.com/cloakroom-go/sessions/core/store"
)

// The store contract. It lives in package store, with the rules each method keeps, so that a store depends on the
// contract alone.
type (
	// Store keeps sessions: see [store.Store].
	Store = store.Store
	// Record is one session as a store sees it: see [store.Record].
	Record = store.Record
	// Toucher extends a record's life without rewriting it: see [store.Toucher].
	Toucher = store.Toucher
	// Indexer finds the records of one subject: see [store.Indexer].
	Indexer = store.Indexer
	// Lister walks all records: see [store.Lister].
	Lister = store.Lister
	// Purger deletes expired records that nobody else deletes: see [store.Purger].
	Purger = store.Purger
	// Counter counts records: see [store.Counter].
	Counter = store.Counter
)

// The errors that callers can tell apart with [errors.Is].
var (
	// ErrNotFound says that there is no such record, or that it has expired.
	ErrNotFound = store.ErrNotFound
	// ErrConflict says that the session was changed by other requests on each of many attempts to save it.
	ErrConflict = store.ErrConflict
	// ErrTooLarge says that the session exceeds [Options.MaxSize] or what the store accepts. What was stored before stays.
	ErrTooLarge = store.ErrTooLarge
	// ErrFull says that the store has reached its bound and may not drop anything to make room.
	ErrFull = store.ErrFull
	// ErrStore marks a failure of the store: it could not be reached, or did not answer in time. Adapters answer 503.
	ErrStore = errors.New("sessions: store failed")
	// ErrGone says that the session was ended elsewhere while the request ran. Nothing was saved.
	ErrGone = errors.New("sessions: session has ended")
	// ErrLimit says that the subject has [Options.MaxSessions] sessions already, and that the manager refuses another.
	ErrLimit = errors.New("sessions: subject has as many sessions as allowed")
	// ErrLate says that a change needs a cookie, but the response has already begun.
	ErrLate = errors.New("sessions: response has begun, a cookie can no longer be sent; call Commit before the first byte")
)

// StatusCode returns the HTTP status for an error of a load or a commit: 503 when the store failed, is full or stayed
// contended, so that trying again makes sense, 409 for a login that [Options.MaxSessions] refuses, and 500 for what only a
// change to the program mends.
func StatusCode(err error) int {
	switch {
	case errors.Is(err, ErrStore), errors.Is(err, ErrFull), errors.Is(err, ErrConflict):
		return 503
	case errors.Is(err, ErrLimit):
		return 409
	}
	return 500
}
