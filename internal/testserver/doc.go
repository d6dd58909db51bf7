// Package testserver runs real servers for tests: Redis and Valkey (single, Sentinel, Cluster,
// TLS, ACL), memcached, PostgreSQL, MariaDB, and FerretDB in place of MongoDB.
//
// A [Spec] describes a server. The zero value of each spec is a plain server. A server is
// started for one test or for all tests of a package:
//
//	// Stopped when the test ends.
//	redis := testserver.Start(t, testserver.Redis{Password: "secret"})
//
//	// Shared by all tests of the package; each has a database of its own.
//	pg := testserver.Shared(t, testserver.Postgres{})
//	db, err := sql.Open("pgx", pg.Database(t))
//
// # Where servers come from
//
// If an environment variable such as TEST_REDIS_ADDR names an external server, that one is
// used. Otherwise a binary on this machine is started: the one that TEST_REDIS_BINARY names (a
// path, or a name such as valkey-server), or the usual one in PATH or in the usual folders. If
// there is none, the test is skipped with a message that says how to get it. If CI=true or
// TEST_REQUIRE lists the server (TEST_REQUIRE=redis,postgres), the test fails instead.
// [Install] installs missing servers on Debian.
//
// # Faults
//
// A [Server] can be killed, stopped, restarted with the same port and folder, paused and
// resumed. A [Proxy] in front of a server delays, resets or stops its connections, cuts a
// reply in the middle, or forwards a request and drops the reply. A test that needs a fault
// starts a server of its own or uses a proxy; shared servers refuse faults.
//
// Every server listens on 127.0.0.1 only. It is gone, including its folder, when its test or
// the test process ends, even if the process is killed. A failed test logs the output of its
// servers.
package testserver
