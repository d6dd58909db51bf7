package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/cloakroom-go/sessions/core/internal/carry"
)

// valueError is the error of a value that cannot be stored, or that does not decode.
type valueError struct {
	kind EventKind // EventValueRefused or EventBadValue
	key  string
	err  error // It may quote the value if a method of the value's type has made it.
}

func (e *valueError) Error() string {
	if e.kind == EventBadValue {
		return e.err.Error()
	}
	return fmt.Sprintf("sessions: encoding %q: %v", e.key, e.err)
}

func (e *valueError) Unwrap() error { return e.err }

// isValueError reports whether err is the error of a value.
func isValueError(err error) bool {
	_, ok := errors.AsType[*valueError](err)
	return ok
}

// refused returns the error of a value that the codec does not encode.
func refused(key string, err error) error {
	return &valueError{kind: EventValueRefused, key: key, err: err}
}

// undecodable returns the error of a value that does not decode into the type. It leaves out the
// error of the codec, which may quote the value.
func undecodable(key string, into reflect.Type) error {
	return &valueError{kind: EventBadValue, key: key, err: fmt.Errorf(
		"%w: %q into %v; the stored value stays: use another key for another type, "+
			"or Delete the value first", ErrBadValue, key, into)}
}

// notPointer returns the error of Get for a v that it cannot decode into.
func notPointer(key string, v any) error {
	what := fmt.Sprintf("a value of type %T", v)
	switch t := reflect.TypeOf(v); {
	case t == nil:
		what = "nil"
	case t.Kind() == reflect.Pointer:
		what = fmt.Sprintf("a nil %T", v)
	}
	return &valueError{kind: EventBadValue, key: key, err: fmt.Errorf(
		"sessions: Get(%q, v) needs a pointer to decode into, and got %s: "+
			"declare a variable and pass &variable", key, what)}
}

// quotesNothing reports whether the text of the error is known to have nothing of a value in it.
func quotesNothing(err error) bool {
	_, isProblem := errors.AsType[*carry.Problem](err)
	_, isType := errors.AsType[*json.UnsupportedTypeError](err)
	_, isValue := errors.AsType[*json.UnsupportedValueError](err) // NaN, for instance
	return isProblem || isType || isValue || errors.Is(err, errNotUTF8) ||
		errors.Is(err, errTooDeep)
}

// forLog returns the error as the log and the hook get it, without what may quote a value.
func (e *valueError) forLog() error {
	if e.kind == EventBadValue || quotesNothing(e.err) {
		return e
	}
	cause := e.err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return fmt.Errorf("sessions: encoding %q: the codec returned an error of type %T; "+
		"its text is in the error that the caller got, because it may quote the value",
		e.key, cause)
}

// unsaved makes e the event of an error of a value, or of a session that is too large. It reports
// whether err is one.
func unsaved(e *Event, err error) bool {
	value, ok := errors.AsType[*valueError](err)
	switch {
	case ok:
		e.Kind, e.Key, e.Err = value.kind, value.key, value.forLog()
	case errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrStore):
		e.Kind, e.Err = EventValueRefused, err
	default:
		return false
	}
	return true
}

// reportValue reports the error of a value, if there is one, and returns it. It locks s.mu.
func (s *Session) reportValue(key string, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	e := s.event()
	s.mu.Unlock()
	if unsaved(&e, err) {
		e.Key = string([]byte(key))
		s.manager.observer.warn(e)
	}
	return err
}

// reportUnsaved reports the error of a commit if it is that of a value, or of a session that is
// too large, unless it has been reported. It returns the error, and locks s.mu.
func (s *Session) reportUnsaved(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	e := s.event()
	report := unsaved(&e, err) && !s.unsavedReported
	s.unsavedReported = s.unsavedReported || report
	s.mu.Unlock()
	if report {
		s.manager.observer.warn(e)
	}
	return err
}
