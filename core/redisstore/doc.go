// Package redisstore stores sessions in Redis 6.2 or later, or in Valkey. It works with a
// single server, with Sentinel and with Cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	sessions, err := redisstore.New(client, redisstore.Options{})
//
// Each session is a string with an expiry of its own. A script writes it only if the stored
// version is the one that was loaded. A sorted set per user, the index, holds the keys of the
// user's sessions; it is repaired when it is read, and goes with the last session.
//
// # The client
//
// The application creates the client and closes it. [New] refuses clients with which the store
// cannot keep its contract:
//
//   - A client without ContextTimeoutEnabled ignores deadlines while a server stalls.
//     [Options.AcceptStalls] allows it.
//   - A client that caches what it reads (ClientSideCache, ClientSideCacheConfig) returns a
//     session that has ended since, or as it was before its last save, and does so for as long
//     as the server does not answer.
//   - A client that reads from replicas may return a session that has ended. The options of a
//     Sentinel client do not show that it has ReplicaOnly set, so New asks the server.
//   - A redis.Ring moves keys to another server when one is down, which ends sessions and
//     brings ended ones back.
//   - A redis.AutoPipeliner hides which of these its client is. Hand in the client itself.
//
// New cannot look into a client of a type that is not from go-redis, nor into hooks. Neither may
// answer a read from anywhere but the server that has the key.
//
// The client logs connection problems to standard error through a logger of its own, which
// redis.SetLogger replaces.
//
// # The server
//
// The server must not evict keys: its maxmemory is 0, the default, or its maxmemory-policy is
// noeviction. At its maxmemory it then refuses saves, which return [store.ErrFull], and sessions
// can still be loaded and deleted. With any other policy it may evict the index of a user, which
// leaves sessions that nobody can list, count or revoke. [New] refuses such a server. The store
// looks again whenever it reads an index, and for saves of signed-in sessions once a minute: if
// the settings have changed, or another server has taken over, BySubject, SubjectKeys and those
// saves return an error. Loads, touches, deletes and saves of anonymous sessions continue.
// [Options.AcceptEviction] turns all this off and says what that costs.
//
// The settings come from INFO, which needs no right to CONFIG. A server that does not allow INFO
// is refused as well.
//
// An index that was lost, by eviction or otherwise, comes back as its sessions are used: a touch
// or a save of a session puts its entry back.
//
// On a single server, scripts use the key of an index that is not among their arguments, because
// only the stored session says whose it is. If the server or a proxy does not allow that, set
// [Options.Sharded].
//
// Replication is asynchronous: a failover may lose the last acknowledged writes, deletes
// included.
//
// # Round trips
//
// Load, Save, Touch and Delete take one round trip each. On a cluster, a session and its
// user's index usually belong to different servers, so for a signed-in session Save takes
// three round trips, Touch two, and Delete four. Save takes four if it ends or signs out a
// signed-in session, and six if it signs in another user. BySubject and a page of SubjectKeys
// take two, or up to six if the index has to be repaired.
//
// # Failures
//
// Errors of the client are returned with the operation that failed. The store does not retry,
// but the client may: it repeats a command if the connection fails before the reply arrives.
// The store recognizes a repeated save by its version, and returns success if the first one
// was stored. If the record has been changed or deleted since, Save returns an error other
// than [store.ErrConflict] and [store.ErrNotFound], because the caller's changes may have been
// applied already. A command that a server has refused counts as not sent, so no save fails
// because a cluster client is redirected while a slot moves.
//
// A cluster client asks for the cluster's state once per ClusterStateReloadInterval. The store
// makes it ask again after a network error, so writes continue as soon as the cluster has
// promoted a replica.
//
// # Stored format
//
// The string of a session has a header of text, followed by the data:
//
//	cloakroom:<version>:<expiry>:<length>:<subject><data>
//
// The version is 16 lowercase hexadecimal digits. The expiry is 16 decimal digits, in
// milliseconds since the Unix epoch; 0 means never. The length is that of the subject, in
// bytes.
//
// After a Delete, the part up to and including the version remains for a minute, so that a
// save which the client repeats cannot bring the session back. The store treats any other
// value under a session's key as absent, and neither overwrites nor deletes it.
//
// The index of a subject is a sorted set under [Options.IndexPrefix] and the subject. Its members
// are the keys of the subject's sessions. The score of each is when the session ends, in
// milliseconds since the Unix epoch by the clock of the server; on a cluster it is a minute
// later. The index expires with its last entry. A member that begins with a zero byte marks an
// entry that is being repaired, for a minute at most.
package redisstore
