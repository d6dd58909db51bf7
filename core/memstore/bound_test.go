package memstore_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// record returns a record to create: anonymous if subject is empty.
func record(key, subject string, size int) store.Record {
	return store.Record{Key: key, Subject: subject, Data: make([]byte, size), Expires: time.Now().Add(time.Hour)}
}

func mustSave(t *testing.T, s *memstore.Store, rec store.Record) store.Record {
	t.Helper()
	saved, err := s.Save(t.Context(), rec)
	if err != nil {
		t.Fatalf("Save(%q) = %v", rec.Key, err)
	}
	return saved
}

func has(t *testing.T, s *memstore.Store, key string) bool {
	t.Helper()
	_, err := s.Load(t.Context(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Load(%q) = %v", key, err)
	}
	return err == nil
}

// costs returns what a record counts for, whatever the store takes its own costs to be.
func costs(t *testing.T, rec store.Record) int64 {
	t.Helper()
	s := memstore.New(memstore.Options{})
	mustSave(t, s, rec)
	return s.Bytes()
}

func TestD3ExpiredGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Options{MaxRecords: 10})
		for i := range 5 {
			rec := record(fmt.Sprint("brief", i), "someone", 1)
			rec.Expires = time.Now().Add(time.Minute)
			mustSave(t, s, rec)
		}
		for i := range 5 {
			mustSave(t, s, record(fmt.Sprint("long", i), "", 1))
		}
		time.Sleep(time.Minute)
		for i := range 5 {
			mustSave(t, s, record(fmt.Sprint("new", i), "", 1))
		}
		for i := range 5 {
			if !has(t, s, fmt.Sprint("long", i)) || !has(t, s, fmt.Sprint("new", i)) {
				t.Error("a live record had to go though there were expired ones")
			}
		}
	})
}

// later lets time pass in a bubble, since the order of use is told by the clock.
func later() { time.Sleep(time.Microsecond) }

func TestD3LongestIdleAnonymousGoNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 200
		s := memstore.New(memstore.Options{MaxRecords: bound})
		for i := range bound {
			subject := ""
			if i%2 == 0 {
				subject = fmt.Sprint("user", i)
			}
			later()
			mustSave(t, s, record(fmt.Sprint(i), subject, 1))
		}
		// Use them in another order than they were made in: every method that counts as use once.
		var idle []string
		for i := 1; i < bound; i += 2 {
			key := fmt.Sprint((i * 77) % bound)
			later()
			rec, err := s.Load(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			switch i % 3 {
			case 1:
				mustSave(t, s, rec)
			case 2:
				if err := s.Touch(t.Context(), store.Record{Key: key, Version: rec.Version, Expires: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			idle = append(idle, key)
		}
		// List walks them all and is no use.
		if _, _, err := s.List(t.Context(), "", "", 10*bound); err != nil {
			t.Fatal(err)
		}
		for n, key := range idle {
			later()
			mustSave(t, s, record(fmt.Sprint("new", n), fmt.Sprint("newcomer", n), 1))
			if there := listed(t, s); there[key] || (n+1 < len(idle) && !there[idle[n+1]]) {
				t.Fatalf("create number %d: the anonymous record idle longest is not the one that went", n)
			}
		}
		for i := 0; i < bound; i += 2 {
			if !has(t, s, fmt.Sprint(i)) {
				t.Errorf("signed-in record %d went though there were anonymous ones", i)
			}
		}
	})
}

// listed returns the keys of all records without using any of them.
func listed(t *testing.T, s *memstore.Store) map[string]bool {
	t.Helper()
	keys, cursor := make(map[string]bool), ""
	for {
		page, next, err := s.List(t.Context(), "", cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			keys[rec.Key] = true
		}
		if cursor = next; next == "" {
			return keys
		}
	}
}

func TestD3SignedInGoLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Options{MaxRecords: 3})
		for i := range 3 {
			mustSave(t, s, record(fmt.Sprint(i), "someone", 1))
			later()
		}
		has(t, s, "0")
		mustSave(t, s, record("new", "", 1))
		if has(t, s, "1") || !has(t, s, "0") || !has(t, s, "2") || !has(t, s, "new") {
			t.Error("the signed-in record idle longest is not the one that went")
		}
	})
}

func TestD3KeepSignedInRefuses(t *testing.T) {
	t.Parallel()
	rec := record("0", "someone", 100)
	size := costs(t, rec)
	s := memstore.New(memstore.Options{MaxRecords: 3, MaxBytes: 3*size + 50, KeepSignedIn: true})
	for i := range 2 {
		rec.Key = fmt.Sprint(i)
		mustSave(t, s, rec)
	}
	mustSave(t, s, record("anonymous", "", 1))
	mustSave(t, s, record("2", "someone", 100)) // in the place of the anonymous one
	for _, subject := range []string{"", "someone"} {
		if _, err := s.Save(t.Context(), record("new", subject, 1)); !errors.Is(err, store.ErrFull) {
			t.Errorf("Save of a new record = %v, want ErrFull", err)
		}
	}
	old, err := s.Load(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	grown := old
	grown.Data = make([]byte, 151)
	if _, err := s.Save(t.Context(), grown); !errors.Is(err, store.ErrFull) {
		t.Errorf("Save of a record that has grown = %v, want ErrFull", err)
	}
	if now, err := s.Load(t.Context(), "0"); err != nil || now.Version != old.Version || len(now.Data) != 100 {
		t.Errorf("after ErrFull the record before is version %d with %d bytes, %v", now.Version, len(now.Data), err)
	}
	grown.Data = make([]byte, 150)
	mustSave(t, s, grown)
	if s.Len() != 3 {
		t.Errorf("Len() = %d, want the 3 signed-in ones", s.Len())
	}
}

func TestD3GrowingRecordMakesRoom(t *testing.T) {
	t.Parallel()
	const size = 1000
	each := costs(t, record("00", "", size))
	s := memstore.New(memstore.Options{MaxBytes: 20 * each})
	var first store.Record
	for i := range 20 {
		rec := mustSave(t, s, record(fmt.Sprintf("%02d", i), "", size))
		if i == 0 {
			first = rec
		}
	}
	first.Data = make([]byte, size+5*int(each)) // the one idle longest is the one that grows
	mustSave(t, s, first)
	there := listed(t, s)
	if !there["00"] {
		t.Error("a record that grew made room for itself by going")
	}
	for i := 1; i < 20; i++ {
		if key := fmt.Sprintf("%02d", i); there[key] != (i > 5) {
			t.Errorf("record %s is there: %v; those that had to go are 01 to 05, idle longest", key, there[key])
		}
	}
	first, _ = s.Load(t.Context(), "00")
	first.Data = make([]byte, 20*int(each)-int(each)+size)
	mustSave(t, s, first)
	if s.Len() != 1 || s.Bytes() != 20*each {
		t.Errorf("Len() = %d, Bytes() = %d, want the one record that fills the store: %d", s.Len(), s.Bytes(), 20*each)
	}
	first, _ = s.Load(t.Context(), "00")
	first.Data = make([]byte, len(first.Data)+1)
	if _, err := s.Save(t.Context(), first); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save of a record beyond MaxBytes = %v, want ErrTooLarge", err)
	}
}

// watch looks at the bound all the while f runs.
func watch(t *testing.T, s *memstore.Store, records int, bytes int64, f func()) {
	t.Helper()
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			if n, b := s.Len(), s.Bytes(); n > records || b > bytes || n < 0 || b < 0 {
				t.Errorf("the store holds %d records and %d bytes, the bound is %d and %d", n, b, records, bytes)
				return
			}
			time.Sleep(10 * time.Microsecond)
		}
	})
	f()
	done.Store(true)
	wg.Wait()
}

func flood(t *testing.T, s *memstore.Store, workers, each, size int) {
	t.Helper()
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Save(t.Context(), record(fmt.Sprintf("flood-%d-%d", n, i), "", size)); err != nil {
					t.Errorf("Save of an anonymous record = %v, want success: others may go", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestD3BoundHoldsByCount(t *testing.T) {
	t.Parallel()
	const bound = 100
	s := memstore.New(memstore.Options{MaxRecords: bound})
	watch(t, s, bound, memstore.DefaultMaxBytes, func() { flood(t, s, 8, 5000, 1) })
	if s.Len() != bound {
		t.Errorf("Len() = %d after the flood, want %d: more has gone than had to", s.Len(), bound)
	}
}

func TestD3BoundHoldsByBytes(t *testing.T) {
	t.Parallel()
	const bound = 100_000
	s := memstore.New(memstore.Options{MaxBytes: bound})
	watch(t, s, memstore.DefaultMaxRecords, bound, func() { flood(t, s, 8, 3000, 1000) })
	if each := costs(t, record("flood-0-1234", "", 1000)); s.Bytes() < bound-2*each {
		t.Errorf("Bytes() = %d after the flood, the bound is %d: more has gone than had to", s.Bytes(), bound)
	}
}

// TestD3LastPlaceIsGiven has two creates race for the one place that is left. One must get it.
func TestD3LastPlaceIsGiven(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{MaxRecords: 2, KeepSignedIn: true})
	mustSave(t, s, record("kept", "someone", 1))
	for round := range 5000 {
		var stored atomic.Int32
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() {
				_, err := s.Save(t.Context(), record(fmt.Sprint(n), "someone", 1))
				if err == nil {
					stored.Add(1)
				} else if !errors.Is(err, store.ErrFull) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if stored.Load() != 1 || s.Len() != 2 {
			t.Fatalf("round %d: %d of 3 creates got the one free place, Len() = %d", round, stored.Load(), s.Len())
		}
		for n := range 3 {
			if err := s.Delete(t.Context(), fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestD3LargeRecordIsNotStarved has a record that needs the room of many compete with small ones.
func TestD3LargeRecordIsNotStarved(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{MaxBytes: 1 << 20})
	var done atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer done.Store(true)
	for n := range 4 {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				_, _ = s.Save(t.Context(), record(fmt.Sprintf("small-%d-%d", n, i), "", 1))
			}
		})
	}
	for i := range 20 {
		mustSave(t, s, record(fmt.Sprint("large", i), "someone", 600_000))
	}
}

func TestD3FloodSparesSignedIn(t *testing.T) {
	t.Parallel()
	const bound, signedIn = 2000, 500
	each := 25_000 // of 4 workers, twice
	if testing.Short() {
		each /= 10
	}
	for _, keep := range []bool{false, true} {
		s := memstore.New(memstore.Options{MaxRecords: bound, KeepSignedIn: keep})
		for i := range signedIn {
			mustSave(t, s, record(fmt.Sprint("kept", i), "someone", 1))
		}
		watch(t, s, bound, memstore.DefaultMaxBytes, func() { flood(t, s, 4, each, 1) })
		for i := range signedIn {
			if !has(t, s, fmt.Sprint("kept", i)) {
				t.Errorf("KeepSignedIn %v: the flood has swept signed-in record %d away", keep, i)
			}
		}
		if s.Len() != bound {
			t.Errorf("Len() = %d after the flood, want %d", s.Len(), bound)
		}
	}
}

func TestExpiredAreDroppedByAndBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Options{})
		const records = 1000
		for i := range records {
			rec := record(fmt.Sprint(i), "", 1)
			rec.Expires = time.Now().Add(time.Minute)
			mustSave(t, s, rec)
		}
		time.Sleep(time.Minute)
		if s.Len() != records {
			t.Fatalf("Len() = %d before any operation, want %d: there is nobody to drop them", s.Len(), records)
		}
		before := s.Len()
		has(t, s, "absent")
		if dropped := before - s.Len(); dropped > 8 {
			t.Errorf("one operation dropped %d records; that is a sweep, which others have to wait for", dropped)
		}
		for i := range 3 * records {
			has(t, s, fmt.Sprint("absent", i))
		}
		if s.Len() != 0 || s.Bytes() != 0 {
			t.Errorf("Len() = %d, Bytes() = %d after many operations, want 0", s.Len(), s.Bytes())
		}
	})
}

// TestFarExpiryDoesNotBlockOthers stores a record whose expiry is beyond what nanoseconds since 1970 can count.
func TestFarExpiryDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Options{})
		const far, records = 64 * 20, 1000
		for i := range far {
			rec := record(fmt.Sprint("far", i), "", 1)
			rec.Expires = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
			mustSave(t, s, rec)
		}
		for i := range records {
			rec := record(fmt.Sprint(i), "", 1)
			rec.Expires = time.Now().Add(time.Minute)
			mustSave(t, s, rec)
		}
		time.Sleep(time.Minute)
		for i := range 3 * records {
			has(t, s, fmt.Sprint("absent", i))
		}
		if s.Len() != far {
			t.Errorf("Len() = %d, want the %d that live on: expired ones stay behind those that expire in 2300", s.Len(), far)
		}
	})
}

func TestWalksRefuseCursorsThatTheyNeverHandOut(t *testing.T) {
	t.Parallel()
	const bound = 100
	s := memstore.New(memstore.Options{MaxRecords: bound})
	walk := func(cursor string) (list, keys error) {
		_, _, list = s.List(t.Context(), "", cursor, 1)
		_, _, keys = s.SubjectKeys(t.Context(), "someone", cursor, 1)
		return list, keys
	}
	for _, cursor := range []string{
		"0", "1", "-", "-0", "0-", "0-0-0", "+1-0", "01-0", "0x1-0", "1e1-0", "1-0 ", " 1-0", "0-00", "0-+1", "0--1", "-1-0", "0-1e1", "a-0", "0-a",
		fmt.Sprint("0-", bound), "0-4294967295", "0-4294967296", "63-0", "64-0", "64-1", "9223372036854775807-1", "9223372036854775808-1",
	} {
		if list, keys := walk(cursor); list == nil || keys == nil {
			t.Errorf("List or SubjectKeys(cursor %q) succeeded, but the store never hands that out", cursor)
		}
	}
	for _, cursor := range []string{"", "0-0", "62-0", "63-1", fmt.Sprint("0-", bound-1)} {
		if list, keys := walk(cursor); list != nil || keys != nil {
			t.Errorf("List and SubjectKeys(cursor %q) = %v, %v, but the store may have handed that out when it held more", cursor, list, keys)
		}
	}
}

func TestCloseEmptiesAndLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	s := memstore.New(memstore.Options{})
	rec := mustSave(t, s, record("a", "someone", 100))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 0 || s.Bytes() != 0 || has(t, s, "a") {
		t.Errorf("Len() = %d, Bytes() = %d after Close, want an empty store", s.Len(), s.Bytes())
	}
	if found, err := s.BySubject(t.Context(), "someone"); err != nil || len(found) != 0 {
		t.Errorf("BySubject after Close = %d records, %v", len(found), err)
	}
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save with a version after Close = %v, want ErrNotFound", err)
	}
	if again := mustSave(t, s, record("a", "", 1)); again.Version == rec.Version {
		t.Error("a version was used again after Close")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("Close again = %v", err)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestCloseWhileInUse(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{MaxRecords: 50})
	var wg sync.WaitGroup
	wg.Go(func() { flood(t, s, 3, 2000, 10) })
	for range 200 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if err := s.Close(); err != nil || s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("Close = %v, Len() = %d, Bytes() = %d: the account has drifted", err, s.Len(), s.Bytes())
	}
}
