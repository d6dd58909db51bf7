package model

import "time"

// mustBeDead reports whether the token was certainly dead when a request began at start, which
// was the time now.
func (h *History) mustBeDead(t *Token, start int64, now time.Time) bool {
	s := t.Session
	switch {
	case t.deadSince < start:
		return true
	case !s.expiresAt.IsZero() && now.After(s.expiresAt):
		return true
	case !t.replacedAt.IsZero() && now.After(t.replacedAt.Add(h.rules.Grace)):
		return true
	}
	for _, tx := range s.txs {
		if tx.outcome != Acked || tx.end >= start || tx.cookieSubject != t.subject {
			continue
		}
		if tx.has(Login) || tx.has(Destroy) && tx.definite {
			return true
		}
	}
	return false
}

// mayBeDead reports whether the token may be dead. It ignores self, the transaction of the
// request itself.
func (h *History) mayBeDead(t *Token, self *Tx) bool {
	s := t.Session
	if time.Since(s.lastSaved) > h.rules.Idle*3/4 {
		return true
	}
	for _, tx := range s.txs {
		if tx == self || !tx.mayApply() {
			continue
		}
		if tx.expired() {
			return true
		}
		if tx.has(Login) && tx.cookieSubject == t.subject && t.loginMayApply(tx) {
			return true
		}
		if tx.has(Destroy) && s.destroyMayReach(tx, t.subject) {
			return true
		}
	}
	return h.mayBeRenewedAway(t)
}

// loginMayApply reports whether a login may have been applied. It was not if its outcome is
// unknown and a later save with a cookie of the same subject succeeded.
func (t *Token) loginMayApply(login *Tx) bool {
	if login.outcome != Unknown || login.notAfter == forever {
		return true
	}
	for _, tx := range t.Session.txs {
		if tx.outcome == Acked && !tx.has(Destroy) &&
			tx.cookieSubject == t.subject && tx.start > login.end {
			return false
		}
	}
	return true
}

// destroyMayReach reports whether a destroy may have ended the session of a subject. Core
// checks the secret before it deletes the record, so it may end the session of a user who logs
// in between. If its outcome is unknown, the deletion may come later.
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

// mayBeRenewedAway reports whether renewals may have ended the token: the second renewal after
// it did, or the first one when its grace is over.
func (h *History) mayBeRenewedAway(t *Token) bool {
	renewals := 0
	for _, tx := range t.Session.txs {
		if !tx.has(Renew) || !tx.mayApply() || tx.cookieSubject != t.subject ||
			tx.notAfter <= t.created || tx.visit == t.createdBy && tx.outcome == Acked {
			continue
		}
		renewals++
		if time.Since(tx.visit.began) >= h.rules.Grace {
			return true
		}
	}
	return renewals > 1
}
