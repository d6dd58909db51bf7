// Package fiberstore keeps sessions in a storage of Fiber: any fiber.Storage, of Fiber v2 or v3.
// There is one for nearly every database.
//
//	store, err := fiberstore.New(storage, fiberstore.Options{OneProcess: true})
//	m, err := sessions.NewManager(sessions.Options{Store: store})
//
// It is for a move in small steps. For production use the store of your database if there is one:
// a fiber.Storage has no conditional writes and no index, and most of the promises of the sessions
// rest on these.
//
// # What it keeps
//
// Within one process every rule of package store: the calls for one key wait for each other, so a
// save is a condition and a write. The expiry is exact. New asks for Options.OneProcess, which
// says that no other process writes. A rolling deploy has two.
//
// # What it cannot keep
//
// With several processes, which New refuses without Options.AcceptLostUpdates, a save may come
// between the read and the write of another process:
//
//   - of two changes at the same time one may be lost, without an error
//   - a session that was ended, by a logout too, may come back if a request of it was being saved
//     in another process; so may a secret that a login has replaced
//   - [core.Key.TakeOnce] may give a value to two requests, and [core.Once] may run twice
//   - RevokeProviderSession, and a login against a revocation, may miss each other
//
// With any number of processes:
//
//   - there are no lists: List, RevokeAll, RevokeOthers and Count are errors.ErrUnsupported, and
//     MaxSessions fails when the manager is made
//   - a storage that evicts or that is not durable loses sessions, and what it knew of those that
//     have ended
//   - a Storage of Fiber v2 takes no context: a call that hangs holds its request beyond
//     StoreTimeout. New refuses it without Options.AcceptStalls
//
// [core.Key.TakeOnce]: https://pkg.go.dev/github.com/cloakroom-go/sessions/core#Key.TakeOnce
// [core.Once]: https://pkg.go.dev/github.com/cloakroom-go/sessions/core#Once
package fiberstore
