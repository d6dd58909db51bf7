package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Get decodes the value under key into what v, a pointer, points to, and reports whether there
// is a value. A value that does not decode is treated as absent and emits [EventBadValue]; what
// v points to is then undefined. So does a v that is not a pointer, or is nil.
func (s *Session) Get(key string, v any) bool {
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		_ = s.reportValue(key, notPointer(key, v))
		return false
	}
	data, ok := s.read(key)
	if !ok {
		return false
	}
	if err := s.manager.codec.Decode(data, v); err != nil {
		_ = s.reportValue(key, undecodable(key, reflect.TypeOf(v).Elem()))
		return false
	}
	return true
}

// Set stores v under key. It stores a copy: later changes to v do not change the session.
// Storing an equal value is not a change. It returns an error if v cannot be encoded, would come
// back different (docs/values.md says when) or is too large ([ErrTooLarge]), which also emits
// [EventValueRefused]; or if the session cannot be changed: [ErrLate], [ErrGone] or [ErrStore].
func (s *Session) Set(key string, v any) error {
	data, err := s.manager.codec.Encode(v)
	if err != nil {
		return s.reportValue(key, refused(key, err))
	}
	return s.write(key, data)
}

// Delete removes the value under key. It does nothing if there is none.
func (s *Session) Delete(key string) error {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	name, _, ok := s.lookup(key)
	if !ok && s.status != statusGone { // What a session has that is gone is not known.
		return s.failure
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().put(change{key: ownKey(name, key)})
	return nil
}

// Clear removes all values, including those that other requests add before it is saved. The id
// and the subject are kept.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().clear()
	return nil
}

// Keys returns the keys that have a value, sorted.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	keys := make([]string, 0, s.snap.Len())
	if !s.saving.clearsAll() && !s.pending.clearsAll() {
		// This is one pass over the base, where a lookup of each key would take one for each.
		s.snap.Each(func(key, _ []byte) {
			if s.saving.findBytes(key) == nil && s.pending.findBytes(key) == nil {
				keys = append(keys, string(key))
			}
		})
	}
	if !s.pending.clearsAll() {
		keys = s.saving.appendKeys(keys, s.pending)
	}
	keys = s.pending.appendKeys(keys, nil)
	slices.Sort(keys)
	return keys
}

// Len returns the number of keys that have a value.
func (s *Session) Len() int { return len(s.Keys()) }

// read returns the encoded value under key. It locks s.mu.
func (s *Session) read(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	_, value, ok := s.lookup(key)
	return value, ok
}

// readToUpdate is read for an update, whose function must not save.
func (s *Session) readToUpdate(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	s.updated = true
	_, value, ok := s.lookup(key)
	return value, ok
}

// write stores an encoded value. It locks s.mu.
func (s *Session) write(key string, data []byte) error {
	if err := s.fits(key, data); err != nil {
		return s.reportValue(key, err)
	}
	s.mu.Lock()
	defer s.unlock()
	s.access()
	name, old, ok := s.lookup(key)
	if ok && bytes.Equal(old, data) && s.unaffectedByMerge(key) {
		return nil
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().put(change{key: ownKey(name, key), value: notNil(data)})
	return nil
}

// fits returns an error if the value alone exceeds what the session may take.
func (s *Session) fits(key string, data []byte) error {
	if size, limit := len(key)+len(data), s.manager.maxSize; size > limit {
		return tooLarge(fmt.Sprintf("the value of %q", key), size, limit)
	}
	return nil
}

// deleteIfUnchanged removes the value under key if it is still old, and reports whether it did.
// It locks s.mu.
func (s *Session) deleteIfUnchanged(key string, old []byte) (bool, error) {
	s.mu.Lock()
	defer s.unlock()
	name, now, ok := s.lookup(key)
	if !ok || !bytes.Equal(now, old) {
		return false, nil
	}
	if err := s.writable(false); err != nil {
		return false, err
	}
	s.change().put(change{key: ownKey(name, key)})
	return true, nil
}

// takeOnce removes the value under key from the stored session if it is still data, and reports
// whether it did. It locks s.mu.
func (s *Session) takeOnce(ctx context.Context, key string, data []byte) (bool, error) {
	if err := s.mayCommit(); err != nil {
		return false, err
	}
	t := &take{value: data}
	if ok, err := s.planTake(key, t); !ok || err != nil {
		return false, err
	}
	err := s.Save(ctx)
	return err == nil && !t.lost, err
}

// planTake adds the removal of the value to the next commit, and reports whether the session has
// the value.
func (s *Session) planTake(key string, t *take) (bool, error) {
	s.mu.Lock()
	defer s.unlock()
	name, now, ok := s.lookup(key)
	if !ok || !bytes.Equal(now, t.value) {
		return false, nil
	}
	if err := s.writable(false); err != nil {
		return false, err
	}
	c := change{key: ownKey(name, key), take: t}
	if s.pending.find(key) != nil || s.saving.find(key) != nil {
		c.take = nil // This request has stored the value itself.
	}
	s.change().put(c)
	return true, nil
}

// unusable returns why the session has no values to show, or nil.
func (s *Session) unusable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil && s.status == statusGone && s.pending.getLogin() == nil {
		return ErrGone
	}
	return s.failure
}

// updateResult is the result of an update for the value that it read.
type updateResult struct {
	old     []byte
	present bool
	value   []byte
	err     error
}

// setUpdate stores the result of an update, and the update itself, which runs again if another
// request changes the value first. It returns false if the value is no longer the one that the
// update read. It locks s.mu.
func (s *Session) setUpdate(key string, fn update, r updateResult) bool {
	if r.err == nil {
		r.err = s.fits(key, r.value)
	}
	if !s.putUpdate(key, fn, r) {
		return false
	}
	_ = s.reportValue(key, r.err)
	return true
}

// putUpdate is setUpdate without the report of a value that cannot be stored.
func (s *Session) putUpdate(key string, fn update, r updateResult) bool {
	s.mu.Lock()
	defer s.unlock()
	name, now, ok := s.lookup(key)
	if ok != r.present || !bytes.Equal(now, r.old) {
		return false
	}
	s.unsavedReported = s.unsavedReported || r.err != nil
	if r.err == nil && r.present && bytes.Equal(r.old, r.value) && s.unaffectedByMerge(key) {
		return true
	}
	if r.err == nil {
		r.err = s.writable(false)
	}
	switch {
	case r.err == nil:
		s.change().putUpdate(ownKey(name, key), fn, r.value)
	case errors.Is(r.err, ErrGone): // An event has said so.
	default:
		// An update cannot return an error, so the commit does. That another request ended the
		// session is no error there.
		s.fail(r.err)
	}
	return true
}

// maxUpdateRounds is how often the function of an update runs for a key that changes meanwhile.
// Other goroutines of the request do not change it that often; the function itself may.
const maxUpdateRounds = 10_000

// failUpdate makes the commit fail because an update of the key does not come to an end.
func (s *Session) failUpdate(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(fmt.Errorf("sessions: the function of an Update of %q changes the value itself: "+
		"return the new value instead", key))
}

// lookup returns the encoded value under key as this request sees it, and the session's own
// copy of the key, if it has one. It expects s.mu to be held.
func (s *Session) lookup(key string) (name, value []byte, ok bool) {
	for _, d := range [...]*delta{s.pending, s.saving} {
		if c := d.find(key); c != nil {
			return c.key, c.value, c.sets()
		}
		if d.clearsAll() {
			return nil, nil, false
		}
	}
	return s.snap.Find(key)
}

// unaffectedByMerge reports whether the value under key cannot change by a merge that is still
// to come, so that storing an equal value need not be recorded. It expects s.mu to be held.
func (s *Session) unaffectedByMerge(key string) bool {
	if s.failure != nil || !s.saving.empty() || s.rebaseNeeded {
		return false
	}
	c := s.pending.find(key)
	return c == nil || c.update == nil
}

// ownKey returns the key in memory that nobody changes: what lookup found, or else a copy,
// because the caller's string may belong to the framework.
func ownKey(name []byte, key string) []byte {
	if name != nil {
		return name
	}
	return []byte(key)
}
