// Package memcachedstore stores sessions in memcached, on one server or several.
//
//	s, err := memcachedstore.New(memcachedstore.Options{
//		Servers: []string{"10.0.0.1:11211", "10.0.0.2:11211"},
//	})
//
// Memcached is a cache, not a database. A server that needs room evicts sessions that are in
// use, a restart drops all of them, and nothing is replicated. A session that is lost this way
// has ended, and its user has to sign in again. Use this store only where that is acceptable.
// Give it servers of its own, with enough memory that nothing is evicted.
//
// # The server
//
// The store has a client of its own for the meta protocol of memcached. It is tested with
// memcached 1.6.18.
//
// The server must not run with -C (--disable-cas): without CAS tokens there are no conditional
// writes, and loads and replacing saves return an error. With -M the server evicts nothing; a
// new session on a full server is then [store.ErrFull]. A session that grows on a full server is
// lost, and the save returns another error, because memcached deletes an item that it has no
// room to replace. The protocol is not encrypted; see [Options.Dial] for TLS.
//
// # Round trips
//
// Load, Delete and a Save that creates a record take one round trip. Touch and a Save that
// replaces a record take two: the first reads the server's CAS token of the item, the second
// writes the item if it still has that token.
//
// CAS tokens cannot serve as versions of records, because they start over when the server
// restarts. A version is a random number within the item.
//
// # Failures
//
// A call that is interrupted by its context or by the network closes its connection, so that a
// late reply is not taken for the reply to another request. If there is time left, the call is
// tried once more on a new connection.
//
// A Save whose reply was lost looks for its own version on that connection, and returns
// success if it finds it. If it cannot tell whether the record was stored, it returns an error
// other than [store.ErrConflict] and [store.ErrNotFound]. A create is never sent twice: the
// first request might arrive late and bring back a record that has been deleted in the
// meantime.
//
// # Several servers
//
// Each key belongs to one server, which is chosen by rendezvous hashing of the key and the
// server's address. A server that joins takes over its share of the keys, and only those
// sessions are lost. A server that leaves takes only its own sessions with it. The list must
// be the same in all processes.
//
// There is no failover. While a server does not answer, calls for its keys fail. They are not
// sent to another server, since that could lead to two records of one session. Restart a
// server that was taken off the list before it joins again, so that it is empty; otherwise
// sessions that have ended since come back with it.
//
// # No index
//
// Memcached cannot list its keys. BySubject, List and Count return [errors.ErrUnsupported].
package memcachedstore
