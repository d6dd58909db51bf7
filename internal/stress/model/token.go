package model

import (
	"slices"
	"time"
)

// rememberedFor is for how long a token that was overtaken is told from one that never was. The
// rules say that it is this long after the grace.
const rememberedFor = time.Minute

// maxRotations is how many secrets a session may have had since one that it remembers.
const maxRotations = 5

// mustBeDead reports whether the token was certainly dead when a request began at start, which
// was the time now.
func (h *History) mustBeDead(t *Token, start int64, now time.Time) bool {
	s := t.Session
	switch {
	case t.deadSince < start:
		return true
	case !s.expiresAt.IsZero() && now.After(s.expiresAt):
		return true
	case h.mustBeReplaced(t, start, now):
		return true
	}
	for _, tx := range s.txs {
		if tx.outcome != Acked || tx.end >= start || tx.cookieSubject != t.subject {
			continue
		}
		if tx.changesIdentity() || tx.has(Destroy) && tx.definite {
			return true
		}
	}
	return false
}

// mustBeReplaced reports whether the token was certainly replaced by one that has been delivered:
// at once if its request has logged in again, and after the grace if it has renewed the secret.
func (h *History) mustBeReplaced(t *Token, start int64, now time.Time) bool {
	logins := t.rotations(func(tx *Tx) bool { return tx.has(Login) })
	for _, next := range t.Session.tokens {
		found, login := next.descendsFrom(t)
		if !found || next.delivered.IsZero() {
			continue
		}
		if slices.Contains(next.parents, parent{t, true}) && next.deliveryAt < start {
			return true
		}
		if (login || logins == 0) && now.After(next.delivered.Add(h.rules.Grace)) {
			return true
		}
	}
	return false
}

// descendsFrom reports whether the token was got by requests with the older one, and whether one
// of those has logged in again.
func (t *Token) descendsFrom(older *Token) (found, login bool) {
	for _, p := range t.parents {
		if p.token == older {
			found, login = true, login || p.login
			continue
		}
		if ok, l := p.token.descendsFrom(older); ok {
			found, login = true, login || l || p.login
		}
	}
	return found, login
}

// mayBeDead reports whether the token may be dead. It ignores self, the transaction of the
// request itself.
func (h *History) mayBeDead(t *Token, self *Tx) bool {
	s := t.Session
	if s.mayBeExpired() {
		return true
	}
	for _, tx := range s.txs {
		if tx == self || !tx.mayApply() {
			continue
		}
		if tx.changesIdentity() && tx.cookieSubject == t.subject && t.loginMayApply(tx) {
			return true
		}
		if tx.has(Destroy) && s.destroyMayReach(tx, t.subject) {
			return true
		}
	}
	return h.mayBeReplaced(t)
}

// mayBeExpired reports whether the session may have exceeded its idle timeout.
func (s *Session) mayBeExpired() bool {
	if time.Since(s.lastSaved) > s.idle*3/4 {
		return true
	}
	for _, tx := range s.txs {
		if tx.mayApply() && tx.expired() {
			return true
		}
	}
	return false
}

// loginMayApply reports whether a login may have been applied. It was not if its outcome is
// unknown and a later save with a cookie of the same subject succeeded.
func (t *Token) loginMayApply(login *Tx) bool {
	if login.outcome != Unknown || login.notAfter == forever {
		return true
	}
	for _, tx := range t.Session.txs {
		if tx.outcome == Acked && !tx.has(Destroy) && !tx.changesIdentity() &&
			tx.cookieSubject == t.subject && tx.start > login.end {
			return false
		}
	}
	return true
}

// destroyMayReach reports whether a destroy may have ended the session of a subject. Core
// checks the secret before it marks the record, so it may end the session of a user who logs
// in between. If its outcome is unknown, the mark may come later.
func (s *Session) destroyMayReach(destroy *Tx, subject string) bool {
	if destroy.cookieSubject == subject {
		return true
	}
	end := destroy.end
	if destroy.outcome != Acked {
		end = forever
	}
	for _, tx := range s.txs {
		if tx.has(Login) && tx.subject("") == subject {
			return end > tx.start
		}
	}
	return true
}

// mayBeReplaced reports whether renewals or logins of the same subject may have ended the token: a
// request has come with another one since, and the grace is over if there were only renewals. A
// token that was replaced too often is forgotten.
func (h *History) mayBeReplaced(t *Token) bool {
	logins := t.rotations(func(tx *Tx) bool { return tx.has(Login) })
	all := logins + t.rotations(func(tx *Tx) bool { return !tx.has(Login) })
	if all >= maxRotations {
		return true
	}
	for _, rival := range t.Session.tokens {
		if rival == t || rival.subject != t.subject || all == 0 && !t.twin {
			continue
		}
		// A join makes a renewed secret one that may be the browser's.
		older, again := t.descendsFrom(rival)
		if older && (again || logins == 0) {
			continue
		}
		for _, u := range rival.uses {
			if u.tick > t.created && (logins > 0 || time.Since(u.at) >= h.rules.Grace) {
				return true
			}
		}
	}
	return false
}

// rotations returns how many transactions that match may have replaced the token by one of the
// same subject, or have joined its session.
func (t *Token) rotations(match func(*Tx) bool) (n int) {
	for _, tx := range t.Session.txs {
		if (tx.has(Login) || tx.has(Renew)) && match(tx) && tx.mayApply() &&
			tx.subject(tx.cookieSubject) == t.subject && tx.notAfter > t.created &&
			(tx.visit != t.createdBy || tx.outcome != Acked) {
			n++
		}
	}
	return n
}

// mayBeForgotten reports whether a token that is dead may be taken for one that never was: the
// session has expired, or the token was overtaken long ago, or has been replaced too often.
func (h *History) mayBeForgotten(t *Token) bool {
	s := t.Session
	if s.mayBeExpired() || !s.expiresAt.IsZero() && time.Now().After(s.expiresAt) {
		return true
	}
	replaced := 0
	for _, tx := range s.txs {
		ends := tx.has(Login) || tx.has(Renew) || tx.has(Destroy)
		if !ends || !tx.mayApply() || tx.notAfter <= t.created {
			continue
		}
		if replaced++; time.Since(tx.visit.began) > rememberedFor {
			return true
		}
	}
	return replaced > maxRotations
}
