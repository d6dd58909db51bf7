package core

import (
	"errors"
	"fmt"
	"time"
)

// The methods below expect s.mu to be held, unless they say otherwise.

// use notes that the handler looked. A session that could not be loaded has nothing to show, so the response is to
// become an error.
func (s *Session) use() {
	s.used = true
	if s.state == stateAttached && s.err == nil {
		s.fail(or(s.loadErr, errNotLoaded))
	}
}

// fail makes the commit fail.
func (s *Session) fail(err error) {
	s.err = err
	s.dirty.Store(true)
}

var errNotLoaded = errors.New("sessions: session was used before it was loaded; use the middleware's Get or Load")

// key returns the store key of this session, "" until it has an id. It makes the key of one that was found without: most
// requests never ask for it.
func (s *Session) key() string {
	if s.state == stateLive && s.snap.rec.Key == "" {
		s.snap.rec.Key = key(s.manager.prefix, s.ticket.id)
	}
	return s.snap.rec.Key
}

func (s *Session) id() string {
	if s.key() == "" {
		return ""
	}
	return s.manager.idOf(s.key())
}

// mint draws the ticket of a new session.
func (s *Session) mint(now time.Time) error {
	if err := s.manager.drawTicket(&s.ticket, now); err != nil {
		return err
	}
	s.snap.rec.Key = key(s.manager.prefix, s.ticket.id)
	return nil
}

// change returns what the next commit is to change, to add to it.
func (s *Session) change() *delta {
	if s.pending == nil {
		s.pending = &delta{}
		s.dirty.Store(true)
	}
	return s.pending
}

func (s *Session) subject() string {
	if l := s.login(); l != nil {
		return l.subject
	}
	return s.snap.subject()
}

// end returns when the session ends unless it is used again, in milliseconds; 0: never. A new idle timeout counts from now.
func (s *Session) end() int64 {
	h := s.snap.head()
	for _, d := range [...]*delta{s.saving, s.pending} {
		if d.policy() {
			s.manager.applyPolicy(&h, d)
			h.seen = time.Now().UnixMilli()
		}
	}
	return s.manager.end(&h.life, h.seen)
}

// steady reports whether what is looked up can be relied on: no merge under way may still change it.
func (s *Session) steady(key string) bool {
	if s.err != nil || !s.saving.empty() || s.stale {
		return false
	}
	c := s.pending.find(key)
	return c == nil || c.update == nil
}

// lookup returns the encoded value under key as this request sees it, and the key in bytes of the session's own if it has
// some.
func (s *Session) lookup(key string) (name, value []byte, ok bool) {
	for _, d := range [...]*delta{s.pending, s.saving} {
		if c := d.find(key); c != nil {
			return c.key, c.value, c.present
		}
		if d.wipes() {
			return nil, nil, false
		}
	}
	return s.snap.find(key)
}

// kept returns the key in bytes that stay as they are: those that lookup found, or a copy, for the framework may own the
// caller's string.
func kept(name []byte, key string) []byte {
	if name != nil {
		return name
	}
	return []byte(key)
}

// writable reports why the session cannot be changed, if so. needsCookie says that the change needs a cookie sent.
func (s *Session) writable(needsCookie bool) error {
	switch {
	case s.err != nil:
		return s.err
	case s.state == stateGone:
		return ErrGone
	case s.sealed && (needsCookie || !s.snap.stored()):
		s.late = true
		return ErrLate
	}
	return nil
}

// unlock releases s.mu and then reports a change that came too late: no log and no hook runs under a lock.
func (s *Session) unlock() {
	if !s.late {
		s.mu.Unlock()
		return
	}
	s.late = false
	e := Event{Kind: EventLate, SessionID: s.id(), Subject: s.subject(), Err: ErrLate}
	s.mu.Unlock()
	s.manager.warn(e)
}

// read returns the encoded value under key. It takes s.mu.
func (s *Session) read(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	_, value, ok := s.lookup(key)
	return value, ok
}

// remove deletes the value under key if it is still old, and reports whether it was. It takes s.mu.
func (s *Session) remove(key string, old []byte) (bool, error) {
	s.mu.Lock()
	defer s.unlock()
	name, now, ok := s.lookup(key)
	if !sameBytes(now, ok, old, true) {
		return false, nil
	}
	if err := s.writable(false); err != nil {
		return false, err
	}
	s.change().put(change{key: kept(name, key)})
	return true, nil
}

// write records a new encoded value. It takes s.mu.
func (s *Session) write(key string, data []byte) error {
	if len(key)+len(data) > s.manager.maxSize {
		return tooLarge(key, len(key)+len(data), s.manager.maxSize)
	}
	s.mu.Lock()
	defer s.unlock()
	s.use()
	name, old, ok := s.lookup(key)
	if sameBytes(old, ok, data, true) && s.steady(key) {
		return nil
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().put(change{key: kept(name, key), value: data, present: true})
	return nil
}

// result is what an update made of the value it read.
type result struct {
	old     []byte
	present bool
	value   []byte
	err     error
}

// settle records the result of an update, and the update itself for the case that another request changes the value first.
// It reports false if the value is no longer the one the update read. It takes s.mu.
func (s *Session) settle(key string, again update, r result) bool {
	s.mu.Lock()
	defer s.unlock()
	name, now, ok := s.lookup(key)
	if !sameBytes(now, ok, r.old, r.present) {
		return false
	}
	if r.err == nil && sameBytes(r.old, r.present, r.value, true) && s.steady(key) {
		return true
	}
	if r.err == nil {
		r.err = s.writable(false)
	}
	if r.err == nil && len(key)+len(r.value) > s.manager.maxSize {
		r.err = tooLarge(key, len(key)+len(r.value), s.manager.maxSize)
	}
	switch {
	case r.err == nil:
		s.change().amend(kept(name, key), again, r.value)
	case errors.Is(r.err, ErrGone):
		s.lost = true
	default:
		// An update has no way to return an error, so the commit does. A session that ended elsewhere is no error there.
		s.fail(r.err)
	}
	return true
}

func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %q takes %d bytes, MaxSize is %d", ErrTooLarge, what, size, limit)
}

// errBadValue stands in for the decoder's own error, which may quote the value.
var errBadValue = errors.New("sessions: value does not decode into the wanted type")

// badValue reports a value that does not decode. It takes s.mu.
func (s *Session) badValue(key string) {
	s.mu.Lock()
	e := Event{Kind: EventBadValue, SessionID: s.id(), Subject: s.subject(), Key: string([]byte(key)), Err: errBadValue}
	s.mu.Unlock()
	s.manager.warn(e)
}
