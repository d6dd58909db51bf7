package core

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// verified is a stored session whose secret the request has presented.
type verified struct {
	snap     record.Snapshot
	ticket   ticket.Ticket // with the current secret
	rotated  bool          // the request presented a retired secret: replace its cookie
	dueLater bool          // nothing becomes due within dueWindow
	nextDue  time.Duration // when the next touch or renewal becomes due; see policy.nextDueAt
}

// verifier decides whether a ticket opens a record. It does no I/O.
type verifier struct {
	*keyspace
	*policy
}

// The reasons why a ticket does not open a record. The other two are record.ErrDamaged and
// record.ErrFormat.
var (
	errOtherCookie = errors.New("sessions: record belongs to a cookie of another name")
	errOtherSecret = errors.New("sessions: secret is not the session's")
	errExpired     = errors.New("sessions: session has expired")
	errReused      = fmt.Errorf("%w: the secret was replaced and its grace is over", ErrNotFound)
)

// verify decodes the record in v.snap and checks the ticket against it. If the ticket opens the
// record, verify fills in the rest of v. Otherwise it returns the reason; if that is
// record.ErrDamaged or record.ErrFormat, only v.snap.Record may be used.
func (f *verifier) verify(v *verified, t *ticket.Ticket, now time.Time) error {
	if err := v.snap.Decode(); err != nil {
		return err
	}
	ms := now.UnixMilli()
	v.ticket, v.rotated = *t, false
	v.snap.ApplyTouchedExpiry(ms)
	if string(v.snap.CookieName()) != f.cookieName {
		return errOtherCookie
	}
	switch v.matchSecret(ms, f.grace) {
	case secretUnknown:
		return errOtherSecret
	case secretExpired:
		return errReused
	case secretAccepted:
	}
	if f.expired(&v.snap, now) {
		return errExpired
	}
	v.nextDue, v.dueLater = f.nextDueAt(&v.snap, now)
	return nil
}

// secretMatch is the result of comparing a secret with those of a session.
type secretMatch uint8

const (
	secretUnknown  secretMatch = iota // it was never issued, as far as can be told
	secretExpired                     // it was replaced, and its grace period is over
	secretAccepted                    // it opens the session
)

// matchSecret compares the ticket's secret with those of the session. The current secret is
// accepted, and so is a retired one in its grace period, which matchSecret replaces by the
// current one. While the latest grace period lasts, an older secret is unknown rather than
// expired, because the browser may still send it.
func (v *verified) matchSecret(now int64, grace time.Duration) secretMatch {
	current := v.snap.Digest()
	if current.Matches(&v.ticket.Secret) {
		return secretAccepted
	}
	history := v.snap.Identity().History
	if secret, ok := history.Current(v.ticket.Secret, current, now); ok {
		v.ticket.Secret, v.rotated = secret, true
		return secretAccepted
	}
	if history.Issued(&v.ticket.Secret) && now >= history.Rotated()+grace.Milliseconds() {
		return secretExpired
	}
	return secretUnknown
}

// sessionRef names a stored session, together with the ticket that proves the right to end it.
type sessionRef struct {
	key     string
	subject string
	ticket  ticket.Ticket
}

// mayEnd reports whether the ticket of ref may end the session in the snapshot. A secret that
// was replaced by a renewal still may, however long ago that was, because it is the user's; a
// secret that was replaced by a login may not.
func (ref *sessionRef) mayEnd(snap *record.Snapshot, now time.Time, grace time.Duration) bool {
	v := verified{snap: *snap, ticket: ref.ticket}
	return v.matchSecret(now.UnixMilli(), grace) == secretAccepted ||
		snap.Identity().History.Issued(&ref.ticket.Secret)
}

// recordStatus says what a record from a list is to this manager.
type recordStatus uint8

const (
	recordForeign  recordStatus = iota // it belongs to another manager
	recordUnusable                     // it has expired, or cannot be decoded
	recordLive
)

// classify decodes a record from a list and reports what it is. If the record cannot be decoded,
// the error says why.
func (f *verifier) classify(snap *record.Snapshot, now time.Time) (recordStatus, error) {
	if !f.contains(snap.Record.Key) {
		return recordForeign, nil
	}
	if err := snap.Decode(); err != nil {
		return recordUnusable, err
	}
	snap.ApplyTouchedExpiry(now.UnixMilli())
	switch {
	case string(snap.CookieName()) != f.cookieName:
		return recordForeign, nil
	case f.expired(snap, now):
		return recordUnusable, nil
	}
	return recordLive, nil
}
