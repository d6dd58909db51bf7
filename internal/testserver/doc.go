// Package testserver gives tests real servers: Redis and Valkey (single, Sentinel, Cluster, TLS, ACL), memcached,
// PostgreSQL, MariaDB, and FerretDB in the place of MongoDB.
//
// A server is described by a spec, whose zero value is the plain one, and started for one test or for all tests of a
// package:
//
//	redis := testserver.Start(t, testserver.Redis{Password: "secret"}) // this test's own, stopped when it ends
//	pg := testserver.Shared(t, testserver.Postgres{})                  // one for all tests of the package
//	db, err := sql.Open("pgx", pg.Database(t))                         // a fresh database on it
//
// # Where servers come from
//
// First, from the environment: an address such as TEST_REDIS_ADDR names a server that somebody else runs. Then from
// the machine: the binary that TEST_REDIS_BINARY names (a path, or a name such as valkey-server), or the usual one in
// PATH or in the usual folders. Otherwise the test skips and says how to get it; with CI=true, or when TEST_REQUIRE
// lists it (TEST_REQUIRE=redis,postgres), it fails instead. Install fetches what is missing on Debian.
//
// # Faults
//
// A [Server] can be killed, stopped, restarted on the same port and folder, paused and resumed. A [Proxy] in front of
// it delays, resets or stops what passes, cuts a reply in the middle, or lets a request through and swallows its
// reply. Shared servers stay whole: a test that breaks one starts its own, or breaks the proxy.
//
// Every server listens on 127.0.0.1 only and is gone, with its folder, when its test or the test process ends, however
// that comes about. A failed test shows the log of its servers.
package testserver
