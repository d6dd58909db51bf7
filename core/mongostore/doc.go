// Package mongostore stores sessions in a collection of MongoDB, one document per session.
//
//	client, err := mongo.Connect(options.Client().ApplyURI(uri))
//	...
//	collection := client.Database("app").Collection("sessions")
//	sessions, err := mongostore.New(collection, mongostore.Options{})
//	...
//	err = sessions.Migrate(ctx)
//
// The client belongs to the application, which also disconnects it. [Store.Migrate] creates
// the indexes; call it at each start.
//
// # The server
//
// A single server, a replica set and a sharded cluster all work, because the store needs no
// transactions. Shard the collection by {_id: "hashed"}. Leave the client's retryable writes
// on, which is the default.
//
// Whatever the collection is configured with, the store reads from the primary and writes with
// the write concern "majority". A secondary lags behind: it may still return a session after
// its logout, and may not have a new one yet. A write that only the primary has is lost if the
// primary fails, so a session could exist again after its user has signed out.
// [Options.WriteConcern] and [Options.Linearizable] change this.
//
// The store's calls never join a transaction that the application has put into the context.
//
// # Round trips
//
// Load, Save, Touch, Delete, BySubject and a page of SubjectKeys or List take one command each.
// A Save or a Touch that does not find the version it expects takes a second one to find out
// why.
//
// # Failures
//
// Errors of the driver are returned, without the parts in which a server quotes the document.
// When the driver repeats a write because it lost the reply, the store recognizes the write by
// its version and returns success.
//
// Each call ends with its context; the manager always sets a deadline. Without a deadline, the
// limits of the driver apply: 30 seconds to find a server (serverSelectionTimeout), and no
// limit for the reply.
//
// # Expiry
//
// The store compares expiries with the clock of the application, and never returns an expired
// document. Expiries are rounded up to a millisecond.
//
// A server with TTL indexes deletes expired documents about once a minute, by its own clock: a
// clock that is ahead ends sessions early by as much. On other servers [Store.Purge] deletes
// them, which the manager calls every few minutes.
//
// # Stored format
//
// The fields of a document are:
//
//	_id  the key
//	v    the version, a random number of 63 bits
//	e    the expiry, a date; the last millisecond of the year 9999 means never
//	s    the subject, absent while the session is anonymous
//	d    the data, binary
//
// A version is never used again for a key, not even after a Delete or by another process. A
// document with other types of fields counts as absent.
package mongostore
