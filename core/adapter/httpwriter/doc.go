// Package httpwriter provides the response writer for adapters of frameworks that are built on
// [net/http]. Only adapters import it.
//
// [Writer] wraps the response writer of a request. It commits the session immediately before the
// first byte of the response, whichever way the handler sends it. If the commit fails, Writer
// discards what the handler writes, so that an error response can take its place.
//
// [VisitOf] describes a request to guards. [Commit], [Hijack], [Reject], [Informational] and
// [Layers] are for adapters of frameworks that need a response writer of their own.
package httpwriter
