package storetest

import (
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// toucher returns the store's Toucher, or skips the case.
func (e *env) toucher() store.Toucher {
	e.Helper()
	s, ok := e.store.(store.Toucher)
	if !ok {
		e.Skip("the store has no Touch, so the manager saves the whole record instead")
	}
	probe := store.Record{Key: e.name("probe"), Version: 1, Expires: time.Now().Add(time.Hour)}
	if err := s.Touch(e.ctx, probe); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Touch returns errors.ErrUnsupported")
	}
	return s
}

// indexer returns the store's Indexer, or skips the case.
func (e *env) indexer() store.Indexer {
	e.Helper()
	s, ok := e.store.(store.Indexer)
	if !ok {
		e.Skip("the store has no BySubject, " +
			"so the manager returns errors.ErrUnsupported to callers that need it")
	}
	if _, err := s.BySubject(e.ctx, e.name("probe")); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's BySubject returns errors.ErrUnsupported")
	}
	return s
}

// subjectPager returns the store's SubjectPager, or skips the case.
func (e *env) subjectPager() store.SubjectPager {
	e.Helper()
	s, ok := e.store.(store.SubjectPager)
	if !ok {
		e.Skip("the store has no SubjectKeys, so the manager gets a subject's records at once")
	}
	_, _, err := s.SubjectKeys(e.ctx, e.name("probe"), "", 1)
	if errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's SubjectKeys returns errors.ErrUnsupported")
	}
	return s
}

// lister returns the store's Lister, or skips the case.
func (e *env) lister() store.Lister {
	e.Helper()
	s, ok := e.store.(store.Lister)
	if !ok {
		e.Skip("the store has no List, " +
			"so the manager returns errors.ErrUnsupported to callers that need it")
	}
	if _, _, err := s.List(e.ctx, e.name("probe"), "", 1); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's List returns errors.ErrUnsupported")
	}
	return s
}

// counter returns the store's Counter, or skips the case.
func (e *env) counter() store.Counter {
	e.Helper()
	s, ok := e.store.(store.Counter)
	if !ok {
		e.Skip("the store has no Count, so the manager lists the records instead")
	}
	if _, err := s.Count(e.ctx, e.name("probe")); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Count returns errors.ErrUnsupported")
	}
	return s
}

// purger returns the store's Purger, or skips the case.
func (e *env) purger() store.Purger {
	e.Helper()
	s, ok := e.store.(store.Purger)
	if !ok {
		e.Skip("the store has no Purge, so the store or its server deletes expired records itself")
	}
	if _, err := s.Purge(e.ctx, 1); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Purge returns errors.ErrUnsupported")
	}
	return s
}

// maxPages bounds a walk through pages.
const maxPages = 20_000

var errEndless = errors.New(
	"storetest: the walk does not end, because there is always another cursor")

// pages returns the records of all pages of List. A record may occur more than once.
func (e *env) pages(s store.Lister, prefix string, limit int) (all []store.Record, err error) {
	var page []store.Record
	cursor := ""
	for range maxPages {
		if page, cursor, err = s.List(e.ctx, prefix, cursor, limit); err != nil {
			return nil, err
		}
		if all = append(all, page...); cursor == "" {
			return all, nil
		}
	}
	return nil, errEndless
}

// walk is like pages but returns each record once. If the store does not support List, it
// returns none.
func (e *env) walk(s store.Lister, prefix string, limit int) (once []store.Record) {
	e.Helper()
	all, err := e.pages(s, prefix, limit)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		e.Fatalf("List(prefix %q, limit %d) = %v", abbreviate(prefix), limit, err)
	}
	seen := make(map[string]bool)
	for _, rec := range all {
		if !seen[rec.Key] {
			once = append(once, rec)
		}
		seen[rec.Key] = true
	}
	return once
}

// subjectPages walks the pages of SubjectKeys and returns all keys. It calls visit, unless that
// is nil, with each page before it asks for the next one.
func (e *env) subjectPages(
	s store.SubjectPager, subject string, limit int, visit func(keys []string),
) (map[string]bool, error) {
	all, cursor := make(map[string]bool), ""
	for range maxPages {
		keys, next, err := s.SubjectKeys(e.ctx, subject, cursor, limit)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			all[key] = true
		}
		if visit != nil {
			visit(keys)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
	return nil, errEndless
}

// walkSubject is like subjectPages but ends the case if the walk fails.
func (e *env) walkSubject(
	s store.SubjectPager, subject string, limit int, visit func(keys []string),
) map[string]bool {
	e.Helper()
	all, err := e.subjectPages(s, subject, limit, visit)
	if err != nil {
		e.Fatalf("SubjectKeys(%q, limit %d) = %v", abbreviate(subject), limit, err)
	}
	return all
}
