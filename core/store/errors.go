package store

import "errors"

// The errors a store returns, compared with [errors.Is].
var (
	// ErrNotFound says that there is no such record, or that it has expired.
	ErrNotFound = errors.New("sessions: record not found")
	// ErrConflict says that the record was changed, or created, by somebody else.
	ErrConflict = errors.New("sessions: record was changed by another request")
	// ErrTooLarge says that the record is larger than the store, or the manager, accepts.
	ErrTooLarge = errors.New("sessions: session is too large")
	// ErrFull says that the store has reached its bound and may not drop anything to make room.
	ErrFull = errors.New("sessions: store is full")
)
