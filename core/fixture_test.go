package core

import (
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// The fixtures in this file are for tests that need neither a manager nor a store. Such tests say
// what the time is.

// testTime is the time at which these tests begin, in milliseconds of the Unix epoch.
const testTime int64 = 1_767_225_600_000

// ms returns d in milliseconds.
func ms(d time.Duration) int64 { return d.Milliseconds() }

// testID is the id of the session in these tests.
var testID = uuid.MustParse("019b7705-5400-7a3c-8d21-5f0e6c7b9a42") //nolint:gochecknoglobals // A constant.

// testKeyspace returns the keyspace of a manager with the default options.
func testKeyspace() *keyspace { return &keyspace{prefix: "session:", cookieName: "session"} }

// testTicket returns the ticket of the session with the given secret.
func testTicket(secret ticket.Secret) ticket.Ticket {
	return ticket.Ticket{ID: testID, Secret: secret}
}

// entry returns an entry of a record.
func entry(key, value string) record.Entry {
	return record.Entry{Key: []byte(key), Value: []byte(value)}
}

// storedSnapshot returns the snapshot of the session as a store returns it.
func storedSnapshot(h *record.Header, entries ...record.Entry) record.Snapshot {
	rec := Record{Key: testKeyspace().key(testID), Version: 3}
	return encodeRecord(&rec, h, entries)
}

// headerOf returns the header of a session with the given secret that was started at testTime.
func headerOf(secret ticket.Secret) record.Header {
	return record.Header{
		Times:    record.Times{Created: testTime, Seen: testTime, Extended: testTime, Idle: ms(time.Hour)},
		Identity: record.Identity{CookieName: []byte("session")},
		Digest:   secret.Digest(),
	}
}

// entriesOf returns the entries of a snapshot as text.
func entriesOf(snap *record.Snapshot) (text string) {
	snap.Each(func(key, value []byte) { text += string(key) + "=" + string(value) + " " })
	return text
}

// newComposer returns the composer of a manager with this policy.
func newComposer(p policy) *composer {
	return &composer{
		keyspace: testKeyspace(), policy: &p, cookieNameBytes: []byte("session"), maxSize: DefaultMaxSize,
	}
}

// momentAt returns the moment of a commit so long after testTime.
func momentAt(d time.Duration) *moment {
	return &moment{now: time.UnixMilli(testTime).Add(d)}
}

// newBase returns the base of a new session.
func newBase(secret ticket.Secret) *verified {
	return &verified{
		ticket: testTicket(secret),
		snap:   record.Snapshot{Record: Record{Key: testKeyspace().key(testID)}},
	}
}

// storedBase returns the base of a session with this header, which the secret has opened.
func storedBase(secret ticket.Secret, h *record.Header, entries ...record.Entry) *verified {
	snap := storedSnapshot(h, entries...)
	if len(h.Subject) != 0 {
		snap.Record.Subject = testKeyspace().subjectKey(string(h.Subject))
	}
	return &verified{ticket: testTicket(secret), snap: snap}
}

// signedIn returns the header of a session in which ann has signed in with a password.
func signedIn(secret ticket.Secret) record.Header {
	h := headerOf(secret)
	h.Subject, h.Authenticated = []byte("ann"), testTime
	h.Account = record.NewAccount(
		&record.Proof{Methods: []string{"pwd"}, Levels: atLevel(1)}, record.Device{IP: "192.0.2.1", UserAgent: "old"},
	)
	return h
}

// atLevel returns the levels of a proof at the time testTime.
func atLevel(level int) []record.LevelTime {
	return []record.LevelTime{{Level: level, At: testTime}}
}
