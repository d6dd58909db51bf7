package sqlstore

import "errors"

var (
	errClosed  = errors.New("sessions: sqlstore: the store is closed")
	errKey     = errors.New("sessions: sqlstore: the key is not printable ASCII of 1 to 255 bytes")
	errSubject = errors.New("sessions: sqlstore: the subject is not printable ASCII " +
		"of at most 255 bytes")
	errTime = errors.New("sessions: sqlstore: the expiry is further away " +
		"than milliseconds can count")
)
