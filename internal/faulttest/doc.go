// Package faulttest proves what a store promises where it matters: under a whole [core.Manager], on a real server that is
// killed, paused, cut off or slow, and in two processes at once. The tests of each store call it.
//
//	faulttest.Faults(t, faulttest.Backend{...})  // one manager through every fault, on a server of its own
//	faulttest.Processes(t, address)          // the races, between two other processes
//	faulttest.Remote(t)                      // a store in another process, as the second handle of core/storetest
//	faulttest.Through(t, s, loss, fault)     // writers on any store, at work while fault does its worst
//
// Another process is the test binary itself: TestMain begins with [Serve], which knows how to open a store at an
// address. An address is any text that Open understands; where it contains the server's host and port, a
// [testserver.Proxy] takes their place.
//
// What must hold through every fault: no request hangs; each gets its answer or an error that is a 503; a request with a
// valid cookie is never served as a stranger's; what was acknowledged is there, once; what was ended stays ended; no
// record is half of one write and half of another; and the same manager serves on when the fault is over.
package faulttest
