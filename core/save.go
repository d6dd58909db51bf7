package core

import (
	"context"
	"errors"
	"runtime"
	"time"
)

const (
	// createAttempts bounds how often an id that is taken is replaced. Once is already beyond all likelihood.
	createAttempts = 3
	// saveAttempts bounds how often a save is tried again after other requests were faster.
	saveAttempts = 64
)

// put stores what the work creates or replaces.
func (m *Manager) put(ctx context.Context, w *work) error {
	if w.kind == workCreate {
		return m.create(ctx, w)
	}
	return m.replace(ctx, w)
}

// create stores a new session. An id that is taken is replaced by a new one: an existing session is never joined.
func (m *Manager) create(ctx context.Context, w *work) error {
	for range createAttempts {
		w.keep()
		if err := m.compose(w); err != nil {
			return err
		}
		rec, err := m.save(ctx, &w.snap.rec)
		if err == nil {
			w.snap.rec.Version = rec.Version
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return m.confirm(ctx, w, m.createError(ctx, w, err))
		}
		if w.ticket, err = m.newTicket(w.now); err != nil {
			return err
		}
		w.snap = snapshot{rec: Record{Key: key(m.prefix, w.ticket.id)}}
	}
	return m.outage(ctx, "create", w.snap.rec.Key, ErrConflict)
}

// createError makes sure that a store which answers nonsense to a create does not look like a session that has ended.
func (m *Manager) createError(ctx context.Context, w *work, err error) error {
	if errors.Is(err, ErrNotFound) {
		return m.outage(ctx, "create", w.snap.rec.Key, errNotCreated)
	}
	return m.saveError(ctx, w.snap.rec.Key, err)
}

var errNotCreated = errors.New("sessions: store did not create the record")

// replace saves changes to a stored session. After a conflict it merges them into what the other request stored.
func (m *Manager) replace(ctx context.Context, w *work) error {
	var current Record
	lane := m.lanes[int(w.ticket.id[15])%len(m.lanes)]
	busy := lane.busy() // then to try is likely in vain, and would make those who stand there lose again
	if !busy {
		var err error
		if current, err = m.attempt(ctx, w); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	waited, err := m.enter(ctx, lane)
	if err != nil {
		return m.outage(ctx, "save", w.snap.rec.Key, err)
	}
	defer lane.leave()
	if waited || busy {
		current = Record{} // it is old by now
	}
	for n := range saveAttempts - 1 {
		if done, err := m.merge(ctx, w, current); done || err != nil {
			return err
		}
		if current, err = m.attempt(ctx, w); !errors.Is(err, ErrConflict) {
			return err
		}
		if m.backOff(ctx, n) {
			current = Record{} // it is old by now
		}
	}
	return m.outage(ctx, "save", w.snap.rec.Key, ErrConflict)
}

// attempt saves the work over its base. After a conflict the work is as it was, and the record that is stored now is
// returned if the store gave it.
func (m *Manager) attempt(ctx context.Context, w *work) (current Record, err error) {
	base := *w
	w.keep()
	if err := m.compose(w); err != nil {
		return Record{}, err
	}
	rec, err := m.save(ctx, &w.snap.rec)
	switch {
	case err == nil:
		w.snap.rec.Version = rec.Version
		return rec, nil
	case errors.Is(err, ErrConflict):
		*w = base
		return rec, ErrConflict
	}
	return Record{}, m.confirm(ctx, w, m.saveError(ctx, w.snap.rec.Key, err))
}

// confirm asks once whether a login that failed was stored after all, and is nil if it was: else its place and its data would
// belong to a secret that nobody holds. Without an answer the failure stays.
func (m *Manager) confirm(ctx context.Context, w *work, err error) error {
	if !w.login || !errors.Is(err, ErrStore) {
		return err
	}
	ctx, cancel := m.outlive(ctx)
	defer cancel()
	rec, loadErr := m.load(ctx, w.snap.rec.Key)
	if loadErr != nil {
		return err
	}
	snap := snapshot{rec: rec}
	if damaged := snap.decode(); damaged != nil || snap.digest() != w.snap.digest() {
		return err
	}
	w.snap.rec.Version = rec.Version
	return nil
}

// merge moves the work onto the record that is stored now. It reports true when nothing is left to do.
func (m *Manager) merge(ctx context.Context, w *work, rec Record) (done bool, err error) {
	k := w.snap.rec.Key
	if rec.Version == 0 {
		if rec, err = m.load(ctx, k); err != nil {
			return false, m.loadError(ctx, k, err)
		}
	}
	if rec.Version == w.snap.rec.Version {
		return false, nil // nobody has been faster
	}
	rec.Key = k
	var a admitted
	if err = m.admit(ctx, &a, &rec, &w.ticket); err != nil {
		if errors.Is(err, errReused) {
			// The secret was good when this slow request began, so nobody else need have it.
			err = m.turnAway(ctx, &a.snap, EventRefused, errReused)
		}
		return false, err
	}
	if w.delta, err = w.delta.rebased(&a.snap); err != nil {
		return false, err
	}
	if a.renewed {
		// Another request renewed the session first: this one follows it instead of renewing again.
		w.cookie = true
		if w.delta.secret == secretRenew {
			w.delta.secret = secretKeep
		}
	}
	w.admitted, w.merged = a, true
	if w.delta.empty() && !m.touchDue(&a.snap.life, w.now.UnixMilli()) {
		// The other request did what this one was about to do.
		w.kind = workNone
		return true, nil
	}
	return false, nil
}

// backOff waits a random while before the next attempt, so that contenders in other processes get out of step; shorter the
// more attempts there were, so that who has lost often goes before who has just come. It reports whether there was a wait.
func (m *Manager) backOff(ctx context.Context, attempt int) (waited bool) {
	if m.instant || attempt < 2 {
		runtime.Gosched()
		return false
	}
	sleep(ctx, m.jitter(2*time.Millisecond>>min(attempt/4, 6)))
	return true
}

// jitter returns a random duration below limit.
func (m *Manager) jitter(limit time.Duration) time.Duration {
	var b [2]byte
	if _, err := m.random.Read(b[:]); err != nil {
		return limit
	}
	return limit * time.Duration(int(b[0])<<8|int(b[1])) >> 16
}

// touch extends the life of a session in which nothing has changed, and sends its cookie again.
func (m *Manager) touch(ctx context.Context, w *work) error {
	l := &w.snap.life
	end := m.end(l, w.now.UnixMilli())
	// A touch moves the expiry only, so it can stand for the use only where expiry and use tell each other.
	// Nor does it clean up, once the grace of a renewal is over and the sealed secret has to leave the record, nor does it
	// note where the session is used from now.
	if m.toucher == nil || end == 0 || l.idle != m.policy(l) || end <= w.snap.rec.Expires.UnixMilli() ||
		w.snap.holder().lineage.count() != 0 || m.moved(w) {
		return m.replace(ctx, w)
	}
	rec := w.snap.rec
	rec.Expires = instantOf(end)
	err := m.extend(ctx, rec)
	switch {
	case err == nil:
		w.snap.rec.Expires = rec.Expires
		l.seen, l.issued = w.now.UnixMilli(), w.now.UnixMilli()
		w.cookie = m.persistent(l)
		return nil
	case errors.Is(err, ErrConflict):
		done, err := m.merge(ctx, w, Record{})
		if done || err != nil {
			return err
		}
		return m.replace(ctx, w)
	case errors.Is(err, errors.ErrUnsupported):
		return m.replace(ctx, w)
	}
	return m.saveError(ctx, w.snap.rec.Key, err)
}

// compose turns base and delta into the record to save.
func (m *Manager) compose(w *work) error {
	now := w.now.UnixMilli()
	h := w.snap.head()
	isNew := !w.snap.stored()
	if isNew {
		h = head{life: life{created: now}, holder: holder{name: m.nameBytes}}
	}
	m.applyPolicy(&h, w.delta)
	if isNew || !w.sealed && (w.delta.policy() || m.touchDue(&h.life, now)) {
		h.issued = now
		w.cookie = w.cookie || isNew || w.delta.policy() || m.persistent(&h.life)
	}
	h.seen = max(h.seen, now)
	if err := m.applySecret(&h, w, isNew); err != nil {
		return err
	}
	m.applyLogin(&h, w)
	rec := w.snap.rec
	if w.login {
		rec.Subject = m.subjectKey(w.delta.login.subject)
	}
	rec.Expires = instantOf(m.end(&h.life, h.seen))
	var room [16]entry
	w.snap = encodeRecord(&rec, &h, w.delta.entries(room[:0], &w.snap))
	// What the handler did not touch is not its fault: a session that fits may outgrow the bound by what a renewal adds.
	if size := len(w.snap.rec.Data); size > m.maxSize && (isNew || len(w.delta.keys) > 0) {
		return tooLarge("session", size, m.maxSize)
	}
	return nil
}

// applyPolicy sets the idle timeout, the session's own or the policy's of today, and the life of its cookie.
func (m *Manager) applyPolicy(h *head, d *delta) {
	if d.login != nil && len(h.subject) != 0 && d.login.subject != string(h.subject) {
		h.own, h.span = false, spanPolicy // chosen by somebody else
	}
	if d.expiry != nil {
		h.own = *d.expiry != expiryPolicy
		h.idle = max(*d.expiry, 0)
	}
	h.idle = m.policy(&h.life)
	if d.span != spanPolicy {
		h.span = d.span
	}
}

// applySecret changes the secret where the delta asks for it.
func (m *Manager) applySecret(h *head, w *work, isNew bool) (err error) {
	now := w.now.UnixMilli()
	h.lineage = h.lineage.pruned(now)
	old, next := w.ticket.secret, w.ticket.secret
	switch {
	case isNew:
		h.digest = next.digest()
		return nil
	case w.delta.secret == secretLogin:
		next, err = newSecret(m.random)
		h.lineage = nil
	case w.delta.secret == secretRenew:
		next, err = old.successor(m.random)
		h.lineage = h.lineage.extend(old, next, now, now+m.grace.Milliseconds())
	case w.delta.secret == secretKeep:
		return nil
	}
	if err != nil {
		return err
	}
	h.digest, w.ticket.secret = next.digest(), next
	w.renewal, w.cookie = true, true
	return nil
}

// applyLogin records who has signed in, how and from where, and where a signed-in session is used from.
func (m *Manager) applyLogin(h *head, w *work) {
	l := w.delta.login
	if l == nil && w.device == nil && !m.noDevice {
		return
	}
	auth, d := h.account.auth(), h.account.device()
	if l != nil {
		if !l.stepUp {
			d = device{}
		}
		auth = l.over(&auth)
		h.subject, h.auth, w.login = []byte(l.subject), l.at, true
	}
	switch {
	case len(h.subject) == 0 || m.noDevice:
		d = device{}
	case w.device != nil:
		d = *w.device
	}
	h.account = newAccount(&auth, d)
}

// moved reports whether the record is to say something else of where the session is used from.
func (m *Manager) moved(w *work) bool {
	if w.device == nil && !m.noDevice {
		return false
	}
	return *or(w.device, &device{}) != w.snap.holder().account.device()
}
