package store

import "errors"

// The errors that a store returns. Compare them with [errors.Is].
var (
	// ErrNotFound means that there is no such record, or that it has expired.
	ErrNotFound = errors.New("sessions: record not found")
	// ErrConflict means that another caller has changed or created the record.
	ErrConflict = errors.New("sessions: record was changed by another request")
	// ErrTooLarge means that the record is larger than the store or the manager accepts.
	ErrTooLarge = errors.New("sessions: session is too large")
	// ErrFull means that the store has reached its bound and may drop nothing to make room.
	ErrFull = errors.New("sessions: store is full")
)
