package model

import (
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
}

// Visit begins a request. The token is nil if the request has no cookie.
func (h *History) Visit(token *Token, label string) *Visit {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Visit{history: h, token: token, label: label, startTick: h.now(), began: time.Now()}
	if token != nil {
		v.subject, v.session = token.subject, token.Session
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

// SawNothing records that the request found no session, and checks that this is possible.
func (v *Visit) SawNothing() error {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.token == nil {
		return nil
	}
	h.note(v.session, v, "sees no session")
	err := h.checkDead(v.token, nil, "sees no session")
	v.session, v.token, v.subject = nil, nil, "" // its writes start a new session
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
	return s.check(view, v.startTick, at)
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
		start: h.now(), end: forever, notAfter: forever, knownSince: forever,
	}
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

// Start records that the visit has no session, or has destroyed it. Its next transaction
// creates one.
func (v *Visit) Start() {
	v.history.mu.Lock()
	defer v.history.mu.Unlock()
	v.session, v.token, v.subject = nil, nil, ""
}

// Settle records the outcome of a commit. If the transaction creates the session, id is the id
// of the new session.
func (v *Visit) Settle(t *Tx, outcome Outcome, id string) error {
	h := v.history
	h.mu.Lock()
	defer h.mu.Unlock()
	t.end, t.outcome = h.now(), outcome
	s := t.session
	switch {
	case s == nil:
		return v.recordCreated(t, id)
	case outcome == Acked:
		h.note(s, v, "is told that %d is done", t.ID)
		return v.recordAcked(t)
	case outcome == Gone:
		h.note(s, v, "is told that the session ended before %d", t.ID)
		t.notAfter = t.end
		if t.token == nil {
			return s.violated("the request that has just created it is told that it ended")
		}
		what := fmt.Sprintf("is told that the session ended before tx %d", t.ID)
		return h.checkDead(t.token, t, what)
	}
	h.note(s, v, "does not know about %d", t.ID)
	return nil
}

// recordAcked records that a transaction has been applied. Earlier ones with an unknown
// outcome have been applied by then or never will be, except deletes, which are not
// conditional.
func (v *Visit) recordAcked(t *Tx) error {
	s := t.session
	t.notAfter, t.knownSince = t.end, t.end
	if t.has(Destroy) {
		t.definite = t.token == nil || !v.history.mayBeRenewedAway(t.token)
		return nil
	}
	s.lastSaved = v.began
	for _, u := range s.txs {
		if u.end < t.start && !u.has(Destroy) {
			u.notAfter = min(u.notAfter, t.end)
		}
	}
	v.subject = t.subject(v.subject)
	if t.token != nil && v.history.mustBeDead(t.token, v.startTick, v.began) {
		const text = "a request with %s, which was dead before it came, changes the session by %v"
		return s.violated(text, t.token.name, t)
	}
	return nil
}

// recordCreated records the outcome of a transaction that creates its session.
func (v *Visit) recordCreated(t *Tx, id string) error {
	h := v.history
	if t.outcome != Acked {
		h.orphans++
		return nil
	}
	t.notAfter, t.knownSince = t.end, t.end
	s := &Session{
		ID: id, byID: map[int64]*Tx{}, logs: map[int64][]int64{},
		superseded: map[int64]int64{}, heads: map[int64]int64{},
		counters: map[int64]counterSample{}, lastSaved: v.began,
	}
	s.add(t)
	t.session = s
	v.session, v.subject = s, t.subject("")
	for _, other := range h.sessions {
		if other.ID == id {
			return other.violated("another session was created with its id")
		}
	}
	h.sessions = append(h.sessions, s)
	h.note(s, v, "creates it by %v", t)
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
		created: v.startTick, createdBy: v, deadSince: forever,
	}
	s.tokens = append(s.tokens, t)
	v.replaceToken(t)
	h.note(s, v, "gets %s of %q", t.name, t.subject)
	return t, nil
}

// replaceToken records that the visit's token has been replaced, so that its grace begins.
func (v *Visit) replaceToken(next *Token) {
	old := v.token
	if old == nil || old == next {
		return
	}
	if old.subject == next.subject && old.replacedAt.IsZero() {
		old.replacedAt = time.Now()
	}
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
