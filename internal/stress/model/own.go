package model

import (
	"maps"
	"slices"
)

// ownSession says where a session comes from that a login has started because its request was
// overtaken. It begins with what the request had loaded, if that was anonymous. Other logins of
// the same subject from the same session may join it, and one of them may be told of it before
// the one that has started it. Which one that is shows in the log: it follows the log that its
// request had loaded.
type ownSession struct {
	origin  *Session
	subject string
	prefix  []int64 // the log that the session began with
	begun   *Tx     // stands for the transactions of the prefix; nil if there are none
	known   bool    // whether prefix and begun are known
}

// recordElsewhere records that a transaction was applied to another session than that of its
// request, or that there was none.
func (v *Visit) recordElsewhere(t *Tx, id string) error {
	h, s := v.history, t.session
	if s != nil {
		h.note(s, v, "is told that %d is done in %s", t.ID, id)
		if !t.has(Login) {
			return s.violated("%v was applied to the session %s", t, id)
		}
		if t.token != nil {
			if err := h.checkDead(t.token, t, "has to log in elsewhere"); err != nil {
				return err
			}
		}
		if t.knownSince != forever {
			return s.violated("%v was applied to this session and to %s", t, id)
		}
		s.remove(t)
	}
	n := slices.IndexFunc(h.sessions, func(other *Session) bool { return other.ID == id })
	if n < 0 {
		s = h.create(v, t, id)
	} else if s = h.sessions[n]; s.byID[t.ID] == nil {
		if !s.mayJoin(t) {
			return s.violated("another session was created with its id, by %v", t)
		}
		s.add(t)
		h.note(s, v, "joins it by %v", t)
	}
	t.session, t.token = s, nil
	t.notAfter, t.knownSince = t.end, min(t.knownSince, t.end)
	v.session, v.token, v.subject, v.joined = s, nil, t.subject(""), t.has(Login)
	s.lastSaved = v.began
	return nil
}

// create adds a session that a transaction has created.
func (h *History) create(v *Visit, t *Tx, id string) *Session {
	s := &Session{
		ID: id, byID: map[int64]*Tx{}, logs: map[int64][]int64{},
		superseded: map[int64]int64{}, heads: map[int64]int64{},
		counters: map[int64]counterSample{}, idle: h.rules.Idle,
	}
	if v.origin != nil && t.has(Login) {
		s.own = &ownSession{origin: v.origin, subject: t.subject("")}
	}
	s.add(t)
	h.sessions = append(h.sessions, s)
	h.note(s, v, "creates it by %v", t)
	return s
}

// remove removes a transaction that was applied to another session.
func (s *Session) remove(t *Tx) {
	s.txs = slices.DeleteFunc(s.txs, func(other *Tx) bool { return other == t })
	delete(s.byID, t.ID)
}

// mayJoin reports whether a transaction may be applied to the session, although its request did
// not find it: it is a login of the session's subject, which was overtaken.
func (s *Session) mayJoin(t *Tx) bool {
	if !t.has(Login) || t.visit.origin == nil {
		return false
	}
	if t.visit.origin == s {
		return slices.ContainsFunc(s.txs, func(other *Tx) bool {
			return other.has(Login) && other.mayApply() && other.subject("") == t.subject("")
		})
	}
	return s.own != nil && s.own.origin == t.visit.origin && s.own.subject == t.subject("")
}

// adopt returns the transaction of a log, which becomes one of the session's if its request does
// not know yet that it has joined the session. It returns nil if it cannot be one.
func (h *History) adopt(s *Session, id int64) *Tx {
	t := s.byID[id]
	if t != nil {
		return t
	}
	if t = h.txs[id]; t == nil || !t.unsettled() || t.knownSince != forever || !s.mayJoin(t) {
		return nil
	}
	if t.session != nil {
		t.session.remove(t)
	}
	t.session, t.token = s, nil
	s.add(t)
	return t
}

// translate returns a log of the session with one number for what the session began with.
func (h *History) translate(s *Session, log []int64) []int64 {
	o := s.own
	if o == nil || len(log) == 0 {
		return log
	}
	if !o.known {
		h.findStart(s, log)
	}
	if o.begun == nil || len(log) < len(o.prefix) || !slices.Equal(log[:len(o.prefix)], o.prefix) {
		return log
	}
	return append([]int64{o.begun.ID}, log[len(o.prefix):]...)
}

// findStart finds the login that has started the session.
func (h *History) findStart(s *Session, log []int64) {
	for n, id := range log {
		t := h.txs[id]
		if t == nil || !t.has(Login) || t.has(Clear) && n > 0 {
			continue
		}
		var prefix []int64
		if t.loaded != nil && !t.has(Clear) {
			prefix = t.loaded.Log
		}
		if !slices.Equal(prefix, log[:n]) || h.adopt(s, id) == nil {
			continue
		}
		s.remove(t)
		s.txs, s.byID[id] = append([]*Tx{t}, s.txs...), t
		s.own.known = true
		if len(prefix) > 0 {
			s.own.prefix, s.own.begun = prefix, h.beginWith(s, t)
		}
		return
	}
}

// beginWith adds a transaction that stands for what the session began with.
func (h *History) beginWith(s *Session, login *Tx) *Tx {
	h.lastTx++
	t := &Tx{
		ID: h.lastTx, Logged: true, outcome: Acked, session: s, visit: login.visit,
		start: login.start, end: login.start, notAfter: login.start, knownSince: forever,
	}
	for _, key := range slices.Sorted(maps.Keys(login.loaded.Values)) {
		value := login.loaded.Values[key]
		if key != UnloggedCounter {
			t.Ops = append(t.Ops, Op{Set, key, value})
			continue
		}
		for range value {
			t.Ops = append(t.Ops, Op{Add, key, 0})
		}
	}
	h.txs[t.ID], s.byID[t.ID] = t, t
	s.txs = append([]*Tx{t}, s.txs...)
	return t
}
