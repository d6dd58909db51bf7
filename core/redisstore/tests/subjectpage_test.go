package tests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// walk collects the keys of a subject in pages, and calls between after each page.
func walk(t *testing.T, s *redisstore.Store, subject string, limit int, between func(page []string)) (keys []string, pages int) {
	t.Helper()
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		page, next, err := s.SubjectKeys(t.Context(), subject, cursor, limit)
		if err != nil {
			t.Fatalf("SubjectKeys = %v", err)
		}
		if pages > 10_000 {
			t.Fatal("the walk does not end")
		}
		keys, cursor = append(keys, page...), next
		if between != nil {
			between(page)
		}
	}
	return keys, pages
}

// sameKeys checks that a walk has returned all keys that it had to, and none that it may not.
func sameKeys(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%s: a walk returned %d keys, want %d: %.300q and %.300q", what, len(got), len(want), got, want)
	}
}

// ofSubject creates n records of a subject.
func ofSubject(t *testing.T, s *redisstore.Store, subject string, n int) (records []store.Record, keys []string) {
	t.Helper()
	prefix := key("")
	for i := range n {
		rec := mustSave(t, s, recordFor(fmt.Sprint(prefix, i), subject))
		records, keys = append(records, rec), append(keys, rec.Key)
	}
	return records, keys
}

// sizes are a few, what the server returns as a whole, and more.
func sizes() []int { return []int{0, 1, 7, 128, 400} }

func TestSubjectKeys(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		for _, n := range sizes() {
			subject := key("subject")
			_, want := ofSubject(t, s, subject, n)
			mustSave(t, s, recordFor(key("else"), key("else")))
			for _, limit := range []int{-1, 0, 1, 10, 100_000} {
				largest := 0
				got, pages := walk(t, s, subject, limit, func(page []string) { largest = max(largest, len(page)) })
				sameKeys(t, fmt.Sprint(n, " by ", limit), got, want)
				switch {
				case limit <= 0 && pages > 1+n/100:
					t.Errorf("%d keys by %d took %d pages", n, limit, pages)
				case limit > 0 && largest > 3*limit+10:
					t.Errorf("%d keys by %d: a page had %d", n, limit, largest)
				}
			}
			// Every page is deleted, or moved to somebody else, before the next.
			half := 0
			got, _ := walk(t, s, subject, 10, func(page []string) {
				for _, k := range page {
					if half++; half%2 == 0 {
						mustDelete(t, s, k)
						continue
					}
					rec, err := s.Load(t.Context(), k)
					if err != nil {
						t.Fatal(err)
					}
					rec.Subject = subject + "-former"
					mustSave(t, s, rec)
				}
			})
			sameKeys(t, fmt.Sprint(n, " that leave"), got, want)
			belongs(t, s, subject)
			database{t, client}.leavesNothing("the walk", "sessions-of:"+subject+"\n")
		}
	})
}

// TestSubjectKeysWhileTheyChange touches, shortens and adds sessions during the walk, and removes most of those it has seen.
func TestSubjectKeysWhileTheyChange(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, _ redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		for _, n := range []int{100, 400} {
			subject := key("subject")
			records, want := ofSubject(t, s, subject, n)
			seen, added := make(map[string]bool), make(map[string]bool)
			got, _ := walk(t, s, subject, 20, func(page []string) {
				for _, k := range page {
					if seen[k] = true; len(seen)%4 != 0 {
						mustDelete(t, s, k)
					}
				}
				for i, rec := range records {
					switch {
					case seen[rec.Key] || i%3 == 0:
						continue
					case i%3 == 1:
						rec.Expires = rec.Expires.Add(time.Hour)
					case i%3 == 2:
						rec.Expires = rec.Expires.Add(-time.Minute)
					}
					records[i] = mustSave(t, s, rec)
				}
				rec := mustSave(t, s, recordFor(key("added"), subject))
				added[rec.Key] = true
			})
			sameKeys(t, fmt.Sprint(n), slices.DeleteFunc(got, func(k string) bool { return added[k] }), want)
		}
	})
}

// TestSubjectKeysOfNoRecords has entries whose records have expired, have gone, or belong to somebody else.
func TestSubjectKeysOfNoRecords(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		for _, n := range sizes() {
			subject := key("subject")
			_, want := ofSubject(t, s, subject, n)
			ix := index{t, client, "sessions-of:" + subject}
			others := mustSave(t, s, recordFor(key("others"), key("else")))
			for i := range 200 {
				ix.put(fmt.Sprint("over", i), time.Now().Add(-time.Second))
				ix.put(fmt.Sprint("gone", i), time.Now().Add(time.Hour))
			}
			ix.put(others.Key, time.Now().Add(time.Hour))
			mark := "\x00" + key("marked") // of somebody who is about to look at the record
			ix.put(mark, time.Now().Add(time.Minute))
			got, _ := walk(t, s, subject, 30, nil)
			sameKeys(t, fmt.Sprint(n), got, want)
			belongs(t, s, subject, slices.Clone(want)...)
			if left := client.ZCard(t.Context(), ix.key).Val(); left != int64(n)+1 {
				t.Errorf("the index has %d entries after the walk, want those of %d records and a mark", left, n)
			}
			if _, ok := ix.ends(mark); !ok {
				t.Error("reading the index has removed somebody's mark")
			}
		}
	})
}

func TestSubjectKeysRefusesForeignCursors(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	subject := key("subject")
	ofSubject(t, s, subject, 3)
	_, cursor, err := s.SubjectKeys(t.Context(), subject, "", 1)
	if err != nil || cursor == "" {
		t.Fatalf("SubjectKeys = %q, %v, want a cursor", cursor, err)
	}
	_, listed, err := s.List(t.Context(), "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"x", "0", "7", strings.ToUpper(cursor), " " + cursor, listed + "x"} {
		for _, of := range []string{subject, ""} {
			if keys, next, err := s.SubjectKeys(t.Context(), of, foreign, 1); err == nil || len(keys) != 0 || next != "" {
				t.Errorf("SubjectKeys with the cursor %q = %q, %q, %v, want an error", foreign, keys, next, err)
			}
		}
	}
	if _, _, err := s.SubjectKeys(t.Context(), key("else"), cursor, 1); err == nil {
		t.Error("the cursor of another subject is accepted")
	}
	if keys, next, err := s.SubjectKeys(t.Context(), "", "", 1); err != nil || len(keys) != 0 || next != "" {
		t.Errorf("SubjectKeys of the empty subject = %q, %q, %v, want nothing", keys, next, err)
	}
	other := key("foreign")
	if err := client.Set(t.Context(), "sessions-of:"+other, "foreign", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.SubjectKeys(t.Context(), other, "", 1); err == nil {
		t.Error("SubjectKeys of something that is no index succeeds")
	}
}

// TestSubjectKeysAfterRestart restarts the server in the middle of a walk. The cursor of the server means nothing to the next
// one, whose tables have another order.
func TestSubjectKeysAfterRestart(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{AppendOnly: true})
	_, s := place{Where: server.URL()}.open(t)
	const n = 500
	_, want := ofSubject(t, s, "somebody", n)
	restarts := 0
	got, _ := walk(t, s, "somebody", n/4, func([]string) {
		if restarts++; restarts > 2 {
			return
		}
		server.Kill(t)
		server.Restart(t)
		eventually(t, "the server does not come back", func() bool { _, err := s.Load(t.Context(), want[0]); return err == nil })
	})
	sameKeys(t, "after restarts", got, want)
	if restarts < 3 {
		t.Errorf("the walk had %d pages", restarts)
	}
}

// TestSubjectKeysReadsNoData has few commands for a page, and none of them returns data.
func TestSubjectKeysReadsNoData(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		subject := key("subject")
		_, want := ofSubject(t, s, subject, 300)
		walk(t, s, subject, 100, nil) // the server knows the script
		seen := &traffic{}
		client.AddHook(seen)
		keys, _, err := s.SubjectKeys(t.Context(), subject, "", 100)
		if err != nil || len(keys) == 0 || len(keys) == len(want) {
			t.Fatalf("SubjectKeys = %d keys, %v", len(keys), err)
		}
		if n := len(seen.all); n != 1+2*len(keys) || seen.with("get") != 0 {
			t.Errorf("a page of %d took %d commands, want a script, and a header and a lifetime for each", len(keys), n)
		}
	})
}

// TestExpiredEntriesGoAtOnce has nothing but entries that are over: whoever reads the index removes them in one call, and
// looks for no records.
func TestExpiredEntriesGoAtOnce(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		subject := key("subject")
		belongs(t, s, subject)
		walk(t, s, subject, 0, nil)
		for range 20 { // on each server of a cluster
			belongs(t, s, key("nobody"))
			walk(t, s, key("nobody"), 0, nil)
		}
		counting := &counter{}
		client.AddHook(counting)
		for name, read := range map[string]func(){
			"BySubject":   func() { belongs(t, s, subject) },
			"SubjectKeys": func() { walk(t, s, subject, 1000, nil) },
		} {
			ix := index{t, client, "sessions-of:" + subject}
			for i := range 200 {
				ix.put(fmt.Sprint("over", i), time.Now().Add(-time.Second))
			}
			counting.trips.Store(0)
			read()
			if n := counting.trips.Load(); n != 1 {
				t.Errorf("%s took %d round trips, want 1", name, n)
			}
			if n := client.Exists(t.Context(), ix.key).Val(); n != 0 {
				t.Errorf("%s has left entries that are over", name)
			}
		}
	})
}
