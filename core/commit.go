package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Commit saves what has changed and returns what belongs into the head of the response. Adapters call it when the
// handler wants the session saved early; the response has not begun, and more may be committed later.
//
// [ErrGone] says that the session was ended elsewhere and nothing was saved. Any other error means that the response must
// be an error: see [StatusCode]. A client that has gone away does not stop a save.
func (s *Session) Commit(ctx context.Context) (Reply, error) {
	err := s.Save(ctx)
	if err != nil {
		return Reply{}, err
	}
	return s.reply(), nil
}

// Finish is Commit at the last moment before the first byte of the response, and takes notice that no cookie can be sent
// after it. A session that was ended elsewhere is no error here: the response goes out, without a cookie. Called again, it
// saves what was changed since, and the Reply is empty.
func (s *Session) Finish(ctx context.Context) (Reply, error) {
	s.commitMu.Lock() // so that no other goroutine's save comes between the reply and the seal
	defer s.commitMu.Unlock()
	err := s.flushLocked(ctx)
	reply := s.reply()
	if s.seal() && err != nil && !errors.Is(err, ErrLate) && !errors.Is(err, ErrStore) {
		// The client has its answer, so only the operator is left to tell. Late and failed saves are reported where
		// they occur.
		s.manager.report(ctx, slog.LevelError, Event{Kind: EventLost, SessionID: s.ID(), Err: err})
	}
	if err != nil {
		return Reply{}, err
	}
	return reply, nil
}

// Seal takes notice that the head of the response is out of reach, so that a change which needs a cookie is [ErrLate]
// from now on. Adapters call it before they hand over a connection whose response they do not write.
func (s *Session) Seal() { s.seal() }

// seal reports whether the session was sealed before.
func (s *Session) seal() (before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.sealed = s.sealed, true
	return before
}

// Save saves what has changed now, for handlers that outlive their response, as streams and websockets do. Elsewhere
// the middleware does it. A cookie that becomes due is sent with the response, if that has not begun. Errors are those
// of Commit.
func (s *Session) Save(ctx context.Context) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		s.lost = false
		return ErrGone
	}
	return nil
}

// reply hands over the cookie that is due, once.
func (s *Session) reply() Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return Reply{}
	}
	r := Reply{Cookie: s.manager.name, handed: s.handed, Private: s.used || s.cookie != cookieKeep}
	switch s.cookie {
	case cookieSet:
		r.SetCookie = s.setCookie()
	case cookieRemove:
		if s.doomed.key != "" {
			return r // not deleted yet, so the cookie stays
		}
		r.SetCookie = s.manager.cookie.remove()
	case cookieKeep:
	}
	s.cookie, s.handed = cookieKeep, s.handed || r.SetCookie != ""
	return r
}

func (s *Session) setCookie() string {
	end := s.manager.end(&s.base.head, s.base.head.seen)
	left := time.Duration(end-time.Now().UnixMilli()) * time.Millisecond
	return s.manager.cookie.set(s.ticket.token(), max(left, 0), end == 0)
}

// flush brings the store up to date with the session.
func (s *Session) flush(ctx context.Context) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	return s.flushLocked(ctx)
}

// flushLocked is flush with s.commitMu held. A Destroy that comes while a save is under way is carried out behind it.
func (s *Session) flushLocked(ctx context.Context) error {
	err := s.flushOnce(ctx)
	for err == nil && s.isDoomed() {
		err = s.flushOnce(ctx)
	}
	return err
}

func (s *Session) isDoomed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doomed.key != ""
}

func (s *Session) flushOnce(ctx context.Context) error {
	w, err := s.begin()
	if w == nil {
		return err
	}
	if !s.manager.instant {
		// The values of the request stay, its cancellation does not: a browser that hangs up must not lose the write.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.manager.timeout)
		defer cancel()
	}
	if eraseErr := s.erase(ctx, w.doomed); eraseErr != nil {
		s.giveBack(w)
		return eraseErr
	}
	if err != nil {
		return err
	}
	return s.carryOut(ctx, w)
}

// work is one commit under way.
type work struct {
	admitted // the base, and the ticket that opens it
	kind     workKind
	began    string // the session's key when the commit began
	doomed   grave  // a session to delete first
	delta    delta
	now      time.Time
	sealed   bool // no cookie can be sent any more
	stale    bool // the updates were worked out over a base that has changed since
	merged   bool // another request's changes were merged with these
	login    bool // a subject signed in
	renewal  bool // the secret was changed
	cookie   bool // a cookie is due when the save succeeds
}

type workKind uint8

const (
	workNone workKind = iota
	workCreate
	workReplace
	workTouch
)

// begin takes the pending changes for a commit. Without work there is nothing to do; an error beside it stops the save, but
// not the deletion of a destroyed session.
func (s *Session) begin() (*work, error) {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	kind := s.due(now)
	if s.err != nil {
		kind = workNone
	}
	if kind == workNone && s.doomed.key == "" {
		return nil, s.err
	}
	w := &work{
		kind: kind, began: s.key, doomed: s.doomed, now: now, sealed: s.sealed,
		admitted: admitted{snap: s.base, ticket: s.ticket},
	}
	if kind == workNone || kind == workTouch {
		return w, s.err
	}
	err := s.take(w)
	if err != nil {
		w.kind = workNone
	}
	return w, err
}

// take moves the pending changes into w, unless they need a cookie that can no longer be sent.
func (s *Session) take(w *work) error {
	if s.sealed && (w.kind == workCreate || s.pending.secret != secretKeep || s.pending.expiry != nil) {
		s.pending = delta{}
		s.late = true
		return ErrLate
	}
	if s.key == "" {
		if err := s.mint(); err != nil {
			return err
		}
	}
	w.began, w.ticket, w.snap.rec.Key = s.key, s.ticket, s.key
	w.delta, s.saving, s.pending = s.pending, s.pending, delta{}
	w.stale, s.stale = s.stale, false
	return nil
}

// due says what the next commit has to do.
func (s *Session) due(now time.Time) workKind {
	switch {
	case s.state == stateNew && s.pending.creates():
		return workCreate
	case s.state != stateLive:
		return workNone
	case !s.pending.empty():
		return workReplace
	case !s.sealed && s.manager.touchDue(&s.base.head, now.UnixMilli()):
		return workTouch
	}
	return workNone
}

// erase deletes the record of the session that Destroy ended.
func (s *Session) erase(ctx context.Context, doomed grave) error {
	if doomed.key == "" {
		return nil
	}
	e := Event{Kind: EventDestroyed, SessionID: s.manager.idOf(doomed.key), Subject: doomed.subject}
	err := s.manager.bury(ctx, &doomed)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errOtherSecret):
		// Somebody has signed in with this session since, and the browser may hold the cookie of that.
		s.cookie, e.Kind, e.Err = cookieKeep, EventGone, ErrGone
	case err != nil:
		return err
	}
	s.doomed = grave{}
	s.manager.emit(e)
	return nil
}

// bury deletes the record of a session that was destroyed, if the secret of the request that destroyed it still opens it:
// who only knows a dead secret cannot sign anybody out.
func (m *Manager) bury(ctx context.Context, g *grave) error {
	rec, err := m.store.Load(ctx, g.key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return m.outage(ctx, "delete", g.key, err)
	}
	rec.Key = g.key
	if snap, err := decodeRecord(rec); err == nil && !(&admitted{snap: snap, ticket: g.ticket}).unlock(time.Now()) {
		return errOtherSecret
	}
	if err := m.store.Delete(ctx, g.key); err != nil {
		return m.outage(ctx, "delete", g.key, err)
	}
	return nil
}

// carryOut does the work and settles the session with its outcome.
func (s *Session) carryOut(ctx context.Context, w *work) error {
	var err error
	if w.stale {
		if w.delta, err = w.delta.rebased(&w.snap); err != nil {
			s.giveBack(w)
			return err
		}
	}
	switch w.kind {
	case workCreate:
		err = s.manager.create(ctx, w)
	case workReplace:
		err = s.manager.replace(ctx, w)
	case workTouch:
		err = s.manager.touch(ctx, w)
	case workNone:
		return nil
	}
	switch {
	case err == nil:
		s.install(w)
	case errors.Is(err, ErrNotFound):
		s.giveUp(w)
		return nil
	case w.kind == workTouch:
		// What the handler read is good; the next request extends the session's life.
		return nil
	default:
		s.giveBack(w)
	}
	return err
}

// install makes what was saved the session's new base.
func (s *Session) install(w *work) {
	s.mu.Lock()
	if s.key != w.began {
		// Destroy came while the save was under way, so what was saved is to go again.
		s.doomed = grave{key: w.snap.rec.Key, subject: string(w.snap.head.subject), ticket: w.ticket}
		s.mu.Unlock()
		return
	}
	s.state, s.base, s.ticket, s.key = stateLive, w.snap, w.ticket, w.snap.rec.Key
	s.saving = delta{}
	// What other goroutines changed meanwhile was worked out over the base before the merge.
	s.stale = (w.merged || w.stale) && !s.pending.empty()
	if w.cookie {
		s.cookie = cookieSet
	}
	s.mu.Unlock()
	s.manager.announce(w)
}

// announce tells the hook what a commit did.
func (m *Manager) announce(w *work) {
	if m.events == nil {
		return
	}
	e := Event{SessionID: m.idOf(w.snap.rec.Key), Subject: string(w.snap.head.subject)}
	tell := func(kind EventKind, when bool) {
		if e.Kind = kind; when {
			m.emit(e)
		}
	}
	tell(EventCreated, w.kind == workCreate)
	tell(EventMerged, w.merged && w.kind == workReplace)
	tell(EventCommitted, w.kind == workReplace)
	tell(EventTouched, w.kind == workTouch)
	tell(EventLogin, w.login)
	tell(EventRenewed, w.renewal && !w.login)
}

// giveUp settles a session that was ended elsewhere: what it changed is dropped and nothing is sent.
func (s *Session) giveUp(w *work) {
	s.mu.Lock()
	if s.key == w.began {
		s.state, s.saving, s.pending, s.cookie = stateGone, delta{}, delta{}, cookieKeep
		s.lost = w.kind != workTouch
	}
	e := Event{Kind: EventGone, SessionID: s.manager.idOf(w.began), Subject: string(w.snap.head.subject), Err: ErrGone}
	s.mu.Unlock()
	s.manager.emit(e)
}

// giveBack makes the changes of a failed commit pending again.
func (s *Session) giveBack(w *work) {
	if w.kind != workCreate && w.kind != workReplace {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saving.follow(s.pending)
	s.pending, s.saving = s.saving, delta{}
	s.stale = s.stale || w.stale
}

// saveError tells apart what the caller can do about a failed save.
func (m *Manager) saveError(ctx context.Context, k string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		return err
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("sessions: save: %w", err)
	}
	return m.outage(ctx, "save", k, err)
}
