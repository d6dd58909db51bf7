package memstore

import (
	"math"
	"time"
)

// never is later than any expiry and any use.
const never = math.MaxInt64

// The linked lists that an entry is part of.
const (
	useList     = iota // the entries of its class, the last used first
	subjectList        // the entries of its subject
	listKinds
)

// links are the neighbors of an entry in a list.
type links struct {
	prev, next uint32
}

// entry is what a table knows about a record without reading its payload. It fills one
// cache line. It has indices instead of pointers, so that the garbage collector need not
// look at a million of them.
type entry struct {
	version      uint64
	lastUsed     int64  // as returned by table.nextUse
	expirySec    int64  // in seconds of the Unix epoch, or never
	expiryNsec   uint32 // the nanoseconds within that second
	keyHash      uint32
	nextInBucket uint32 // the next entry in the same bucket of the index
	heapPos      uint32 // the position in the expiry heap
	links        [listKinds]links
	location     location // of the payload
}

// setExpires keeps the wall clock reading of t only, as a store on another machine would.
func (e *entry) setExpires(t time.Time) {
	e.expirySec, e.expiryNsec = never, 0
	if !t.IsZero() {
		e.expirySec = t.Unix()
		e.expiryNsec = uint32(t.Nanosecond()) //nolint:gosec // below a billion
	}
}

func (e *entry) expires() time.Time {
	if e.expirySec == never {
		return time.Time{}
	}
	return time.Unix(e.expirySec, int64(e.expiryNsec))
}

func (e *entry) expired(now time.Time) bool {
	return e.expirySec != never && !now.Before(e.expires())
}

// expiryNanos returns the expiry in nanoseconds of the Unix epoch. An expiry after 2262,
// which that cannot express, is never.
func (e *entry) expiryNanos() int64 {
	if e.expirySec >= never/int64(time.Second) {
		return never
	}
	return e.expirySec*int64(time.Second) + int64(e.expiryNsec)
}

func (e *entry) expiresBefore(other *entry) bool {
	return e.expirySec < other.expirySec ||
		(e.expirySec == other.expirySec && e.expiryNsec < other.expiryNsec)
}
