// Package core is the engine of Cloakroom: server-side sessions whose browser keeps nothing but a ticket. Applications use
// it through their framework's package; this one is for those who write an adapter, a store, or want to know.
//
// A [Manager] holds one configuration ([Options]): where sessions are kept, how long they live, what the cookie looks
// like. For each request the adapter opens a [Scope] with the request's Cookie fields, which loads the [Session], lets the
// handler work on it in memory, and commits it before the first byte of the response:
//
//	var sc core.Scope
//	err := sc.Open(ctx, outer, m, client, cookieFields...)
//	                                                // reads tokens; one load, if there was a well-formed one
//	...                                             // the handler, on sc.Get(): core.Key, Session.Login, Session.Destroy
//	reply, err := sc.Finish()                       // one conditional save, if anything has changed
//	reply.Apply(header)                             // Set-Cookie, Cache-Control, Vary
//	err = sc.Close()                                // saves what was changed after that
//
// # Identity
//
// A session has a public id, a UUIDv7, and a secret of 32 random bytes. The cookie carries both; the record keeps the
// SHA-256 of the secret only, so that what lies in the store authenticates nobody. [Session.Renew] and [Session.Login]
// change the secret and keep the id.
//
// # Merging
//
// A commit saves only what the request changed, and only if nobody else has saved meanwhile. If somebody has, it takes
// the current record, checks that the request's secret still opens it, applies its own changes to that, runs its
// updates again, and tries once more. A session that has ended stays ended.
//
// # Stores
//
// A [Store] keeps opaque records under string keys and offers three operations, of which Save is conditional. The
// contract lives in package store; package storetest checks that a store keeps it, package adaptertest does the same
// for adapters.
package core
