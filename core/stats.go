package core

import (
	"log/slog"
	"sync/atomic"
)

// Stats counts what a manager has done since it was created. The counters are read one by one,
// so they need not be consistent with each other while requests are running.
//
// In JSON and in a log line the counters have names such as "store_failures", and all of them are
// there, also those at 0. JSON is read back as it was written.
type Stats struct {
	// Created counts sessions stored for the first time.
	Created uint64 `json:"created"`
	// Loaded counts requests with a valid ticket.
	Loaded uint64 `json:"loaded"`
	// Committed counts saved changes.
	Committed uint64 `json:"committed"`
	// Merged counts saved changes that were merged with those of another request.
	Merged uint64 `json:"merged"`
	// Touched counts sessions extended without a change.
	Touched uint64 `json:"touched"`
	// Renewed counts secrets changed by a renewal.
	Renewed uint64 `json:"renewed"`
	// Logins counts logins and step-ups.
	Logins uint64 `json:"logins"`
	// Destroyed counts sessions ended by Destroy.
	Destroyed uint64 `json:"destroyed"`
	// Revoked counts sessions ended from outside.
	Revoked uint64 `json:"revoked"`
	// Gone counts requests whose session ended while they ran.
	Gone uint64 `json:"gone"`
	// Expired counts tickets of expired sessions.
	Expired uint64 `json:"expired"`
	// Refused counts tickets that do not open their session.
	Refused uint64 `json:"refused"`
	// Reused counts tickets with a secret that was replaced long ago.
	Reused uint64 `json:"reused"`
	// LimitsReached counts logins beyond MaxSessions.
	LimitsReached uint64 `json:"limits_reached"`
	// Undecodable counts damaged records.
	Undecodable uint64 `json:"undecodable"`
	// StoreFailures counts failed calls of the store.
	StoreFailures uint64 `json:"store_failures"`
	// EventsDropped counts events dropped because the hook was too slow.
	EventsDropped uint64 `json:"events_dropped"`
}

// LogValue returns a group with the names and values of the JSON.
func (s Stats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Uint64("created", s.Created),
		slog.Uint64("loaded", s.Loaded),
		slog.Uint64("committed", s.Committed),
		slog.Uint64("merged", s.Merged),
		slog.Uint64("touched", s.Touched),
		slog.Uint64("renewed", s.Renewed),
		slog.Uint64("logins", s.Logins),
		slog.Uint64("destroyed", s.Destroyed),
		slog.Uint64("revoked", s.Revoked),
		slog.Uint64("gone", s.Gone),
		slog.Uint64("expired", s.Expired),
		slog.Uint64("refused", s.Refused),
		slog.Uint64("reused", s.Reused),
		slog.Uint64("limits_reached", s.LimitsReached),
		slog.Uint64("undecodable", s.Undecodable),
		slog.Uint64("store_failures", s.StoreFailures),
		slog.Uint64("events_dropped", s.EventsDropped),
	)
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
