// Package core is the engine of Cloakroom: server-side sessions for Go web frameworks.
// Applications use it through the package of their framework. Import this package directly only
// to write an adapter. A store imports package store.
//
// A [Manager] holds one configuration ([Options]): the store that keeps the sessions, how long
// they last, and what the cookie looks like. A [Session] is the view that one request has of
// one session. A [Scope] carries the session through the request. For each request the adapter
// opens a scope, runs the handler, which works on the session in memory, and commits before the
// first byte of the response:
//
//	var sc core.Scope
//	err := sc.Open(ctx, outer, m, client, cookieFields...)
//	                                // loads the session if the cookie carries a ticket
//	...                             // the handler uses sc.Get()
//	reply, err := sc.CommitHeader() // one conditional save, if something has changed
//	reply.Apply(header)             // Set-Cookie, Cache-Control, Vary
//	err = sc.Close()                // saves what was changed afterwards
//
// # Identity
//
// A session has a public id, a UUIDv7, and a secret of 32 random bytes. The cookie carries
// both, and the record keeps only the SHA-256 of the secret, so that the contents of the store
// authenticate nobody. [Session.Renew] and [Session.Login] replace the secret and keep the id.
//
// # Merging
//
// A commit saves only what the request has changed, and only if no other request has saved
// meanwhile. Otherwise it takes the current record, checks that the request's secret still
// opens it, applies its own changes to it, runs its updates again, and saves that. A session
// that has ended stays ended.
//
// # Stores
//
// A [Store] keeps opaque records under string keys. It has three operations, of which Save is
// conditional. Package store defines the contract and package storetest checks that a store
// keeps it.
//
// # Adapters
//
// [Scope], [ScopeKey], [ScopeOf], [Manager.CookieName] and [Manager.Lazy] are for adapters, and
// so is package adapter. Package adaptertest checks that an adapter works on every path that a
// response can take.
package core
