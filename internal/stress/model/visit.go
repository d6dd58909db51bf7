package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// View is a session as a request finds it. Values does not contain the log.
type View struct {
	ID, Subject string
	Values      map[string]int64
	Log         []int64
}

// Visit is one request.
type Visit struct {
	history   *History
	token     *Token // nil if the request has no cookie
	label     string
	startTick int64
	began     time.Time
	subject   string // of the session, as far as the visit knows
	session   *Session
	origin    *Session // the session of the token with which the request came; nil without one
	loaded    *View    // what it has found last; nil if that was not anonymous
	again     bool     // the subject that was signed in has logged in again
	joined    bool     // it has logged in, and others may have done so at the same time
}

// Visit begins a request. The token is nil if the request has no cookie.
func (h *History) Visit(token *Token, label string) *Visit {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Visit{history: h, token: token, label: label, startTick: h.now(), began: time.Now()}
	if token != nil {
		v.subject, v.session, v.origin = token.subject, token.Session, token.Session
		token.uses = append(token.uses, use{v.startTick, v.began})
		h.note(v.session, v, "comes with %s of %q", token.name, token.subject)
	}
	return v
}

// Note adds a line to the trace of the visit's session.
func (v *Visit) Note(format string, args ...any) {
	v.history.mu.Lock()
	defer v.history.mu.Unlock()
	if v.session != nil {
		v.history.note(v.session, v, format, args...)
	}
}

// SawNothing records that the request found no session, and checks that this is possible. If the
// request was told that its token was overtaken, nothing it writes is saved before it logs in.
// Otherwise its writes start a new session, whose cookie replaces the browser's, so that must not
// happen while the token is to be remembered.
func (v *Visit) SawNothing(overtaken bool) error {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	v.loaded = nil
	if v.token == nil {
		if overtaken && v.origin == nil {
			return &Violation{&Session{}, "a request without a cookie is overtaken", ""}
		}
		return nil
	}
	t, s := v.token, v.session
	h.note(s, v, "sees no session, overtaken: %t", overtaken)
	err := h.checkDead(t, nil, "sees no session")
	v.session, v.token, v.subject = nil, nil, ""
	if err == nil && !overtaken && !h.mayBeForgotten(t) {
		err = s.violated("a request with %s, which was overtaken, is taken for a stranger", t.name)
	}
	return err
}

// checkDead records that a token finds no session, and checks that this is possible.
func (h *History) checkDead(t *Token, self *Tx, what string) error {
	if !h.mayBeDead(t, self) && !h.mustBeDead(t, forever, time.Now()) {
		const text = "a request with %s %s, but nothing has ended the session or that cookie"
		return t.Session.violated(text, t.name, what)
	}
	t.deadSince = min(t.deadSince, h.now())
	return nil
}

// Saw records what the request found, and checks that this is possible.
func (v *Visit) Saw(view *View) error {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.session == nil {
		return &Violation{&Session{ID: view.ID}, "a request without a cookie has a session", ""}
	}
	s := v.session
	at := h.now()
	h.note(s, v, "sees %q %v log %v", view.Subject, sorted(view.Values), view.Log)
	v.loaded = nil
	if view.Subject == "" {
		v.loaded = &View{Values: maps.Clone(view.Values), Log: slices.Clone(view.Log)}
	}
	switch {
	case view.ID != s.ID:
		return s.violated("its id has become %s", view.ID)
	case v.token != nil && h.mustBeDead(v.token, v.startTick, v.began):
		const text = "a request with %s, which was dead before it came, sees the session"
		return s.violated(text, v.token.name)
	case view.Subject != v.subject:
		const text = "the cookie is of %q and opens the session of %q"
		return s.violated(text, v.subject, view.Subject)
	}
	return h.check(s, view, v.startTick, at)
}

// Begin records that the request is about to commit a transaction. It calls plan with the
// transaction's number to get its writes.
func (v *Visit) Begin(plan func(id int64) []Op) *Tx {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastTx++
	t := &Tx{
		ID: h.lastTx, Ops: plan(h.lastTx),
		visit: v, session: v.session, token: v.token, cookieSubject: v.subject,
		start: h.now(), end: forever, notAfter: forever, knownSince: forever, loaded: v.loaded,
	}
	h.txs[t.ID] = t
	logged := func(op Op) bool { return !op.Unlogged() }
	t.Logged = !t.has(Destroy) && slices.ContainsFunc(t.Ops, logged)
	if v.session != nil {
		v.session.add(t)
		h.note(v.session, v, "begins %v", t)
	}
	return t
}

func (s *Session) add(t *Tx) {
	s.txs = append(s.txs, t)
	s.byID[t.ID] = t
	s.customIdle = s.customIdle || t.has(Expire)
}

// Refuse records that the first n operations of a transaction were refused, because the request's
// token had been overtaken. It reports whether any are left.
func (v *Visit) Refuse(t *Tx, n int) (left bool) {
	v.history.mu.Lock()
	defer v.history.mu.Unlock()
	t.Ops = t.Ops[n:]
	if len(t.Ops) == 0 {
		t.outcome, t.notAfter = Gone, v.history.now()
	}
	return len(t.Ops) > 0
}

// Start records that the visit has no session, or has destroyed it. Its next transaction
// creates one.
func (v *Visit) Start() {
	v.history.mu.Lock()
	defer v.history.mu.Unlock()
	v.session, v.token, v.subject, v.loaded, v.origin = nil, nil, "", nil, nil
}

// Definite records that a Destroy has certainly ended the session if its commit succeeds, because
// no login follows it.
func (v *Visit) Definite(t *Tx) {
	v.history.mu.Lock()
	defer v.history.mu.Unlock()
	t.definite = true
}

// Settle records the outcome of a commit. After a success, id is the id of the session: that which
// the transaction has created or joined, if it is another than that of the request; a Destroy has
// always ended the session of the request. A login is never lost because another request was
// faster.
func (v *Visit) Settle(t *Tx, outcome Outcome, id string) error {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	t.end, t.outcome = h.now(), outcome
	s := t.session
	switch {
	case outcome == Gone && t.has(Login):
		return cmp.Or(s, &Session{ID: id}).violated("%v was refused: %s", t, v.label)
	case outcome == Acked && !t.has(Destroy) && (s == nil || s.ID != id):
		return v.recordElsewhere(t, id)
	case outcome == Acked:
		h.note(s, v, "is told that %d is done", t.ID)
		return v.recordAcked(t)
	case outcome == Unknown:
		if s == nil || t.has(Login) {
			h.orphans++ // A login may have started a session of its own.
		}
		if s != nil {
			h.note(s, v, "does not know about %d", t.ID)
		}
		return nil
	case s == nil: // The writes after a Destroy that has ended nothing.
		t.notAfter = t.end
		return nil
	}
	return v.recordGone(t)
}

// recordGone records that a request was told that its session had ended before a transaction.
func (v *Visit) recordGone(t *Tx) error {
	h, s := v.history, t.session
	h.note(s, v, "is told that the session ended before %d", t.ID)
	t.notAfter = t.end
	if t.token != nil {
		what := fmt.Sprintf("is told that the session ended before tx %d", t.ID)
		return h.checkDead(t.token, t, what)
	}
	if s.own != nil && s.endedByOthers(v) {
		return nil
	}
	return s.violated("the request that has just created it is told that it ended")
}

// endedByOthers reports whether another request may have ended the session or logged in with it.
func (s *Session) endedByOthers(v *Visit) bool {
	return slices.ContainsFunc(s.txs, func(t *Tx) bool {
		return t.visit != v && t.mayApply() && (t.has(Login) || t.has(Destroy))
	})
}

// recordAcked records that a transaction has been applied. Earlier ones with an unknown
// outcome have been applied by then or never will be, except deletes, which are not
// conditional.
func (v *Visit) recordAcked(t *Tx) error {
	s := t.session
	t.notAfter, t.knownSince = t.end, t.end
	if t.has(Destroy) {
		// A Destroy that ends nothing is not acknowledged, unless a login follows it.
		t.definite = t.definite || t.token == nil || !v.history.mayBeReplaced(t.token)
		return nil
	}
	if err := v.moveTo(s, t); err != nil {
		return err
	}
	s.lastSaved = v.began
	if t.token != nil && t.token.delivered.IsZero() {
		t.token.delivered, t.token.deliveryAt = time.Now(), t.end
	}
	for _, u := range s.txs {
		if u.end < t.start && !u.has(Destroy) {
			u.notAfter = min(u.notAfter, t.end)
		}
	}
	v.subject = t.subject(v.subject)
	v.joined = v.joined || t.has(Login)
	v.again = v.again || t.has(Login) && !t.changesIdentity()
	if t.token != nil && v.history.mustBeDead(t.token, v.startTick, v.began) {
		const text = "a request with %s, which was dead before it came, changes the session by %v"
		return s.violated(text, t.token.name, t)
	}
	return nil
}

// moveTo makes s the session of the visit, after a transaction that was seen there before its
// request was told.
func (v *Visit) moveTo(s *Session, t *Tx) error {
	if s == v.session {
		return nil
	}
	if v.token != nil {
		if err := v.history.checkDead(v.token, t, "has logged in elsewhere"); err != nil {
			return err
		}
	}
	v.session, v.token = s, nil
	return nil
}

// Cookie records that the response sets a cookie for the session with the given id. It returns
// the token of the cookie.
func (v *Visit) Cookie(value, id string) (*Token, error) {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	s := v.session
	if s == nil || s.ID != id {
		const text = "a response sets a cookie of a session that is not the request's: "
		return nil, &Violation{&Session{ID: id}, text + v.label, ""}
	}
	for _, t := range s.tokens {
		if t.Value == value {
			v.replaceToken(t)
			h.note(s, v, "gets %s again", t.name)
			return t, nil
		}
	}
	t := &Token{
		Session: s, Value: value, name: fmt.Sprintf("k%d", len(s.tokens)+1), subject: v.subject,
		created: v.startTick, createdBy: v, deadSince: forever, twin: v.joined,
	}
	s.tokens = append(s.tokens, t)
	v.replaceToken(t)
	h.note(s, v, "gets %s of %q", t.name, t.subject)
	return t, nil
}

// replaceToken records that the visit got a token in place of its own.
func (v *Visit) replaceToken(next *Token) {
	old := v.token
	if old == nil || old == next || old.subject != next.subject || old.Session != next.Session {
		return
	}
	if older, _ := old.descendsFrom(next); older || slices.ContainsFunc(next.parents,
		func(p parent) bool { return p.token == old }) {
		return
	}
	next.parents = append(next.parents, parent{old, v.again})
	next.twin = next.twin || old.twin
}

// Trace returns what happened to the session.
func (h *History) Trace(s *Session) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.violated("").Error()
}

func sorted(values map[string]int64) []string {
	out := make([]string, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("%s=%d", key, values[key]))
	}
	return out
}
