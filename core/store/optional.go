package store

import "context"

// Toucher extends the life of a record without rewriting it. Without it, or if it returns
// [errors.ErrUnsupported], the manager saves the whole record instead.
type Toucher interface {
	// Touch moves the expiry of the stored record to rec.Expires, if the stored version is
	// still rec.Version. The other fields of rec are as loaded, for stores with an index.
	//
	//   - it never shortens a life: an earlier expiry, or any expiry for a record that
	//     never expires, is a success that changes nothing
	//   - it leaves data and version as they are
	//   - gone or expired: [ErrNotFound], and nothing is created
	//   - another version: [ErrConflict]
	Touch(ctx context.Context, rec Record) error
}

// Indexer finds the records of one subject. Without it the manager returns
// [errors.ErrUnsupported] from every method that needs it.
type Indexer interface {
	// BySubject returns the records whose Subject equals subject and that have not expired,
	// in no particular order. It includes each record whose Save returned before the call,
	// unless the record was deleted or saved under another subject. If there is none, the
	// result is empty and the error nil. The result for the empty subject is empty.
	BySubject(ctx context.Context, subject string) ([]Record, error)
}

// SubjectPager walks the keys of one subject's records, so that a subject with very many can be
// handled in little memory. Without it, or if it returns [errors.ErrUnsupported], the manager
// gets all the records at once from an [Indexer].
type SubjectPager interface {
	// SubjectKeys returns the keys of some of the records whose Subject equals subject and that
	// have not expired, about limit of them, and the cursor of the next page. The first call
	// passes "", and the last page returns "". If limit is zero or less, the store chooses.
	//
	//   - a record that Indexer.BySubject would have to return throughout the walk is returned at
	//     least once; one that is created, removed or saved under another subject during the
	//     walk may or may not be
	//   - a walk during which records that were returned are deleted, or saved under another
	//     subject, misses none of the others
	//   - a page may be empty without being the last, and its order is the store's own
	//   - the result for the empty subject is empty; a cursor that the store did not return is an
	//     error
	SubjectKeys(ctx context.Context, subject, cursor string, limit int) (
		keys []string, next string, err error)
}

// Lister walks all records. Without it the manager returns [errors.ErrUnsupported] from
// every method that needs it.
type Lister interface {
	// List returns some of the unexpired records whose Key starts with prefix, about limit
	// of them, and the cursor of the next page. The first call passes "", and the last page
	// returns "". A record that exists throughout the walk is returned at least once. One
	// that is created or removed during the walk may or may not be returned. A page may be
	// empty without being the last. A cursor that the store did not return is an error.
	List(ctx context.Context, prefix, cursor string, limit int) (
		page []Record, next string, err error)
}

// Purger deletes expired records that nobody else deletes. Each manager calls it from time
// to time, as PurgeInterval in its options says. Without it, or if it returns
// [errors.ErrUnsupported], the store or its server has to delete them.
type Purger interface {
	// Purge deletes expired records, whatever prefix their keys have, and returns how many.
	//
	//   - at most limit of them; if limit is zero or less, the store chooses
	//   - fewer than limit: the rest can wait for the next time
	//   - it never deletes a record that has not expired, nor one that is saved or extended
	//     in time while it runs
	//   - it leaves records that others are working on for the next time, if the store can
	//   - it may run at any time, several times at once, and from several processes
	//   - nothing to do because the server deletes expired records by itself:
	//     [errors.ErrUnsupported]
	//   - any other error: some records may have been deleted
	Purge(ctx context.Context, limit int) (int, error)
}

// Counter counts records. Without it the manager lists them.
type Counter interface {
	// Count returns how many unexpired records have a Key that starts with prefix. The
	// number is exact while nothing changes.
	Count(ctx context.Context, prefix string) (int, error)
}

// Adviser is implemented by a store that can tell a setting of the application which makes it
// slow or unreliable, and which is no reason to refuse it.
type Adviser interface {
	// Advice returns a sentence that says what to change, or "". It may call the server. The
	// manager calls it once, in the goroutine that purges, and logs the sentence as a warning.
	// Without that goroutine nobody calls it.
	Advice(ctx context.Context) string
}

// Instant is implemented by a store whose methods never wait for anything outside the
// process. The manager then does without the timer that bounds each call, and passes the
// request's own context, which such a store may ignore.
type Instant interface {
	// Instant does nothing. It marks the store.
	Instant()
}
