package model

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// View is a session as a request finds it. Values lack the log.
type View struct {
	ID, Subject string
	Values      map[string]int64
	Log         []int64
}

// Visit is one request.
type Visit struct {
	world *World
	token *Token // nil: it came without a cookie
	label string
	start int64
	began time.Time
	epoch string // whom the visit's session is signed in as, as far as the visit knows
	home  *Session
}

// Visit begins a request with a token, or with none.
func (w *World) Visit(token *Token, label string) *Visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := &Visit{world: w, token: token, label: label, start: w.now(), began: time.Now()}
	if token != nil {
		v.epoch, v.home = token.epoch, token.Session
		w.note(v.home, v, "comes with %s of %q", token.name, token.epoch)
	}
	return v
}

// Note adds a line to the story of the visit's session.
func (v *Visit) Note(format string, args ...any) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	if v.home != nil {
		v.world.note(v.home, v, format, args...)
	}
}

// SawNothing checks that the request may have found no session.
func (v *Visit) SawNothing() error {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.token == nil {
		return nil
	}
	w.note(v.home, v, "sees no session")
	err := w.shut(v.token, nil, "sees no session")
	v.home, v.token, v.epoch = nil, nil, "" // what it writes starts another one
	return err
}

// shut records that a token opens nothing, which has to be possible.
func (w *World) shut(t *Token, self *Tx, what string) error {
	if !w.mayBeShut(t, self) && !w.mustBeShut(t, forever, time.Now()) {
		return t.Session.violated("a request with %s %s, but nothing has ended the session or that cookie", t.name, what)
	}
	t.dead = min(t.dead, w.now())
	return nil
}

// Saw checks what the request found.
func (v *Visit) Saw(view *View) error {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.home == nil {
		return &Violation{&Session{ID: view.ID}, "a request without a cookie has a session", ""}
	}
	s := v.home
	at := w.now()
	w.note(s, v, "sees %q %v log %v", view.Subject, sorted(view.Values), view.Log)
	switch {
	case view.ID != s.ID:
		return s.violated("its id has become %s", view.ID)
	case v.token != nil && w.mustBeShut(v.token, v.start, v.began):
		return s.violated("a request with %s, which was dead before it came, sees the session", v.token.name)
	case view.Subject != v.epoch:
		return s.violated("the cookie is of %q and opens the session of %q", v.epoch, view.Subject)
	}
	return s.check(view, v.start, at)
}

// Begin records that the request is about to commit these writes. It calls number with the transaction's number first, so
// that values can be made of it.
func (v *Visit) Begin(plan func(id int64) []Op) *Tx {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastTx++
	t := &Tx{
		ID: w.lastTx, Ops: plan(w.lastTx), visit: v, session: v.home, token: v.token, epoch: v.epoch,
		start: w.now(), end: forever, until: forever, known: forever,
	}
	t.Logged = !t.has(Destroy) && slices.ContainsFunc(t.Ops, func(op Op) bool { return !op.Quiet() })
	if v.home != nil {
		v.home.add(t)
		w.note(v.home, v, "begins %v", t)
	}
	return t
}

func (s *Session) add(t *Tx) {
	s.txs = append(s.txs, t)
	s.byID[t.ID] = t
	s.own = s.own || t.has(Expire)
}

// Start makes the visit's next transaction one that creates a session: it has none, or has destroyed it.
func (v *Visit) Start() {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	v.home, v.token, v.epoch = nil, nil, ""
}

// Settle records how a commit ended. id is the session's, where the transaction created it.
func (v *Visit) Settle(t *Tx, outcome Outcome, id string) error {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	t.end, t.outcome = w.now(), outcome
	s := t.session
	switch {
	case s == nil:
		return v.created(t, id)
	case outcome == Acked:
		w.note(s, v, "is told that %d is done", t.ID)
		return v.acked(t)
	case outcome == Gone:
		w.note(s, v, "is told that the session ended before %d", t.ID)
		t.until = t.end
		if t.token == nil {
			return s.violated("the request that has just created it is told that it ended")
		}
		return w.shut(t.token, t, fmt.Sprintf("is told that the session ended before tx %d", t.ID))
	}
	w.note(s, v, "does not know about %d", t.ID)
	return nil
}

// acked settles a success, and what went unanswered before it: that has been applied by now, or never will be. A delete
// has no version, so it may come at any time.
func (v *Visit) acked(t *Tx) error {
	s := t.session
	t.until, t.known = t.end, t.end
	if t.has(Destroy) {
		t.certain = t.token == nil || !v.world.renewedAway(t.token)
		return nil
	}
	s.lastSaved = v.began
	for _, u := range s.txs {
		if u.end < t.start && !u.has(Destroy) {
			u.until = min(u.until, t.end)
		}
	}
	v.epoch = t.subject(v.epoch)
	if t.token != nil && v.world.mustBeShut(t.token, v.start, v.began) {
		return s.violated("a request with %s, which was dead before it came, changes the session by %v", t.token.name, t)
	}
	return nil
}

// created settles a transaction that creates its session.
func (v *Visit) created(t *Tx, id string) error {
	w := v.world
	if t.outcome != Acked {
		w.orphans++
		return nil
	}
	t.until, t.known = t.end, t.end
	s := &Session{
		ID: id, byID: map[int64]*Tx{}, canon: map[int64][]int64{}, superseded: map[int64]int64{},
		heads: map[int64]int64{}, quiet: map[int64]count{}, lastSaved: v.began,
	}
	s.add(t)
	t.session = s
	v.home, v.epoch = s, t.subject("")
	for _, other := range w.sessions {
		if other.ID == id {
			return other.violated("another session was created with its id")
		}
	}
	w.sessions = append(w.sessions, s)
	w.note(s, v, "creates it by %v", t)
	return nil
}

// Cookie records that the response sets a cookie of the session with this id, and returns its token.
func (v *Visit) Cookie(value, id string) (*Token, error) {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s := v.home
	if s == nil || s.ID != id {
		return nil, &Violation{&Session{ID: id}, "a response sets a cookie of a session that is not the request's: " + v.label, ""}
	}
	for _, t := range s.tokens {
		if t.Value == value {
			v.exchange(t)
			w.note(s, v, "gets %s again", t.name)
			return t, nil
		}
	}
	t := &Token{
		Session: s, Value: value, name: fmt.Sprintf("k%d", len(s.tokens)+1), epoch: v.epoch,
		born: v.start, maker: v, dead: forever,
	}
	s.tokens = append(s.tokens, t)
	v.exchange(t)
	w.note(s, v, "gets %s of %q", t.name, t.epoch)
	return t, nil
}

// exchange notes that the visit came with a secret that has a successor, so that its grace has begun.
func (v *Visit) exchange(next *Token) {
	if old := v.token; old != nil && old != next && old.epoch == next.epoch && old.exchanged.IsZero() {
		old.exchanged = time.Now()
	}
}

// Story returns what happened to the session.
func (w *World) Story(s *Session) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.violated("").Error()
}

func sorted(values map[string]int64) []string {
	out := make([]string, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("%s=%d", key, values[key]))
	}
	return out
}
