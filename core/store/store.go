// Package store is the contract between sessions and the place that keeps them: one record
// type, one interface of three methods, and a few optional interfaces that make some things
// cheaper or possible at all.
//
// Users meet it through the aliases in package core, such as
// [github.com/cloakroom-go/sessions/core.Store]. It is a package of its own so that a store
// depends on the contract alone and never on the manager above it. A store proves that it
// keeps the contract with package [github.com/cloakroom-go/sessions/core/storetest].
package store

import "context"

// Store keeps records. All methods are safe for concurrent use, honor the deadline and the
// cancellation of their context, and return plain errors: the errors of this package where
// they apply, and otherwise whatever the client returns. They never panic, whatever bytes
// or keys they are given.
type Store interface {
	// Load returns the record under key as it was last saved.
	//
	//   - absent or expired: [ErrNotFound], and never a record
	//   - concurrent with a Save: the record before it or after it, never a mixture
	//   - unreachable or slow: any other error; an outage is never ErrNotFound
	Load(ctx context.Context, key string) (Record, error)

	// Save stores the record if nobody has changed it since it was loaded, and returns it
	// with its new version.
	//
	//   - Version 0: creates the record only if there is none; an expired one counts as
	//     none. If there is one: [ErrConflict].
	//   - any other Version: replaces the record only if the stored version is still this
	//     one. If it has changed: ErrConflict. If the record is gone or expired:
	//     ErrNotFound, and nothing is stored.
	//   - a record that is already expired is not stored, and the stored one stays:
	//     ErrNotFound, if no other rule applies
	//   - with ErrConflict the store returns the current record if that costs nothing more.
	//     Otherwise it returns a Record whose Version is 0, and the caller loads it.
	//   - too large for the store: [ErrTooLarge]; no room and nothing that may be dropped:
	//     [ErrFull]. The stored record stays.
	//   - any other error: the caller does not know whether the record was stored.
	//
	// Of many concurrent saves with one version exactly one succeeds.
	Save(ctx context.Context, rec Record) (Record, error)

	// Delete removes the record under key. It is not an error if there is none. After
	// Delete has returned nil, no Save with an older version can bring the record back.
	Delete(ctx context.Context, key string) error
}
