package core

import (
	"context"
	"reflect"
)

// Key is the name and the type of a value in a session. Declare each key once, as a constant:
//
//	const visits = sessions.Key[int]("visits")
//
// T is any type that the codec carries: docs/values.md has the list. Values are copied.
type Key[T any] string

// Get returns the value, or the zero value of T if there is none.
func (k Key[T]) Get(s *Session) T {
	v, _ := k.Lookup(s)
	return v
}

// Lookup returns the value and reports whether there is one. A value that does not decode into
// T is treated as absent and emits [EventBadValue].
func (k Key[T]) Lookup(s *Session) (T, bool) {
	v, ok, _ := k.lookup(s)
	return v, ok
}

// lookup is Lookup with the error of a value that does not decode, which it has reported.
func (k Key[T]) lookup(s *Session) (v T, ok bool, err error) {
	data, ok := s.read(string(k))
	if !ok {
		return v, false, nil
	}
	if v, err = k.decode(s, data); err != nil {
		return v, false, s.reportValue(string(k), err)
	}
	return v, true, nil
}

// decode returns the value, or a *valueError.
func (k Key[T]) decode(s *Session, data []byte) (T, error) {
	v, err := decodeValue[T](&s.manager.codec, data)
	if err != nil {
		err = undecodable(string(k), reflect.TypeFor[T]())
	}
	return v, err
}

// Set stores v. Storing an equal value is not a change. For the errors see [Session.Set].
func (k Key[T]) Set(s *Session, v T) error {
	data, err := encodeValue(&s.manager.codec, v)
	if err != nil {
		return s.reportValue(string(k), refused(string(k), err))
	}
	return s.write(string(k), data)
}

// Delete removes the value. It does nothing if there is none.
func (k Key[T]) Delete(s *Session) error { return s.Delete(string(k)) }

// Take returns the value and removes it, for values that are read once, such as a flash
// message. It reports false if there is no value, or if the session cannot be changed. A value
// that does not decode into T stays, and emits [EventBadValue]. Two
// requests that run at the same time can both take a value, so Take does not make a code or
// token single-use: that is what [Key.TakeOnce] is for.
func (k Key[T]) Take(s *Session) (T, bool) {
	for {
		var zero T
		data, ok := s.read(string(k))
		if !ok {
			return zero, false
		}
		v, err := k.decode(s, data)
		if err != nil {
			_ = s.reportValue(string(k), err)
			return zero, false
		}
		deleted, err := s.deleteIfUnchanged(string(k), data)
		if err != nil {
			return zero, false
		}
		if deleted {
			return v, true
		}
	}
}

// TakeOnce returns the value and removes it from the stored session before it returns, together
// with the other pending changes. Of any number of requests that run at the same time exactly one
// gets the value, for what must be spent once: the state of an OAuth login, or a mailed code. It
// reports false to all others.
//
// The error is that of [Session.Save]; the value is then not to be used. If it is [ErrStore], the
// store may have removed the value all the same: it is spent. It is [ErrBadValue] if the value
// does not decode into T; the value stays.
func (k Key[T]) TakeOnce(ctx context.Context, s *Session) (v T, ok bool, err error) {
	data, ok := s.read(string(k))
	if !ok {
		return v, false, s.unusable()
	}
	if v, err = k.decode(s, data); err != nil {
		return v, false, s.reportValue(string(k), err)
	}
	taken, err := s.takeOnce(ctx, string(k), data)
	if err != nil || !taken {
		var zero T
		return zero, false, err
	}
	return v, true, nil
}

// Update replaces the value with the result of fn and returns it. The argument of fn is the
// current value, or the zero value of T if there is none.
//
// No update is lost: if another request changes the value before this one is saved, fn runs
// again on the new value. So fn may run several times and should only compute its result, and
// the value that is saved in the end may differ from the one that Update returned. It may read
// and change other values of the session, but not save it: Save and what else saves return an
// error there.
//
// Update has no error to return, so the commit fails in its place: if the result cannot be
// encoded, would come back different or cannot be saved, and with [ErrBadValue] if the current
// value does not decode into T. Update then returns the zero value without calling fn, and the
// value stays as it is: another version of the program may have stored it. To begin again, call
// Delete before Update.
func (k Key[T]) Update(s *Session, fn func(T) T) T {
	again := func(old []byte, present bool) ([]byte, error) {
		_, data, err := k.apply(s, fn, old, present)
		return data, err
	}
	for round := 1; ; round++ {
		old, present := s.readToUpdate(string(k))
		v, data, err := k.apply(s, fn, old, present)
		if s.setUpdate(string(k), again, updateResult{old, present, data, err}) {
			return v
		}
		if round == maxUpdateRounds {
			s.failUpdate(string(k))
			return v
		}
	}
}

// apply runs fn on a stored value and returns its result, also encoded.
func (k Key[T]) apply(
	s *Session, fn func(T) T, old []byte, present bool,
) (v T, data []byte, err error) {
	if present {
		if v, err = k.decode(s, old); err != nil {
			return v, nil, err
		}
	}
	v = fn(v)
	if data, err = encodeValue(&s.manager.codec, v); err != nil {
		err = refused(string(k), err)
	}
	return v, data, err
}
