// Package store is the contract between sessions and the place that keeps them: one record type, one interface of three
// methods, and a few optional interfaces that make some things cheaper or possible at all.
//
// Users meet it through the aliases in package core ([github.com/cloakroom-go/sessions/core].Store and the others). It is a
// package of its own so that a store depends on the contract alone and never on the manager above it. A store proves that
// it keeps the contract with [github.com/cloakroom-go/sessions/core/storetest].
package store

import (
	"context"
	"time"
)

// Record is one session as a store sees it: a key, opaque bytes and a few facts about them.
type Record struct {
	// Key names the record: the manager's prefix followed by the session id, printable ASCII without spaces.
	Key string
	// Subject is the index key of the signed-in user, "" while the session is anonymous. The manager derives it by
	// hashing, so it is short and printable whatever the application calls its users. A store keeps it and returns it.
	Subject string
	// Data is opaque to the store. It is immutable once handed over, on both sides: the caller never writes into what it
	// passed to Save, the store never writes into what it returned from Load, and neither appends to the other's slice.
	Data []byte
	// Expires is the instant from which the store must not return the record and may forget it. Zero means never. A
	// store may round it to its own resolution, at most a second, and only upwards; it still does not return the record
	// after the exact instant where it can tell.
	Expires time.Time
	// Version is chosen by the store and opaque to the caller. It changes with each Save of the key and is never used
	// again for the same key, not even after a Delete. 0 means: not stored yet.
	Version uint64
}

// Expired reports whether the record may no longer be returned at the instant now.
func (r *Record) Expired(now time.Time) bool {
	return !r.Expires.IsZero() && !now.Before(r.Expires)
}

// Store keeps records. All methods are safe for concurrent use, honour the deadline and the cancellation of their context,
// and return plain errors: the sentinels of this package where they apply, whatever the client returns where not. They
// never panic, whatever bytes or keys they are given.
type Store interface {
	// Load returns the record under key as it was last saved.
	//
	//   - absent or expired: [ErrNotFound], and never a record
	//   - concurrent with a Save: the record before it or after it, never a mixture
	//   - unreachable or slow: any other error; an outage is never ErrNotFound
	Load(ctx context.Context, key string) (Record, error)

	// Save stores the record if nobody has changed it since it was loaded, and returns it with its new version.
	//
	//   - Version 0: creates the record only if there is none; one that expired counts as none. If there is one: [ErrConflict].
	//   - any other Version: replaces only if the stored version is still this one. If it has changed: ErrConflict.
	//     If the record is gone or expired: ErrNotFound, and nothing is stored.
	//   - a record that is already expired is not stored: ErrNotFound if nothing else speaks against it, and what is stored stays.
	//   - with ErrConflict the store returns the current record where that costs nothing more, else a Record whose
	//     Version is 0, and the caller loads it.
	//   - too large for the store: [ErrTooLarge]; no room and nothing that may go: [ErrFull]. The record stored before stays.
	//   - any other error: the caller does not know whether the record was stored.
	//
	// Of many concurrent saves with one version exactly one succeeds.
	Save(ctx context.Context, rec Record) (Record, error)

	// Delete removes the record under key. That it is absent is not an error. After Delete has returned nil no Save with
	// an older version can bring the record back.
	Delete(ctx context.Context, key string) error
}

// Toucher extends a record's life without rewriting it. Without it, or when it answers [errors.ErrUnsupported], the manager
// saves the whole record instead.
type Toucher interface {
	// Touch moves the expiry of the stored record to rec.Expires, if the stored version is still rec.Version. The rest
	// of rec is as it was loaded, for a store that keeps an index.
	//
	//   - it never shortens a life: an earlier expiry, or any on a record that never expires, is a success that changes nothing
	//   - it leaves data and version as they are
	//   - gone or expired: [ErrNotFound], and nothing is created
	//   - another version: [ErrConflict]
	Touch(ctx context.Context, rec Record) error
}

// Indexer finds the records of one subject. Without it the manager answers [errors.ErrUnsupported] to whatever needs it.
type Indexer interface {
	// BySubject returns the records whose Subject equals subject and that have not expired, in no particular order.
	// Each record whose Save returned before the call is among them, unless it was deleted or saved under another
	// subject. No record: an empty result and no error. The empty subject is nobody's: the result is empty.
	BySubject(ctx context.Context, subject string) ([]Record, error)
}

// Lister walks all records. Without it the manager answers [errors.ErrUnsupported] to whatever needs it.
type Lister interface {
	// List returns some of the unexpired records whose Key starts with prefix, about limit of them, and the cursor of the
	// next page. The first call passes "", the last page returns "". A record that is there throughout the walk is returned
	// at least once; one that comes or goes meanwhile may or may not be. A page may be empty without being the last.
	// A cursor that the store did not hand out is an error.
	List(ctx context.Context, prefix, cursor string, limit int) (page []Record, next string, err error)
}

// Purger deletes expired records that nobody else deletes. The manager calls it now and then, each manager on its own: see
// PurgeInterval in its options. Without it, or when it answers [errors.ErrUnsupported], the store or its server has to get
// rid of them.
type Purger interface {
	// Purge deletes expired records, whatever their keys begin with, and returns how many.
	//
	//   - at most limit of them; zero or less stands for a limit of the store's own choice
	//   - fewer than limit: the rest can wait for the next time
	//   - it never deletes a record that has not expired, nor one that is saved or extended in time while it runs
	//   - what others are working on it leaves for the next time, where the store can
	//   - it may run at any time, several times at once, and from several processes
	//   - nothing to do because the server deletes expired records by itself: [errors.ErrUnsupported]
	//   - any other error: some records may have been deleted
	Purge(ctx context.Context, limit int) (int, error)
}

// Counter counts records. Without it the manager walks them.
type Counter interface {
	// Count returns how many unexpired records have a Key that starts with prefix, exact while nothing changes.
	Count(ctx context.Context, prefix string) (int, error)
}

// Instant is implemented by a store whose methods never wait for anything outside the process. The manager then spares the
// timer that bounds each call, and hands it the request's own context, to whose end such a store pays no attention.
type Instant interface {
	// Instant does nothing; it marks the store.
	Instant()
}
