package core

import "sync/atomic"

// Stats counts what a manager has seen since it was made. The counters are independent: they need not agree with each
// other to the last request.
type Stats struct {
	Created       uint64 // sessions stored for the first time
	Loaded        uint64 // requests that came with a valid token
	Committed     uint64 // changes saved
	Merged        uint64 // of these, after a conflict with another request
	Touched       uint64 // lives extended without a change
	Renewed       uint64 // secrets changed by renewal
	Logins        uint64 // subjects signed in, step-ups among them
	Destroyed     uint64 // sessions ended by Destroy
	Revoked       uint64 // sessions ended from outside
	Gone          uint64 // requests whose session ended while they ran
	Expired       uint64 // tokens of sessions whose time was over
	Refused       uint64 // tokens with a secret that never was the session's
	Reused        uint64 // tokens with a secret that was the session's before
	LimitsReached uint64 // logins beyond MaxSessions
	Undecodable   uint64 // damaged records
	StoreFailures uint64 // calls that the store did not carry out
	EventsDropped uint64 // events that the hook was too slow for, as far as they have been noticed
}

// Stats returns the counts of this manager, which are those of this process. [Manager.Count] counts the sessions themselves.
func (m *Manager) Stats() Stats {
	n := m.tally.sum
	s := Stats{
		Created: n(EventCreated), Loaded: n(EventLoaded), Committed: n(EventCommitted), Merged: n(EventMerged),
		Touched: n(EventTouched), Renewed: n(EventRenewed), Logins: n(EventLogin), Destroyed: n(EventDestroyed),
		Revoked: n(EventRevoked), Gone: n(EventGone), Expired: n(EventExpired), Refused: n(EventRefused),
		Reused: n(EventReused), LimitsReached: n(EventLimitReached), Undecodable: n(EventUndecodable),
		StoreFailures: n(EventStoreFailed),
	}
	if m.events != nil {
		s.EventsDropped = m.events.lost.Load()
	}
	return s
}

// tally counts events by kind, in stripes so that processors do not wait for each other's cache lines.
type tally [8]struct {
	kinds [eventKinds]atomic.Uint64
	_     [64]byte
}

// add counts one event of the session whose id, or key, is given.
func (t *tally) add(kind EventKind, id string) {
	var end byte
	if id != "" {
		end = id[len(id)-1]
	}
	t.count(kind, end)
}

// count counts one event of a session whose id ends so, which is random.
func (t *tally) count(kind EventKind, end byte) { t[int(end)%len(t)].kinds[kind].Add(1) }

func (t *tally) sum(kind EventKind) (n uint64) {
	for i := range t {
		n += t[i].kinds[kind].Load()
	}
	return n
}
