package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// wantStored checks that exactly this record is stored, including its version.
func (e *env) wantStored(want store.Record) {
	e.Helper()
	got, err := e.second.Load(e.ctx, want.Key)
	if err != nil {
		e.Fatalf("Load(%q) = %v, want the record", abbreviate(want.Key), err)
	}
	e.wantSame("Load", got, want)
}

// wantSame compares a record that a method returned with the one that was saved.
func (e *env) wantSame(method string, got, want store.Record) {
	e.Helper()
	if diff := e.diff(&got, &want); diff != "" {
		e.Errorf("%s returned a record that differs from the one saved under %q: %s",
			method, abbreviate(want.Key), diff)
	}
}

// diff describes the first difference between two records. It is empty if there is none.
func (e *env) diff(got, want *store.Record) string {
	switch {
	case got.Key != want.Key:
		return fmt.Sprintf("Key %q", abbreviate(got.Key))
	case got.Version != want.Version:
		return fmt.Sprintf("Version %d, want %d", got.Version, want.Version)
	case got.Subject != want.Subject:
		return fmt.Sprintf("Subject %q, want %q",
			abbreviate(got.Subject), abbreviate(want.Subject))
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Sprintf("Data %q, want %q",
			abbreviate(string(got.Data)), abbreviate(string(want.Data)))
	case !e.sameExpiry(got.Expires, want.Expires):
		return fmt.Sprintf("Expires %v, want %v or up to %v later",
			got.Expires, want.Expires, e.Resolution)
	}
	return ""
}

// sameExpiry compares expiries, allowing for the store's resolution.
func (e *env) sameExpiry(got, want time.Time) bool {
	if want.IsZero() || got.IsZero() {
		return want.IsZero() == got.IsZero()
	}
	return !got.Before(want) && got.Sub(want) <= e.Resolution
}

// wantErr checks the error of a call, which format and args describe.
func (e *env) wantErr(err, want error, format string, args ...any) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s = %v, want %v", fmt.Sprintf(format, args...), err, want)
	}
}

// wantRefused checks that Save of rec fails with the error want.
func (e *env) wantRefused(rec store.Record, want error) {
	e.Helper()
	got, err := e.store.Save(e.ctx, rec)
	e.wantErr(err, want, "Save(key %q, version %d)", abbreviate(rec.Key), rec.Version)
	if got.Version != 0 && errors.Is(err, store.ErrNotFound) {
		e.Errorf("Save(key %q, version %d) returned a record together with ErrNotFound",
			abbreviate(rec.Key), rec.Version)
	}
}

// wantAbsent checks that Load finds no record under key.
func (e *env) wantAbsent(key string) {
	e.Helper()
	rec, err := e.second.Load(e.ctx, key)
	e.wantErr(err, store.ErrNotFound, "Load(%q)", abbreviate(key))
	if rec.Version != 0 || len(rec.Data) != 0 {
		e.Errorf("Load(%q) returned a record (version %d, %d bytes) together with the error",
			abbreviate(key), rec.Version, len(rec.Data))
	}
}

// wantNowhere checks that no method finds the record.
func (e *env) wantNowhere(rec store.Record) {
	e.Helper()
	if rec.Subject != "" {
		e.wantNoneOf(rec.Subject)
	}
	if s, ok := e.second.(store.Lister); ok {
		if found := e.walk(s, rec.Key, 10); len(found) != 0 {
			e.Errorf("List returned a record that is gone")
		}
	}
	if s, ok := e.second.(store.Toucher); ok {
		err := s.Touch(e.ctx, withExpires(rec, rec.Expires.Add(time.Second)))
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, errors.ErrUnsupported) {
			e.Errorf("Touch of a record that is gone = %v, want ErrNotFound", err)
		}
	}
	e.wantAbsent(rec.Key)
}

// wantNoneOf checks that no method finds a record of the subject, whose last one is gone.
func (e *env) wantNoneOf(subject string) {
	e.Helper()
	want := func(method string, found int, err error) {
		if (err != nil && !errors.Is(err, errors.ErrUnsupported)) || found != 0 {
			e.Errorf("%s found %d records, %v, want none, because the record is gone",
				method, found, err)
		}
	}
	if s, ok := e.second.(store.Indexer); ok {
		found, err := s.BySubject(e.ctx, subject)
		want("BySubject", len(found), err)
	}
	if s, ok := e.second.(store.SubjectPager); ok {
		found, err := e.subjectPages(s, subject, 10, nil)
		want("SubjectKeys", len(found), err)
	}
}

// wantIndexed checks that the subject has exactly these records.
func (e *env) wantIndexed(subject string, want ...store.Record) {
	e.Helper()
	s, _ := e.second.(store.Indexer)
	got, err := s.BySubject(e.ctx, subject)
	if err != nil {
		e.Fatalf("BySubject(%q) = %v", abbreviate(subject), err)
	}
	e.wantRecords("BySubject("+abbreviate(subject)+")", got, want)
}

// wantRecords checks that got contains each record of want once, in any order, and no other.
func (e *env) wantRecords(method string, got, want []store.Record) {
	e.Helper()
	byKey := make(map[string]store.Record, len(got))
	for _, rec := range got {
		if _, twice := byKey[rec.Key]; twice {
			e.Errorf("%s returned %q twice", method, rec.Key)
		}
		byKey[rec.Key] = rec
	}
	for _, rec := range want {
		if found, ok := byKey[rec.Key]; !ok {
			e.Errorf("%s did not return %q", method, rec.Key)
		} else {
			e.wantSame(method, found, rec)
		}
		delete(byKey, rec.Key)
	}
	for key := range byKey {
		e.Errorf("%s returned %q, which does not belong to the result", method, key)
	}
}

// wantKeys checks that a walk with that limit returns the keys of exactly these records.
func (e *env) wantKeys(subject string, limit int, want ...store.Record) {
	e.Helper()
	s, _ := e.second.(store.SubjectPager)
	found := e.walkSubject(s, subject, limit, nil)
	e.wantWalkedKeys(found, want)
	for _, rec := range want {
		delete(found, rec.Key)
	}
	for key := range found {
		e.Errorf("SubjectKeys(%s, limit %d) returned %q, which does not belong to the result",
			abbreviate(subject), limit, key)
	}
}

// wantWalkedKeys checks that a walk returned the key of each record of want.
func (e *env) wantWalkedKeys(got map[string]bool, want []store.Record) {
	e.Helper()
	for _, rec := range want {
		if !got[rec.Key] {
			e.Errorf("a walk did not return %q, which existed from its start to its end", rec.Key)
		}
	}
}

// noPanic calls f and reports a panic as a failure.
func (e *env) noPanic(what string, f func()) {
	e.Helper()
	defer func() {
		if r := recover(); r != nil {
			e.Errorf("%s panicked: %v", what, r)
		}
	}()
	f()
}

// withExpires returns rec with another expiry, as Touch takes it.
func withExpires(rec store.Record, expires time.Time) store.Record {
	rec.Expires = expires
	return rec
}

// wantAllOrNoneSupported checks that a method that finds what a subject has returns
// errors.ErrUnsupported for every subject or for none. The given subject has a record.
func (e *env) wantAllOrNoneSupported(method, subject string, call func(subject string) error) {
	e.Helper()
	unsupported, subjects := 0, []string{subject, e.name("nobody"), "x", ""}
	for _, subject := range subjects {
		if errors.Is(call(subject), errors.ErrUnsupported) {
			unsupported++
		}
	}
	if unsupported != 0 && unsupported != len(subjects) {
		e.Errorf("%d of %d calls of %s returned errors.ErrUnsupported, want all or none",
			unsupported, len(subjects), method)
	}
}
