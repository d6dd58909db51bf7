package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func contextCases() []testCase {
	return []testCase{
		{
			name: "Cancelled", run: contextCancelled,
			rule: "A call whose context is cancelled returns an error, and none of the contract's own: a request that has gone away must not hold a connection, and its failure is no missing session.",
		},
		{
			name: "DeadlineOver", run: contextDeadline,
			rule: "A call whose deadline is over returns an error, and none of the contract's own: an outage that looks like ErrNotFound logs everybody out.",
		},
	}
}

func contextCancelled(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.fails(ctx)
}

func contextDeadline(e *env) {
	ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancel()
	e.fails(ctx)
}

// fails checks that every method fails with a context that is over, and that the store works as before with another.
func (e *env) fails(ctx context.Context) {
	e.Helper()
	if _, ok := e.store.(store.Instant); ok {
		e.Skip("the store is store.Instant: it never waits for anything a context could end")
	}
	rec := e.createFor("a", e.name("subject"))
	check := func(method string, err error) {
		e.Helper()
		for _, not := range []error{nil, store.ErrNotFound, store.ErrConflict} {
			if errors.Is(err, not) {
				e.Errorf("%s with a context that is over = %v, want the context's error", method, err)
			}
		}
	}
	_, err := e.store.Load(ctx, rec.Key)
	check("Load", err)
	_, err = e.store.Load(ctx, e.name("absent"))
	check("Load of an absent key", err)
	_, err = e.store.Save(ctx, rec)
	check("Save", err)
	_, err = e.store.Save(ctx, e.record("new"))
	check("Save of a new record", err)
	check("Delete", e.store.Delete(ctx, e.name("other")))
	if s, ok := e.store.(store.Toucher); ok {
		check("Touch", s.Touch(ctx, extended(rec, rec.Expires.Add(60e9))))
	}
	if s, ok := e.store.(store.Indexer); ok {
		_, err = s.BySubject(ctx, rec.Subject)
		check("BySubject", err)
	}
	if s, ok := e.store.(store.Lister); ok {
		_, _, err = s.List(ctx, e.unique, "", 10)
		check("List", err)
	}
	e.stored(e.create("afterwards"))
}

func hostileCases() []testCase {
	return []testCase{
		{
			name: "K3Keys", run: hostileKeys,
			rule: "No key makes the store panic or reaches another record: a key the backend cannot have is an error, any other is stored under itself. Line ends and NUL bytes are how commands are smuggled into protocols.",
		},
		{
			name: "K5Subjects", run: hostileSubjects,
			rule: "No subject makes the store panic or reaches another subject's records: one the backend cannot have is an error, any other comes back as it was.",
		},
		{
			name: "Expires", run: hostileExpires,
			rule: "No expiry makes the store panic, fail to end a record or end another early, however far away it is; times beyond the range of a number wrap around into the past.",
		},
	}
}

// hostiles are names that the manager never makes, and that nothing may come of.
func hostiles() []string {
	return []string{
		"", " ", "\x00", "\n", "\r\n", "a b", "a\x00", "\x00a", "a\n", "a\r\n", "a 0 0 1\r\nx\r\n", "a\r\ndelete a\r\n", "a\t", "\x7f", "\xff\xfe", "a\xc3\x28", "ä", "\u202e", "é", "e\u0301", "\U0010ffff",
		"a' OR '1'='1", `{"$ne":null}`, "a\\u0000", "../../etc", strings.Repeat("a", 251), strings.Repeat("a", 256), strings.Repeat("k", 65536), strings.Repeat("k", 1<<20),
	}
}

// unharmed calls f and makes a failure of a panic.
func (e *env) unharmed(what string, f func()) {
	e.Helper()
	defer func() {
		if r := recover(); r != nil {
			e.Errorf("%s panicked: %v", what, r)
		}
	}()
	f()
}

func hostileKeys(e *env) {
	victim := e.createFor("a", e.name("subject"))
	for _, prefix := range []string{e.unique, e.unique + "a"} {
		for _, name := range hostiles() {
			key := prefix + name
			if key == victim.Key || key == e.unique {
				continue
			}
			e.unharmed(fmt.Sprintf("a method given the key %q", short(key)), func() { e.attackKey(key) })
			e.stored(victim)
		}
	}
	for _, key := range []string{"", "\x00", "\r\n", "\xff"} {
		e.unharmed(fmt.Sprintf("a method given the key %q", key), func() { _, _ = e.store.Load(e.ctx, key) })
	}
	e.stored(e.save(victim))
}

// attackKey calls every method with a key. What the store accepts it must keep faithfully.
func (e *env) attackKey(key string) {
	e.track(key)
	_, err := e.store.Load(e.ctx, key)
	if err == nil {
		e.Errorf("Load(%q) found a record that nobody has saved", short(key))
	}
	rec := store.Record{Key: key, Data: []byte("hostile"), Expires: time.Now().Add(time.Hour)}
	if saved, err := e.store.Save(e.ctx, rec); err == nil {
		rec.Version = saved.Version
		e.stored(rec)
		e.save(rec)
	} else if errors.Is(err, store.ErrConflict) {
		e.Errorf("Save(key %q, version 0) = %v, but nobody has saved it", short(key), err)
	}
	if s, ok := e.store.(store.Toucher); ok {
		_ = s.Touch(e.ctx, store.Record{Key: key, Version: 1, Expires: rec.Expires})
	}
	if s, ok := e.store.(store.Lister); ok {
		_, _, _ = s.List(e.ctx, key, "", 10)
	}
	_ = e.store.Delete(e.ctx, key)
}

func hostileSubjects(e *env) {
	victim := e.createFor("victim", e.name("a"))
	for i, name := range hostiles() {
		subject := e.unique + "a" + name
		if name == "" {
			continue
		}
		e.unharmed(fmt.Sprintf("a method given the subject %q", short(subject)), func() {
			e.attackSubject(fmt.Sprint("hostile", i), subject)
		})
		e.stored(victim)
		if s, ok := e.store.(store.Indexer); ok {
			if found, err := s.BySubject(e.ctx, victim.Subject); err == nil {
				e.exactly("BySubject of the victim", found, []store.Record{victim})
			}
		}
	}
}

func (e *env) attackSubject(name, subject string) {
	s, indexed := e.store.(store.Indexer)
	if indexed {
		if found, err := s.BySubject(e.ctx, subject); err == nil && len(found) != 0 {
			e.Errorf("BySubject(%q) found a record that nobody has saved", short(subject))
		}
	}
	rec := e.record(name)
	rec.Subject = subject
	saved, err := e.store.Save(e.ctx, rec)
	if err != nil {
		e.gone(rec.Key)
		return
	}
	rec.Version = saved.Version
	e.stored(rec)
	if indexed {
		if found, err := s.BySubject(e.ctx, subject); err == nil {
			e.exactly("BySubject("+short(subject)+")", found, []store.Record{rec})
		}
	}
}

func hostileExpires(e *env) {
	kept := e.create("kept")
	far := []time.Time{
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC),
		time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2318, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<40, 0),
		time.Unix(1<<62, 0),
	}
	for i, expires := range far {
		e.unharmed(fmt.Sprintf("Save with Expires %v", expires), func() {
			rec := e.record(fmt.Sprint("far", i))
			rec.Expires = expires
			saved, err := e.store.Save(e.ctx, rec)
			switch {
			case err == nil:
				if rec.Version = saved.Version; !e.loads(rec.Key) {
					e.Errorf("the record that expires at %v, which is far away, is gone", expires)
				}
			case expires.Year() < 2300:
				e.Errorf("Save with Expires %v = %v, want success: a lifetime of that length is allowed", expires, err)
			}
			if s, ok := e.store.(store.Toucher); ok {
				_ = s.Touch(e.ctx, store.Record{Key: kept.Key, Version: kept.Version + 1, Expires: expires})
			}
		})
		e.stored(kept)
	}
	for _, expires := range []time.Time{time.Unix(-9_300_000_000_000_000, 0), time.Unix(-1<<62, 0)} {
		e.unharmed(fmt.Sprintf("Expires %v", expires), func() {
			rec := e.record("past")
			rec.Expires = expires
			if _, err := e.store.Save(e.ctx, rec); err == nil {
				e.Errorf("Save with Expires %v = nil, want an error: it is not stored", expires)
			}
			e.gone(rec.Key)
			if s, ok := e.store.(store.Toucher); ok {
				_ = s.Touch(e.ctx, store.Record{Key: kept.Key, Version: kept.Version, Expires: expires})
			}
		})
		e.stored(kept)
	}
}
