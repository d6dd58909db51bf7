package core

import "time"

// policy returns the idle timeout that applies to a session in milliseconds, 0 for permanent: its own, where one was
// set, as far as the preset lets it, else the manager's of today, so that a shorter policy reaches the sessions made before it.
func (m *Manager) policy(l *life) int64 {
	if !l.own {
		return m.expiry.Milliseconds()
	}
	if limit := m.maxExpiry.Milliseconds(); limit > 0 && (l.idle == 0 || l.idle > limit) {
		return limit
	}
	return l.idle
}

// end returns the instant at which a session last seen at seen ends, in milliseconds; 0 is never.
func (m *Manager) end(l *life, seen int64) int64 {
	var end int64
	if idle := m.policy(l); idle > 0 {
		end = seen + idle
	}
	if m.lifetime > 0 {
		if limit := l.created + m.lifetime.Milliseconds(); end == 0 || limit < end {
			end = limit
		}
	}
	return end
}

// maxRounding is how far a store may round an expiry up, in milliseconds. So small a difference is no touch.
const maxRounding = 1000

// settleTouch corrects the life by the record's expiry, which a touch moves without rewriting the head.
func (s *snapshot) settleTouch(now int64) {
	if s.idle == 0 || s.rec.Expires.IsZero() {
		return
	}
	if touched := min(s.rec.Expires.UnixMilli()-s.idle, now); touched > s.seen+min(maxRounding, s.idle/10) {
		s.seen, s.issued = touched, touched
	}
}

// expired reports whether the session's time is over by the policy in force, whatever the store thinks.
func (m *Manager) expired(s *snapshot, now time.Time) bool {
	end := m.end(&s.life, s.seen)
	return s.rec.Expired(now) || (end > 0 && now.UnixMilli() >= end)
}

// touchDue reports whether a touch is due.
func (m *Manager) touchDue(l *life, now int64) bool { return now >= m.touchAt(l) }

// touchAt returns when a tenth of the idle timeout has passed since the session's life was last extended. The cookie
// of a permanent session lives for 400 days at most, so a tenth of that counts.
func (m *Manager) touchAt(l *life) int64 {
	idle := m.policy(l)
	if idle == 0 || l.idle > 0 && l.idle < idle {
		idle = l.idle // as long as the record still ends by a shorter policy
	}
	if idle == 0 {
		idle = maxCookieLife.Milliseconds()
	}
	return l.issued + max(idle/10, 1)
}

// renewDue reports whether the session's secret is as old as [Options.RenewEvery].
func (m *Manager) renewDue(s *snapshot, now int64) bool {
	return m.renewEvery > 0 && now-s.since() >= m.renewEvery.Milliseconds()
}

// What falls due within soon of the load is noticed by this request. What falls due later is for the next, so that most
// requests need not look at the clock again.
const soon = time.Hour

// setCalm works out the calm of a session that is loaded now.
func (a *admitted) setCalm(m *Manager, now time.Time) {
	at, ms := m.touchAt(&a.snap.life), now.UnixMilli()
	if m.renewEvery > 0 {
		at = min(at, a.snap.since()+m.renewEvery.Milliseconds())
	}
	left := time.Duration(min(at-ms, soon.Milliseconds()+1)) * time.Millisecond
	a.calm, a.long = now.Sub(m.epoch)+left, left > soon
}

// stir ends the calm of a session that has changed.
func (a *admitted) stir() { a.calm, a.long = 0, false }

// isCalm reports whether nothing has fallen due in the session. brief says that a response is about to begin, which is taken to
// be soon after the load. The time since the epoch is half as dear to look up as the time of day. It expects s.mu to be held.
func (s *Session) isCalm(brief bool) bool {
	return brief && s.long || time.Since(s.manager.epoch) < s.calm
}

// persistent reports whether the session's cookie outlives the browser.
func (m *Manager) persistent(l *life) bool {
	return l.span == spanRemember || l.span == spanPolicy && m.cookie.persistent
}

// instantOf returns milliseconds as a time, and 0 as the zero time.
func instantOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
