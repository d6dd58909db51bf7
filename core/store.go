package core

import "github.com/cloakroom-go/sessions/core/store"

// The store contract. It is defined in package store, so that a store depends on the contract
// alone.
type (
	// Store keeps sessions. See [store.Store].
	Store = store.Store
	// Record is a session as a store sees it. See [store.Record].
	Record = store.Record
	// Toucher extends the life of a record without rewriting it. See [store.Toucher].
	Toucher = store.Toucher
	// Indexer finds the records of a subject. See [store.Indexer].
	Indexer = store.Indexer
	// SubjectPager walks the keys of a subject's records. See [store.SubjectPager].
	SubjectPager = store.SubjectPager
	// Lister lists all records. See [store.Lister].
	Lister = store.Lister
	// Purger deletes expired records. See [store.Purger].
	Purger = store.Purger
	// Counter counts records. See [store.Counter].
	Counter = store.Counter
)
