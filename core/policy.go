package core

import (
	"cmp"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// maxClockSkew is how far the clocks of several servers may be apart.
const maxClockSkew = time.Minute

// policy decides how long sessions last, from the times in their records. It does no I/O.
type policy struct {
	expiry     time.Duration // the idle timeout; 0 if sessions are permanent
	maxExpiry  time.Duration // the limit for a session's own idle timeout; 0 for none
	lifetime   time.Duration // the absolute timeout; 0 for none
	renewEvery time.Duration // the age at which a secret is renewed; 0 for never
	grace      time.Duration // how long a replaced secret is accepted
	remember   bool          // cookies outlive the browser
	epoch      time.Time     // when the manager was made; see nextDueAt
}

// idleTimeout returns the idle timeout of a session in milliseconds, or 0 if it is permanent. A
// session that has its own keeps it, within the limit of the preset. All others follow the
// current policy of the manager, so that a shorter policy also applies to older sessions.
func (p *policy) idleTimeout(t *record.Times) int64 {
	if !t.OwnIdle {
		return p.expiry.Milliseconds()
	}
	if limit := p.maxExpiry.Milliseconds(); limit > 0 && (t.Idle == 0 || t.Idle > limit) {
		return limit
	}
	return t.Idle
}

// expiresAt returns when a session that was last used at the time seen expires, in
// milliseconds. It is 0 if the session never expires.
func (p *policy) expiresAt(t *record.Times, seen int64) int64 {
	var end int64
	if idle := p.idleTimeout(t); idle > 0 {
		end = seen + idle
	}
	if limit := p.lifetimeEnd(t); limit != 0 && (end == 0 || limit < end) {
		end = limit
	}
	return end
}

// lifetimeEnd returns when the absolute timeout ends the session, in milliseconds, or 0 if there
// is none. It counts from the last proof of the user, or from the creation while nobody is signed
// in.
func (p *policy) lifetimeEnd(t *record.Times) int64 {
	if p.lifetime == 0 {
		return 0
	}
	return cmp.Or(t.Authenticated, t.Created) + p.lifetime.Milliseconds()
}

// cookieEndsAt returns when the browser may drop a persistent cookie, in milliseconds, or 0 if it
// is to keep it for as long as it can.
func (p *policy) cookieEndsAt(t *record.Times) int64 {
	if t.Cookie == record.CookieLasting {
		return p.lifetimeEnd(t)
	}
	return p.expiresAt(t, t.Seen)
}

// expired reports whether a session has expired, by its record or by the current policy.
func (p *policy) expired(s *record.Snapshot, now time.Time) bool {
	end := p.expiresAt(&s.Times, s.Seen)
	return s.Record.Expired(now) || (end > 0 && now.UnixMilli() >= end)
}

// touchDue reports whether the session is to be extended.
func (p *policy) touchDue(t *record.Times, now int64) bool { return now >= p.touchDueAt(t) }

// touchDueAt returns when a tenth of the idle timeout has passed since the session was last
// extended. The cookie of a permanent session lasts for 400 days, so a tenth of that counts.
func (p *policy) touchDueAt(t *record.Times) int64 {
	idle := p.idleTimeout(t)
	if idle == 0 || t.Idle > 0 && t.Idle < idle {
		idle = t.Idle // Until it is saved again, the record expires by the shorter timeout.
	}
	if idle == 0 {
		idle = cookie.MaxAge.Milliseconds()
	}
	return t.Extended + max(idle/10, 1)
}

// useDue reports whether a tenth of the idle timeout has passed since the session was last used.
func (p *policy) useDue(t *record.Times, now int64) bool {
	return now >= t.Seen+(p.touchDueAt(t)-t.Extended)
}

// touchOverdue reports whether the session has waited to be extended for as long as it takes
// until that is due.
func (p *policy) touchOverdue(t *record.Times, now int64) bool {
	due := p.touchDueAt(t)
	return now >= due+(due-t.Extended)
}

// renewalOverdue reports whether the secret has waited to be renewed for a tenth of
// [Options.RenewEvery].
func (p *policy) renewalOverdue(s *record.Snapshot, now int64) bool {
	return now >= p.renewalDueAt(s)+p.renewEvery.Milliseconds()/10
}

// renewalDue reports whether the secret of the session is as old as [Options.RenewEvery].
func (p *policy) renewalDue(s *record.Snapshot, now int64) bool {
	return p.renewEvery > 0 && now >= p.renewalDueAt(s)
}

func (p *policy) renewalDueAt(s *record.Snapshot) int64 {
	return s.SecretSince() + p.renewEvery.Milliseconds()
}

// dueWindow is the longest time between the load and the response that the fast path assumes. A
// touch or renewal that becomes due within dueWindow of the load is done by this request; later
// ones are left to the next, so that most requests need not look at the clock again.
const dueWindow = time.Hour

// nextDueAt returns when the next touch or renewal of a session becomes due, as the time since
// the epoch, and whether that is after dueWindow. The time since the epoch takes half as long
// to look up as the time of day.
func (p *policy) nextDueAt(s *record.Snapshot, now time.Time) (at time.Duration, later bool) {
	due, ms := p.touchDueAt(&s.Times), now.UnixMilli()
	if p.renewEvery > 0 {
		due = min(due, p.renewalDueAt(s))
	}
	left := time.Duration(min(due-ms, dueWindow.Milliseconds()+1)) * time.Millisecond
	return now.Sub(p.epoch) + left, left > dueWindow
}

// persistent reports whether the cookie of the session outlives the browser.
func (p *policy) persistent(t *record.Times) bool {
	switch t.Cookie {
	case record.CookieRemember, record.CookieLasting:
		return true
	case record.CookiePolicy:
		return p.remember
	case record.CookieForget:
	}
	return false
}

// timeOf converts milliseconds since the Unix epoch to a time. It converts 0 to the zero time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
