package core

import "sync/atomic"

// Stats counts what a manager has done since it was created. The counters are read one by one,
// so they need not be consistent with each other while requests are running.
type Stats struct {
	Created       uint64 // sessions stored for the first time
	Loaded        uint64 // requests with a valid ticket
	Committed     uint64 // saved changes
	Merged        uint64 // saved changes that were merged with those of another request
	Touched       uint64 // sessions extended without a change
	Renewed       uint64 // secrets changed by a renewal
	Logins        uint64 // logins and step-ups
	Destroyed     uint64 // sessions ended by Destroy
	Revoked       uint64 // sessions ended from outside
	Gone          uint64 // requests whose session ended while they ran
	Expired       uint64 // tickets of expired sessions
	Refused       uint64 // tickets that do not open their session
	Reused        uint64 // tickets with a secret that was replaced long ago
	LimitsReached uint64 // logins beyond MaxSessions
	Undecodable   uint64 // damaged records
	StoreFailures uint64 // failed calls of the store
	EventsDropped uint64 // events dropped because the hook was too slow
}

// counters counts events by kind. It is striped, so that processors do not contend for cache
// lines.
type counters [8]struct {
	kinds [eventKinds]atomic.Uint64
	_     [64]byte
}

// add counts an event of the session whose id or key is given.
func (c *counters) add(kind EventKind, id string) {
	var last byte
	if id != "" {
		last = id[len(id)-1]
	}
	c.addByte(kind, last)
}

// addByte counts an event of a session whose id ends with this byte, which is random.
func (c *counters) addByte(kind EventKind, last byte) { c[int(last)%len(c)].kinds[kind].Add(1) }

func (c *counters) sum(kind EventKind) (n uint64) {
	for i := range c {
		n += c[i].kinds[kind].Load()
	}
	return n
}

func (c *counters) stats() Stats {
	return Stats{
		Created: c.sum(EventCreated), Loaded: c.sum(EventLoaded), Committed: c.sum(EventCommitted),
		Merged: c.sum(EventMerged), Touched: c.sum(EventTouched), Renewed: c.sum(EventRenewed),
		Logins: c.sum(EventLogin), Destroyed: c.sum(EventDestroyed), Revoked: c.sum(EventRevoked),
		Gone: c.sum(EventGone), Expired: c.sum(EventExpired), Refused: c.sum(EventRefused),
		Reused: c.sum(EventReused), LimitsReached: c.sum(EventLimitReached),
		Undecodable: c.sum(EventUndecodable), StoreFailures: c.sum(EventStoreFailed),
	}
}
