package core

import "time"

// policy returns the idle timeout that applies to a session in milliseconds, 0 for permanent: its own, where one was
// set, as far as the preset lets it, else the manager's of today, so that a shorter policy reaches the sessions made before it.
func (m *Manager) policy(h *head) int64 {
	if !h.own {
		return m.expiry.Milliseconds()
	}
	if limit := m.maxExpiry.Milliseconds(); limit > 0 && (h.idle == 0 || h.idle > limit) {
		return limit
	}
	return h.idle
}

// end returns the instant at which a session last seen at seen ends, in milliseconds; 0 is never.
func (m *Manager) end(h *head, seen int64) int64 {
	var end int64
	if idle := m.policy(h); idle > 0 {
		end = seen + idle
	}
	if m.lifetime > 0 {
		if limit := h.created + m.lifetime.Milliseconds(); end == 0 || limit < end {
			end = limit
		}
	}
	return end
}

// maxRounding is how far a store may round an expiry up, in milliseconds. So small a difference is no touch.
const maxRounding = 1000

// settleTouch corrects the head by the record's expiry, which a touch moves without rewriting the head.
func (s *snapshot) settleTouch(now int64) {
	if s.head.idle == 0 || s.rec.Expires.IsZero() {
		return
	}
	if touched := min(s.rec.Expires.UnixMilli()-s.head.idle, now); touched > s.head.seen+min(maxRounding, s.head.idle/10) {
		s.head.seen, s.head.issued = touched, touched
	}
}

// expired reports whether the session's time is over by the policy in force, whatever the store thinks.
func (m *Manager) expired(s *snapshot, now time.Time) bool {
	end := m.end(&s.head, s.head.seen)
	return s.rec.Expired(now) || (end > 0 && now.UnixMilli() >= end)
}

// touchDue reports whether a tenth of the idle timeout has passed since the session's life was last extended. The cookie
// of a permanent session lives for 400 days at most, so a tenth of that counts.
func (m *Manager) touchDue(h *head, now int64) bool {
	idle := m.policy(h)
	if idle == 0 || h.idle > 0 && h.idle < idle {
		idle = h.idle // as long as the record still ends by a shorter policy
	}
	if idle == 0 {
		idle = maxCookieLife.Milliseconds()
	}
	return now-h.issued >= max(idle/10, 1)
}

// renewDue reports whether the session's secret is as old as [Options.RenewEvery].
func (m *Manager) renewDue(h *head, now int64) bool {
	return m.renewEvery > 0 && now-h.since() >= m.renewEvery.Milliseconds()
}

// persistent reports whether the session's cookie outlives the browser.
func (m *Manager) persistent(h *head) bool {
	return h.span == spanRemember || h.span == spanPolicy && m.cookie.persistent
}

// instantOf returns milliseconds as a time, and 0 as the zero time.
func instantOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
