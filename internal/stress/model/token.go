package model

import "time"

// mustBeShut reports whether the token was dead for sure when a request came at start, which was now by the clock.
func (w *World) mustBeShut(t *Token, start int64, now time.Time) bool {
	s := t.Session
	switch {
	case t.dead < start:
		return true
	case !s.deadAt.IsZero() && now.After(s.deadAt):
		return true
	case !t.exchanged.IsZero() && now.After(t.exchanged.Add(w.rules.Grace)):
		return true
	}
	for _, tx := range s.txs {
		if tx.outcome != Acked || tx.end >= start || tx.epoch != t.epoch {
			continue
		}
		if tx.has(Login) || tx.has(Destroy) && tx.certain {
			return true
		}
	}
	return false
}

// mayBeShut reports whether the token may be dead by now. What the request itself is about to do does not count.
func (w *World) mayBeShut(t *Token, self *Tx) bool {
	s := t.Session
	if time.Since(s.lastSaved) > w.rules.Idle*3/4 {
		return true
	}
	for _, tx := range s.txs {
		if tx == self || !tx.may() {
			continue
		}
		if tx.expired() {
			return true
		}
		if tx.has(Login) && tx.epoch == t.epoch && t.stale(tx) || tx.has(Destroy) && s.reaches(tx, t.epoch) {
			return true
		}
	}
	return w.renewedAway(t)
}

// stale reports whether a login may have been applied. One that went unanswered before a later save with the same epoch
// succeeded has not been.
func (t *Token) stale(login *Tx) bool {
	if login.outcome != Unknown || login.until == forever {
		return true
	}
	for _, tx := range t.Session.txs {
		if tx.outcome == Acked && !tx.has(Destroy) && tx.epoch == t.epoch && tx.start > login.end {
			return false
		}
	}
	return true
}

// reaches reports whether a destroy may have ended the session in this epoch. Core looks at the secret first and deletes
// then, so it may hit whoever signs in between; and if it went unanswered, the deletion may come later.
func (s *Session) reaches(destroy *Tx, epoch string) bool {
	if destroy.epoch == epoch {
		return true
	}
	end := destroy.end
	if destroy.outcome != Acked {
		end = forever
	}
	for _, tx := range s.txs {
		if tx.has(Login) && tx.subject("") == epoch {
			return end > tx.start
		}
	}
	return true
}

// renewedAway reports whether renewals may have made the token useless: the second one after it did, or the first one
// when its grace is over.
func (w *World) renewedAway(t *Token) bool {
	renewals := 0
	for _, tx := range t.Session.txs {
		if !tx.has(Renew) || !tx.may() || tx.epoch != t.epoch || tx.until <= t.born || tx.visit == t.maker && tx.outcome == Acked {
			continue
		}
		renewals++
		if time.Since(tx.visit.began) >= w.rules.Grace {
			return true
		}
	}
	return renewals > 1
}
