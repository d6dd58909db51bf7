package store

import "time"

// Record is one session as a store sees it: a key, opaque bytes and a few facts about them.
type Record struct {
	// Key names the record. It is the manager's prefix followed by the session id:
	// printable ASCII without spaces.
	Key string

	// Subject is the index key of the signed-in user, or "" while the session is anonymous.
	// The manager derives it by hashing, so it is short and printable whatever the
	// application calls its users. A store keeps it and returns it.
	Subject string

	// Data is opaque to the store. It is immutable once handed over, on both sides: the
	// caller never writes into what it passed to Save, the store never writes into what it
	// returned from Load, and neither appends to the other's slice.
	Data []byte

	// Expires is the instant from which the store must not return the record and may forget
	// it. Zero means never. A store may round it up to its own resolution, which is at most
	// a second. It still does not return the record after the exact instant if it can tell.
	Expires time.Time

	// Version is chosen by the store and opaque to the caller. It changes with each Save of
	// the key and is never used again for the same key, not even after a Delete. Zero means
	// that the record has not been stored yet.
	Version uint64
}

// Expired reports whether the record must no longer be returned at the time now.
func (r *Record) Expired(now time.Time) bool {
	return !r.Expires.IsZero() && !now.Before(r.Expires)
}
