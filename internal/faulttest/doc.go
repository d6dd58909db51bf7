// Package faulttest tests that a store keeps its promises together with a [core.Manager]: on a
// real server that is killed, paused, disconnected or slow, and in two processes at the same
// time. The tests of each store call it.
//
//   - [Faults] tests one manager with every fault.
//   - [Processes] tests races between two other processes.
//   - [Accounts] tests listing, revoking and limiting the sessions of users.
//   - [Erased] looks for what a server keeps of a user whose sessions have been deleted.
//   - [Through] tests writers on any store during a fault.
//   - [Remote] opens a store in another process, for core/storetest.
//
// The other processes are the test binary itself: TestMain begins with [Serve], which opens
// stores by their address. An address is any text that Open understands. If it contains the
// server's host and port, a [testserver.Proxy] can take their place.
//
// The following must hold during every fault:
//
//   - No request hangs. Each gets its response or an error whose status is 503.
//   - A request with a valid cookie is never treated as one without a session.
//   - Writes that were acknowledged are stored exactly once.
//   - Sessions that were ended stay ended.
//   - No record mixes two writes.
//   - The same manager works again when the fault is over.
package faulttest
