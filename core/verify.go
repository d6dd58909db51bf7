package core

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// verified is the record that a ticket names, and what the ticket is to it. Because it is in
// every Session, its fields are in the order that takes the least memory.
type verified struct {
	snap     record.Snapshot
	ticket   ticket.Ticket // with the current secret if the standing is standingRetired
	standing standing
	dueLater bool          // nothing becomes due within dueWindow
	nextDue  time.Duration // when the next touch or renewal becomes due; see policy.nextDueAt
}

// standing is what a ticket is to the record that it names. Those from standingFormer on open
// the session.
type standing uint8

const (
	standingUnknown standing = iota // it was never issued, as far as can be told
	standingReused                  // a renewal replaced its secret, and its time is over
	standingOver                    // a login by another identity has replaced its secret
	standingSpent                   // a renewal, or the subject's own login or step-up, has
	standingEnded                   // the session has ended

	standingFormer  // a secret that opens the session with a former or lesser proof
	standingHeld    // this request has issued the secret, or has shown before that it arrived
	standingRetired // a renewal replaced its secret, and its time is not over
	standingTwin    // one of several secrets, which were issued to logins at the same time
	standingCurrent
)

// opens reports whether the ticket opens the session.
func (st standing) opens() bool { return st >= standingFormer }

// overtaken reports whether the ticket was good until another request of the browser replaced
// its secret or ended its session.
func (st standing) overtaken() bool { return st >= standingOver && !st.opens() }

// mayEnd reports whether the ticket may end the session: it opens the session, or it did so
// before a request of the same subject.
func (st standing) mayEnd() bool {
	return st.opens() || st == standingSpent || st == standingReused
}

// mayRenew reports whether the request may replace the secret, which takes the current one.
func (st standing) mayRenew() bool { return st.presented() || st == standingHeld }

// presented reports whether the request has presented a secret that the record's last change
// issued, which shows that its cookie has arrived.
func (st standing) presented() bool { return st >= standingTwin }

// holdsUnpresented reports whether the ticket has the secret of a cookie that the browser may not
// have got yet.
func (st standing) holdsUnpresented() bool { return st == standingHeld || st == standingRetired }

// verifier judges whether a ticket opens a record. It does no I/O.
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
	errOvertaken   = fmt.Errorf("%w: another request was faster", ErrNotFound)
)

// verify decides whether t opens the record in v.snap, and sets the rest of v. If it returns
// record.ErrDamaged or record.ErrFormat, only v.snap.Record may be used.
func (f *verifier) verify(v *verified, t *ticket.Ticket, now time.Time) error {
	if err := v.snap.Decode(); err != nil {
		return err
	}
	ms := now.UnixMilli()
	v.ticket = *t
	v.snap.ApplyTouchedExpiry(ms)
	if string(v.snap.CookieName()) != f.cookieName {
		return errOtherCookie
	}
	v.standing = v.standingAt(ms, f.grace)
	switch {
	case v.standing.opens():
	case v.standing.overtaken():
		return errOvertaken
	case v.standing == standingReused:
		return errReused
	default:
		return errOtherSecret
	}
	if f.expired(&v.snap, now) {
		return errExpired
	}
	v.nextDue, v.dueLater = f.nextDueAt(&v.snap, now)
	return nil
}

// standingAt returns what the ticket is to the record at the time now, in milliseconds. If a
// renewal has replaced the secret of a ticket that still opens the session, it sets the ticket
// to the current secret.
func (v *verified) standingAt(now int64, grace time.Duration) standing {
	current := v.snap.Digest()
	matches := current.Matches(&v.ticket.Secret)
	if matches && !v.snap.HasEnded() {
		return standingCurrent
	}
	id := v.snap.Identity()
	if len(id.Ended) != 0 {
		return v.standingAtEnd(&id, matches)
	}
	if line, ok := id.Past.Find(&v.ticket.Secret); ok {
		return standingOf(&line, now)
	}
	if secret, ok := id.History.Current(v.ticket.Secret, current, now); ok {
		v.ticket.Secret = secret
		return standingRetired
	}
	until, remembered := id.History.Find(&v.ticket.Secret)
	if !remembered {
		until = id.History.Rotated() + grace.Milliseconds()
	}
	switch {
	case !remembered && !id.History.Issued(&v.ticket.Secret):
		return standingUnknown
	case now < until+ticket.Remembered:
		return standingSpent
	}
	return standingReused
}

// standingAtEnd returns what the ticket is to a session that has ended.
func (v *verified) standingAtEnd(id *record.Identity, matches bool) standing {
	_, known := id.Past.Find(&v.ticket.Secret)
	if matches || known || id.History.Issued(&v.ticket.Secret) {
		return standingEnded
	}
	return standingUnknown
}

// standingOf returns what the secret of a line is to its record.
func standingOf(line *ticket.Line, now int64) standing {
	switch {
	case line.Forgotten(now):
		return standingUnknown
	case line.Kind == ticket.Over:
		return standingOver
	case line.Kind == ticket.Spent || line.Ended(now):
		return standingSpent
	case line.Kind == ticket.Former || line.Kind == ticket.LesserTwin:
		return standingFormer
	}
	return standingTwin
}

// undelivered reports whether presenting the ticket shows something new about which cookie the
// browser keeps: that of the record's last change has arrived, or that of a twin has replaced it.
func (v *verified) undelivered() bool {
	if v.standing == standingFormer {
		line, _ := v.snap.Identity().Past.Find(&v.ticket.Secret)
		return line.Kind == ticket.LesserTwin && line.Until != ticket.Undelivered
	}
	return v.standing == standingTwin || v.standing == standingCurrent && v.snap.Undelivered()
}

// keepUnpresented corrects the standing of a ticket that is verified again in one request, which
// was before. Its secret does not count as presented if an earlier commit has issued it, or if the
// load has found it for a retired one. Nor does it if another request has replaced the current
// secret meanwhile: this one was sent before, so it shows nothing about that one's cookie.
func (v *verified) keepUnpresented(before *verified) {
	switch {
	case !v.standing.presented():
	case before.standing.holdsUnpresented():
		v.standing = before.standing
	case before.snap.Digest() != v.snap.Digest():
		v.standing = standingHeld
	}
}

// reason returns why a ticket that was overtaken no longer opens its session.
func (v *verified) reason() Reason {
	if v.standing == standingEnded {
		return Reason(v.snap.Ended())
	}
	if v.standing == standingOver {
		return ReasonSignedIn
	}
	return ReasonReplaced
}

// sessionRef names a stored session, together with the ticket that proves the right to end it.
type sessionRef struct {
	key     string
	subject string
	ticket  ticket.Ticket
	actor   record.Actor   // who acts for the subject
	digest  *ticket.Digest // of the secret, if there is no ticket
	unsent  bool           // no response has carried the session's cookie
	ended   bool           // the session has been ended for this reference
	others  []sessionRef   // the sessions of the other tickets that the request presented
}

// mayEnd reports whether the ticket of ref may end the session in the snapshot. A secret that
// was replaced by a renewal, or by a login or step-up of the same subject, still may, because it
// is the user's; one that was replaced by another identity's login may not.
func (ref *sessionRef) mayEnd(snap *record.Snapshot, now time.Time, grace time.Duration) bool {
	if ref.digest != nil {
		return snap.Subject() == ref.subject && opensBy(snap, ref.digest, now.UnixMilli())
	}
	v := verified{snap: *snap, ticket: ref.ticket}
	return v.standingAt(now.UnixMilli(), grace).mayEnd()
}

// ofActor returns the reference to the own session of who acts in the session of ref, if somebody
// does.
func (ref *sessionRef) ofActor(ks *keyspace) (own sessionRef, ok bool) {
	a := &ref.actor
	if *a == (record.Actor{}) {
		return own, false
	}
	return sessionRef{key: ks.key(a.Session), subject: a.Subject, digest: &a.Digest}, true
}

// opensBy reports whether the secret with the digest opens the session with all that its subject
// has proved.
func opensBy(snap *record.Snapshot, d *ticket.Digest, now int64) bool {
	id, current := snap.Identity(), snap.Digest()
	opens := func(l ticket.Line) bool { return l.Digest.Equal(d) && !l.Ended(now) }
	return current.Equal(d) ||
		slices.ContainsFunc(id.History.Lines(), opens) ||
		slices.ContainsFunc(id.Past.Lines(), func(l ticket.Line) bool {
			return l.Kind == ticket.Twin && opens(l)
		})
}

// recordStatus says what a record from a list is to this manager.
type recordStatus uint8

const (
	recordForeign  recordStatus = iota // it belongs to another manager
	recordMark                         // it only says that a session has ended
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
	case snap.HasEnded():
		return recordMark, nil
	case f.expired(snap, now):
		return recordUnusable, nil
	}
	return recordLive, nil
}
