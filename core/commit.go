package core

import (
	"context"
	"errors"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	var r Reply
	s.reply(&r)
	return r, nil
}

// Finish is Commit at the last moment before the first byte of the response, and records that no cookie can be sent
// after it. A session that was ended elsewhere is no error here: the response goes out, without a cookie. Called again, it
// saves what was changed since, and the Reply is empty.
func (s *Session) Finish(ctx context.Context) (reply Reply, err error) {
	err = s.finish(ctx, nil, &reply)
	return reply, err
}

// finish is Finish for the scope, which knows the client. It makes r, which is empty, the reply.
func (s *Session) finish(ctx context.Context, client Client, r *Reply) error {
	if s.finishIdle(ctx, r) {
		return nil
	}
	return s.finishWork(ctx, client, r)
}

func (s *Session) finishWork(ctx context.Context, client Client, r *Reply) error {
	s.identify(client)
	s.commitMu.Lock() // so that no other goroutine's save comes between the reply and the seal
	defer s.commitMu.Unlock()
	err := s.flushOnce(ctx)
	s.mu.Lock()
	for err == nil && s.doomed != nil { // by a Destroy that came meanwhile
		s.mu.Unlock()
		err = s.flushOnce(ctx)
		s.mu.Lock()
	}
	before := s.sealed
	if err == nil {
		s.reply(r)
	}
	s.sealed = true
	s.mu.Unlock()
	if before && err != nil && !errors.Is(err, ErrLate) && !errors.Is(err, ErrStore) {
		// The client has its answer, so only the operator is left to tell. Late and failed saves are reported where
		// they occur.
		s.manager.report(ctx, slog.LevelError, Event{Kind: EventLost, SessionID: s.ID(), Err: err})
	}
	return err
}

// finishIdle finishes a session with which there is nothing to do, as most requests leave it, in one go.
func (s *Session) finishIdle(ctx context.Context, r *Reply) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle, err := s.idle(ctx, true); !idle || err != nil || s.busy.Load() {
		return false // what is under way may need the cookie sent
	}
	s.reply(r)
	s.sealed = true
	return true
}

// settled reports whether nothing is left to be saved, and nothing is on its way.
func (s *Session) settled() bool {
	// As after most requests, for which the lock would be dear. In this order: what a load that ends meanwhile lets somebody
	// change is seen.
	if !s.busy.Load() && !s.dirty.Load() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending.empty() && s.doomed == nil && s.err == nil && !s.busy.Load()
}

// Seal records that the head of the response is out of reach, so that a change which needs a cookie is [ErrLate]
// from now on. Adapters call it before they hand over a connection whose response they do not write.
func (s *Session) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
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

// reply hands over the cookie that is due, once, in r, which is empty. It expects s.mu to be held.
func (s *Session) reply(r *Reply) {
	if s.sealed {
		return
	}
	r.Cookie, r.handed, r.Private = s.manager.name, s.handed, s.used || s.cookie != cookieKeep
	switch s.cookie {
	case cookieSet:
		r.SetCookie = s.setCookie()
	case cookieRemove:
		if s.doomed != nil {
			return // not deleted yet, so the cookie stays
		}
		r.SetCookie = s.manager.cookie.remove()
	case cookieKeep:
	}
	s.cookie, s.handed = cookieKeep, s.handed || r.SetCookie != ""
}

func (s *Session) setCookie() string {
	m, l := s.manager, &s.snap.life
	if !m.persistent(l) {
		return m.cookie.setOnly(&s.ticket)
	}
	left := maxCookieLife
	if end := m.end(l, l.seen); end != 0 {
		// Bounded before it is multiplied: seen by another machine's clock, the longest timeout reaches beyond a Duration.
		left = time.Duration(min(end-time.Now().UnixMilli(), maxCookieLife.Milliseconds())) * time.Millisecond
	}
	return m.cookie.set(&s.ticket, max(left, 0))
}

// flush brings the store up to date with the session. A Destroy that comes while a save is under way is carried out
// behind it.
func (s *Session) flush(ctx context.Context) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	err := s.flushOnce(ctx)
	for err == nil && s.isDoomed() {
		err = s.flushOnce(ctx)
	}
	return err
}

func (s *Session) flushOnce(ctx context.Context) error {
	s.mu.Lock()
	idle, err := s.idle(ctx, false)
	s.mu.Unlock()
	if idle {
		return err
	}
	return s.flushWork(ctx)
}

func (s *Session) flushWork(ctx context.Context) error {
	var w work
	defer s.busy.Store(false)
	err := s.begin(&w)
	ctx, cancel := s.manager.outlive(ctx) // a browser that hangs up must not lose the write
	defer cancel()
	if eraseErr := s.erase(ctx, w.doomed); eraseErr != nil {
		s.giveBack(&w, eraseErr)
		return eraseErr
	}
	if err != nil {
		return err
	}
	return s.carryOut(ctx, &w)
}
