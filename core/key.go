package core

import "fmt"

// Key is the name and the type of a value in a session. Declare each once, as a constant:
//
//	const visits = sessions.Key[int]("visits")
//
// T is anything the codec can encode. Values are copies.
type Key[T any] string

// Get returns the value, the zero value of T if there is none.
func (k Key[T]) Get(s *Session) T {
	v, _ := k.Lookup(s)
	return v
}

// Lookup returns the value and whether there is one. A value that does not decode into T counts as none and raises
// [EventBadValue].
func (k Key[T]) Lookup(s *Session) (T, bool) {
	data, ok := s.read(string(k))
	if !ok {
		var zero T
		return zero, false
	}
	v, err := decode[T](s.manager, data)
	if err != nil {
		s.badValue(string(k))
		return v, false
	}
	return v, true
}

// Set stores v. Setting an equal value is not a change. For the error see [Session.Set].
func (k Key[T]) Set(s *Session, v T) error {
	data, err := encode(s.manager, v)
	if err != nil {
		return fmt.Errorf("sessions: encoding %q: %w", string(k), err)
	}
	return s.write(string(k), data)
}

// Delete removes the value.
func (k Key[T]) Delete(s *Session) error { return s.Delete(string(k)) }

// Take returns the value and removes it, for what is to be read once, like a flash message. A session that cannot be
// changed gives nothing. Two requests at the same moment can both take a value, so it does not make a code or token
// single-use: what must not be spent twice is spent in the store that honours it.
func (k Key[T]) Take(s *Session) (T, bool) {
	for {
		var zero T
		data, ok := s.read(string(k))
		if !ok {
			return zero, false
		}
		v, err := decode[T](s.manager, data)
		if err != nil {
			s.badValue(string(k))
			return zero, false
		}
		removed, err := s.remove(string(k), data)
		if err != nil {
			return zero, false
		}
		if removed {
			return v, true
		}
	}
}

// Update replaces the value by what fn makes of it, the zero value of T if there is none, and returns the new value.
// When another request changes the value before this one is saved, fn runs again on that value: no update is lost, but
// fn may run several times, so it should do nothing but work out its result, and what is saved in the end may differ
// from what Update returned. It may read and change the session, but not save it. A result that cannot be encoded or
// saved makes the commit fail.
func (k Key[T]) Update(s *Session, fn func(T) T) T {
	again := func(old []byte, present bool) ([]byte, error) {
		_, data, err := k.apply(s, fn, old, present)
		return data, err
	}
	for {
		old, present := s.read(string(k))
		v, data, err := k.apply(s, fn, old, present)
		if s.settle(string(k), again, result{old, present, data, err}) {
			return v
		}
	}
}

// apply runs fn on a stored value and returns its result, also encoded.
func (k Key[T]) apply(s *Session, fn func(T) T, old []byte, present bool) (v T, data []byte, err error) {
	if present {
		if v, err = decode[T](s.manager, old); err != nil {
			s.badValue(string(k))
		}
	}
	v = fn(v)
	if data, err = encode(s.manager, v); err != nil {
		err = fmt.Errorf("sessions: encoding %q: %w", string(k), err)
	}
	return v, data, err
}

// encode returns the bytes of v, without reflection where there is a shorter way to the same bytes.
func encode[T any](m *Manager, v T) ([]byte, error) {
	if m.plain {
		if data, ok := encodePlain(v); ok {
			return data, nil
		}
	}
	return m.codec.Encode(v)
}

// decode is the inverse of encode; with an error it returns the zero value.
func decode[T any](m *Manager, data []byte) (T, error) {
	if m.plain {
		var v T
		if decodePlain(data, &v) {
			return v, nil
		}
	}
	return decodeSlow[T](m.codec, data)
}

// decodeSlow is apart from decode so that only its own variable has to live on the heap.
func decodeSlow[T any](codec Codec, data []byte) (T, error) {
	v := new(T)
	if err := codec.Decode(data, v); err != nil {
		var zero T
		return zero, err
	}
	return *v, nil
}
