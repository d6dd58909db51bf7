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

// create stores a new session. An id that is taken is replaced by a new one: an existing session is never joined.
func (m *Manager) create(ctx context.Context, w *work) error {
	for range createAttempts {
		if err := m.compose(w); err != nil {
			return err
		}
		rec, err := m.store.Save(ctx, w.snap.rec)
		if err == nil {
			w.snap.rec.Version = rec.Version
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return m.createError(ctx, w, err)
		}
		if w.ticket, err = m.newTicket(); err != nil {
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
	current, err := m.attempt(ctx, w)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	waited, err := m.queue(ctx, w)
	if err != nil {
		return m.outage(ctx, "save", w.snap.rec.Key, err)
	}
	defer m.leave(w)
	if waited {
		current = Record{} // it is old by now
	}
	for n := range saveAttempts - 1 {
		if done, err := m.merge(ctx, w, current); done || err != nil {
			return err
		}
		if current, err = m.attempt(ctx, w); !errors.Is(err, ErrConflict) {
			return err
		}
		m.backOff(ctx, n)
	}
	return m.outage(ctx, "save", w.snap.rec.Key, ErrConflict)
}

// attempt saves the work over its base. After a conflict the work is as it was, and the record that is stored now is
// returned if the store gave it.
func (m *Manager) attempt(ctx context.Context, w *work) (current Record, err error) {
	base := *w
	if err := m.compose(w); err != nil {
		return Record{}, err
	}
	rec, err := m.store.Save(ctx, w.snap.rec)
	switch {
	case err == nil:
		w.snap.rec.Version = rec.Version
		return rec, nil
	case errors.Is(err, ErrConflict):
		*w = base
		return rec, ErrConflict
	}
	return Record{}, m.saveError(ctx, w.snap.rec.Key, err)
}

// queue waits for the lane that requests of one session share once they have met a conflict. One after the other they
// need one attempt each, where racing each other they would need many. It reports whether there was a wait.
func (m *Manager) queue(ctx context.Context, w *work) (waited bool, err error) {
	lane := m.lane(w)
	select {
	case lane <- struct{}{}:
		return false, nil
	default:
	}
	if m.instant {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case lane <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func (m *Manager) leave(w *work) { <-m.lane(w) }

func (m *Manager) lane(w *work) chan struct{} { return m.lanes[int(w.ticket.id[15])%len(m.lanes)] }

// merge moves the work onto the record that is stored now. It reports true when nothing is left to do.
func (m *Manager) merge(ctx context.Context, w *work, rec Record) (done bool, err error) {
	k := w.snap.rec.Key
	if rec.Version == 0 {
		if rec, err = m.store.Load(ctx, k); err != nil {
			return false, m.loadError(ctx, k, err)
		}
	}
	rec.Key = k
	a, err := m.admit(ctx, rec, &w.ticket)
	if err != nil {
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
	if w.delta.empty() && !m.touchDue(&a.snap.head, w.now.UnixMilli()) {
		// The other request did what this one was about to do.
		w.kind = workNone
		return true, nil
	}
	return false, nil
}

// backOff waits a random while before the next attempt, longer each time, so that contenders in other processes get out
// of step.
func (m *Manager) backOff(ctx context.Context, attempt int) {
	if m.instant || attempt < 2 {
		runtime.Gosched()
		return
	}
	timer := time.NewTimer(m.jitter(100 * time.Microsecond << min(attempt, 7)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
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
	h := &w.snap.head
	end := m.end(h, w.now.UnixMilli())
	// A touch moves the expiry only, so it can stand for the use only where expiry and use tell each other.
	// Nor does it clean up: once the grace of a renewal is over, the sealed secret has to leave the record.
	if m.toucher == nil || end == 0 || h.idle != m.policy(h) || end <= w.snap.rec.Expires.UnixMilli() || h.grace != 0 {
		return m.replace(ctx, w)
	}
	rec := w.snap.rec
	rec.Expires = instantOf(end)
	err := m.toucher.Touch(ctx, rec)
	switch {
	case err == nil:
		w.snap.rec.Expires = rec.Expires
		h.seen, h.issued = w.now.UnixMilli(), w.now.UnixMilli()
		w.cookie = m.cookie.persistent
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
	h := w.snap.head
	isNew := !w.snap.stored()
	if isNew {
		h = head{created: now, name: []byte(m.name)}
	}
	m.applyExpiry(&h, &w.delta)
	if isNew || !w.sealed && (w.delta.expiry != nil || m.touchDue(&h, now)) {
		h.issued = now
		w.cookie = w.cookie || isNew || m.cookie.persistent
	}
	h.seen = max(h.seen, now)
	if err := m.applySecret(&h, w, isNew); err != nil {
		return err
	}
	rec := w.snap.rec
	if w.delta.subject != "" {
		rec.Subject = m.subjectKey(w.delta.subject)
	}
	rec.Expires = instantOf(m.end(&h, h.seen))
	var room [16]entry
	w.snap = encodeRecord(rec, &h, w.delta.entries(room[:0], &w.snap))
	if size := len(w.snap.rec.Data); size > m.maxSize {
		return tooLarge("session", size, m.maxSize)
	}
	return nil
}

// applyExpiry sets the idle timeout, the session's own or the policy's of today.
func (m *Manager) applyExpiry(h *head, d *delta) {
	if d.expiry != nil {
		h.own = *d.expiry != expiryPolicy
		h.idle = max(*d.expiry, 0)
	}
	h.idle = m.policy(h)
}

// applySecret changes the secret and the subject where the delta asks for it.
func (m *Manager) applySecret(h *head, w *work, isNew bool) error {
	now := w.now.UnixMilli()
	if h.grace != 0 && now >= h.grace {
		h.grace = 0
	}
	if w.delta.secret == secretLogin {
		h.subject, h.auth, h.grace = []byte(w.delta.subject), now, 0
		w.login = true
	}
	if isNew {
		h.digest = w.ticket.secret.digest()
		return nil
	}
	if w.delta.secret == secretKeep {
		return nil
	}
	next, err := newSecret(m.random)
	if err != nil {
		return err
	}
	old := w.ticket.secret
	oldDigest := h.digest
	h.digest = next.digest()
	if w.delta.secret == secretRenew {
		h.previous, h.seal = oldDigest, seal(old, next, h.digest)
		h.grace = now + m.grace.Milliseconds()
	}
	w.ticket.secret = next
	w.renewal, w.cookie = true, true
	return nil
}
