package core

import "context"

// Key is the name and the type of a value in a session. Declare each key once, as a constant:
//
//	const visits = sessions.Key[int]("visits")
//
// T is any type that the codec can encode. Values are copied.
type Key[T any] string

// Get returns the value, or the zero value of T if there is none.
func (k Key[T]) Get(s *Session) T {
	v, _ := k.Lookup(s)
	return v
}

// Lookup returns the value and reports whether there is one. A value that does not decode into
// T is treated as absent and emits [EventBadValue].
func (k Key[T]) Lookup(s *Session) (T, bool) {
	data, ok := s.read(string(k))
	if !ok {
		var zero T
		return zero, false
	}
	v, err := decodeValue[T](&s.manager.codec, data)
	if err != nil {
		s.reportBadValue(string(k))
		return v, false
	}
	return v, true
}

// Set stores v. Storing an equal value is not a change. For the errors see [Session.Set].
func (k Key[T]) Set(s *Session, v T) error {
	data, err := encodeValue(&s.manager.codec, v)
	if err != nil {
		return encodeError(string(k), err)
	}
	return s.write(string(k), data)
}

// Delete removes the value. It does nothing if there is none.
func (k Key[T]) Delete(s *Session) error { return s.Delete(string(k)) }

// Take returns the value and removes it, for values that are read once, such as a flash
// message. It reports false if there is no value, or if the session cannot be changed. Two
// requests that run at the same time can both take a value, so Take does not make a code or
// token single-use: that is what [Key.TakeOnce] is for.
func (k Key[T]) Take(s *Session) (T, bool) {
	for {
		var zero T
		data, ok := s.read(string(k))
		if !ok {
			return zero, false
		}
		v, err := decodeValue[T](&s.manager.codec, data)
		if err != nil {
			s.reportBadValue(string(k))
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
// store may have removed the value all the same: it is spent.
func (k Key[T]) TakeOnce(ctx context.Context, s *Session) (v T, ok bool, err error) {
	data, ok := s.read(string(k))
	if !ok {
		return v, false, s.unusable()
	}
	v, err = decodeValue[T](&s.manager.codec, data)
	if err != nil { // As for the other methods, there is no value then.
		s.reportBadValue(string(k))
		return v, false, nil //nolint:nilerr // The event says what is wrong.
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
// error there. A result that cannot be encoded or saved makes the
// commit fail.
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
		if v, err = decodeValue[T](&s.manager.codec, old); err != nil {
			s.reportBadValue(string(k))
		}
	}
	v = fn(v)
	if data, err = encodeValue(&s.manager.codec, v); err != nil {
		err = encodeError(string(k), err)
	}
	return v, data, err
}
