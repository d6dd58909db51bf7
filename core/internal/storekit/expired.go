package storekit

import "github.com/cloakroom-go/sessions/core/store"

// RefuseExpired returns what Save answers for a record of that version that is already expired,
// which no store may keep. The other arguments are the results of loading its key. The answer
// is [store.ErrConflict] and the current record if the versions differ, the error of the load
// if that failed, and [store.ErrNotFound] otherwise.
func RefuseExpired(version uint64, current store.Record, err error) (store.Record, error) {
	switch {
	case err != nil:
		return store.Record{}, err
	case current.Version != version:
		return current, store.ErrConflict
	}
	return store.Record{}, store.ErrNotFound
}
