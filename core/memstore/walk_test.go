package memstore

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// walk calls visit with each page of a walk.
func (s *Store) walk(t *testing.T, prefix string, limit int, visit func(page []store.Record, next string)) {
	t.Helper()
	cursor := ""
	for range 100_000 {
		page, next, err := s.List(t.Context(), prefix, cursor, limit)
		if err != nil {
			t.Fatalf("List(cursor %q) = %v", cursor, err)
		}
		if visit(page, next); next == "" {
			return
		}
		cursor = next
	}
	t.Fatal("the walk does not end")
}

// TestListPagesAreAsLongAsAskedFor walks shards that have more records than a page, and shards that have fewer.
func TestListPagesAreAsLongAsAskedFor(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	const records = 3000
	for n := range records {
		s.must(t, typical(n, ""))
		s.must(t, store.Record{Key: fmt.Sprint("other", n)})
	}
	for _, limit := range []int{1, 2, 7, 20, 100, records, 2 * records} {
		seen := make(map[string]int)
		s.walk(t, "session:", limit, func(page []store.Record, next string) {
			if len(page) > limit || (next != "" && len(page) < limit) {
				t.Errorf("List(limit %d) = %d records, next %q", limit, len(page), next)
			}
			for _, rec := range page {
				seen[rec.Key]++
			}
		})
		for n := range records {
			if key := typical(n, "").Key; seen[key] != 1 || len(seen) != records {
				t.Fatalf("limit %d: %q was returned %d times, %d others", limit, key, seen[key], len(seen)-1)
			}
		}
	}
}

// TestListWithoutLimit checks that a page then has the records of one shard, all of them.
func TestListWithoutLimit(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	const records = 300
	for n := range records {
		s.must(t, typical(n, ""))
	}
	for _, limit := range []int{0, -1, -1000} {
		total := 0
		s.walk(t, "", limit, func(page []store.Record, next string) {
			if len(page) == 0 && next == "" {
				return // the last shards may be empty
			}
			total += len(page)
			sh, _ := s.locate(page[0].Key)
			if n := sh.entries.len; len(page) != int(n) || !s.in(sh, page[len(page)-1].Key) {
				t.Errorf("List(limit %d) = %d records, the shard of the first has %d", limit, len(page), n)
			}
		})
		if total != records {
			t.Errorf("List(limit %d) returned %d records, want %d", limit, total, records)
		}
	}
}

// crowd is records of a few shards, some of which stay while others come and go.
type crowd struct {
	store  *Store
	random *rand.Rand
	stay   []store.Record
	others []string
}

// newCrowd returns a crowd that is half there. The number tells its keys from those of another one.
func newCrowd(t *testing.T, s *Store, number int) *crowd {
	t.Helper()
	c := &crowd{store: s, random: rand.New(rand.NewPCG(uint64(number), 11))} //nolint:gosec // a test's choice of what to do next
	for n := 0; len(c.stay) < 60; n++ {
		key := fmt.Sprintf("%d:%d", number, n)
		if !s.in(&s.shards[0], key) && !s.in(&s.shards[shardCount-1], key) {
			continue
		}
		if n%2 == 0 {
			c.stay = append(c.stay, s.must(t, store.Record{Key: key, Subject: "someone"}))
		} else {
			c.others = append(c.others, s.must(t, store.Record{Key: key}).Key)
		}
	}
	return c
}

// stir replaces one that stays, or creates or deletes one of the others.
func (c *crowd) stir(ctx context.Context) (err error) {
	if c.random.IntN(4) == 0 {
		rec := &c.stay[c.random.IntN(len(c.stay))]
		rec.Data = make([]byte, c.random.IntN(100))
		*rec, err = c.store.Save(ctx, *rec)
		return err
	}
	key := c.others[c.random.IntN(len(c.others))]
	rec, err := c.store.Load(ctx, key)
	if err == nil && c.random.IntN(2) == 0 {
		return c.store.Delete(ctx, key)
	}
	rec.Key, rec.Subject = key, []string{"", "someone", "another"}[c.random.IntN(3)]
	_, err = c.store.Save(ctx, rec)
	return err
}

// missed returns how many of those that stay a walk does not return. Between the pages it calls others.
func (c *crowd) missed(t *testing.T, limit int, others func()) int {
	t.Helper()
	missing := c.waiting()
	c.store.walk(t, "", limit, func(page []store.Record, _ string) {
		for _, rec := range page {
			delete(missing, rec.Key)
		}
		others()
	})
	return len(missing)
}

// missedKeys is like missed, with a walk of the subject of those that stay.
func (c *crowd) missedKeys(t *testing.T, limit int, others func()) int {
	t.Helper()
	missing := c.waiting()
	c.store.walkKeys(t, "someone", limit, func(keys []string, _ string) {
		for _, key := range keys {
			delete(missing, key)
		}
		others()
	})
	return len(missing)
}

// waiting returns the keys of those that stay.
func (c *crowd) waiting() map[string]bool {
	keys := make(map[string]bool)
	for _, rec := range c.stay {
		keys[rec.Key] = true
	}
	return keys
}

// walks are the two kinds of walks that may miss records of a crowd.
func walks() map[string]func(c *crowd, t *testing.T, limit int, others func()) int {
	return map[string]func(c *crowd, t *testing.T, limit int, others func()) int{
		"List": (*crowd).missed, "SubjectKeys": (*crowd).missedKeys,
	}
}

// TestWalksMissNothingThatStays changes the store between the pages of a walk.
func TestWalksMissNothingThatStays(t *testing.T) {
	t.Parallel()
	for name, missed := range walks() {
		s := New(Options{})
		for number := range 60 {
			c := newCrowd(t, s, number)
			n := missed(c, t, 1+number%7, func() {
				for range number % 20 {
					if err := c.stir(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
			if n > 0 {
				t.Errorf("%s, crowd %d: a walk missed %d records that were there throughout", name, number, n)
			}
			verify(t, s)
			_ = s.Close()
		}
	}
}

// TestWalksMissNothingMeanwhile changes the store all the time.
func TestWalksMissNothingMeanwhile(t *testing.T) {
	t.Parallel()
	for name, missed := range walks() {
		for round := range 7 {
			s := New(Options{})
			crowds := []*crowd{newCrowd(t, s, 0), newCrowd(t, s, 1), newCrowd(t, s, 2)}
			between, stop := stirring(t, crowds[:2])
			// Those of the last crowd lie at the end, from where they move into the gaps that the others leave.
			if n := missed(crowds[2], t, 1+round%7, between); n > 0 {
				t.Errorf("%s, walk %d missed %d records that were there throughout", name, round, n)
			}
			stop()
			verify(t, s)
		}
	}
}

// stirring has crowds stirred until stop is called. A call of between waits for a few changes.
func stirring(t *testing.T, crowds []*crowd) (between, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var changes atomic.Int64
	var wg sync.WaitGroup
	for _, c := range crowds {
		wg.Go(func() {
			for ; ctx.Err() == nil; changes.Add(1) {
				if err := c.stir(ctx); err != nil {
					t.Error(err)
					cancel()
				}
			}
		})
	}
	between = func() {
		for few := changes.Load() + 5; changes.Load() < few && ctx.Err() == nil; {
			runtime.Gosched()
		}
	}
	return between, func() { cancel(); wg.Wait() }
}

// TestListGoesOnInAShardThatShrank has a cursor that points behind what is left, where old entries may lie.
func TestListGoesOnInAShardThatShrank(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	var keys, got []string
	for n := 0; len(keys) < 5*blockLen; n++ {
		if key := fmt.Sprint(n); s.in(&s.shards[0], key) {
			keys = append(keys, s.must(t, store.Record{Key: key}).Key)
		}
	}
	const left = blockLen / 2
	s.walk(t, "", 1, func(page []store.Record, _ string) {
		for _, key := range keys[left:] {
			_ = s.Delete(t.Context(), key)
		}
		for _, rec := range page {
			got = append(got, rec.Key)
		}
	})
	slices.Reverse(got[1:])
	if got[0] != keys[len(keys)-1] || !slices.Equal(got[1:], keys[:left]) {
		t.Errorf("the walk returned %q, want the last record and those that are left", got)
	}
}

// walkKeys calls visit with each page of a walk of a subject.
func (s *Store) walkKeys(t *testing.T, subject string, limit int, visit func(keys []string, next string)) {
	t.Helper()
	cursor := ""
	for range 100_000 {
		keys, next, err := s.SubjectKeys(t.Context(), subject, cursor, limit)
		if err != nil {
			t.Fatalf("SubjectKeys(cursor %q) = %v", cursor, err)
		}
		if visit(keys, next); next == "" {
			return
		}
		cursor = next
	}
	t.Fatal("the walk does not end")
}

// TestSubjectKeysPagesAreAsLongAsAskedFor walks a subject with more records in a shard than a page has, and with fewer.
func TestSubjectKeysPagesAreAsLongAsAskedFor(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	const records = 3000
	for n := range 2 * records {
		s.must(t, typical(n, []string{"someone", "another"}[n%2]))
	}
	for _, limit := range []int{1, 2, 7, 20, 100, records, 2 * records, math.MaxInt, 0, -1} {
		seen := make(map[string]int)
		s.walkKeys(t, "someone", limit, func(keys []string, next string) {
			most := limit
			if most <= 0 {
				most = defaultKeys
			}
			if len(keys) > most || (next != "" && len(keys) < most) {
				t.Errorf("SubjectKeys(limit %d) = %d keys, next %q", limit, len(keys), next)
			}
			for _, key := range keys {
				seen[key]++
			}
		})
		for n := range records {
			if key := typical(2*n, "").Key; seen[key] != 1 || len(seen) != records {
				t.Fatalf("limit %d: %q was returned %d times, %d others", limit, key, seen[key], len(seen)-1)
			}
		}
	}
}

// TestSubjectKeysTakesMemoryForAPage walks a subject with very many records in small pages.
func TestSubjectKeysTakesMemoryForAPage(t *testing.T) {
	s := New(Options{})
	const records, limit = 64_000, 10
	for n := range records {
		s.must(t, typical(n, "someone"))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	keys, _, err := s.SubjectKeys(t.Context(), "someone", "", limit)
	runtime.ReadMemStats(&after)
	if err != nil || len(keys) != limit {
		t.Fatalf("SubjectKeys = %d keys, %v", len(keys), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 500*limit {
		t.Errorf("a page of %d keys took %d bytes", limit, took)
	}
}

// TestCount counts under prefixes that end before, in and behind what keys keep packed.
func TestCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		var keys []string
		for n := range 400 {
			rec := typical(n, []string{"", "someone"}[n%2])
			s.must(t, rec)
			keys = append(keys, rec.Key)
			s.must(t, store.Record{Key: fmt.Sprint("other", n), Expires: time.Now().Add(time.Minute)})
		}
		time.Sleep(time.Minute)
		for _, prefix := range []string{"", "s", "session:", "sessions", keys[7][:9], keys[7][:10], keys[7][:17], keys[7][:40], keys[7], keys[7] + "0", "other"} {
			want := 0
			for _, key := range keys {
				if strings.HasPrefix(key, prefix) {
					want++
				}
			}
			if n, err := s.Count(t.Context(), prefix); err != nil || n != want {
				t.Errorf("Count(%q) = %d, %v, want %d", prefix, n, err, want)
			}
		}
		if s.Len() != 2*len(keys) {
			t.Errorf("Len() = %d, want the expired ones still there", s.Len())
		}
	})
}

// TestCountAllocatesNothing counts under prefixes that end before and in what keys keep packed.
func TestCountAllocatesNothing(t *testing.T) {
	s := New(Options{})
	for n := range 500 {
		s.must(t, typical(n, ""))
		s.must(t, store.Record{Key: fmt.Sprint("session:", n)})
	}
	for prefix, want := range map[string]int{"": 1000, "session:": 1000, typical(7, "").Key: 1, "nothing": 0} {
		got := testing.AllocsPerRun(20, func() {
			if n, err := s.Count(t.Context(), prefix); err != nil || n != want {
				t.Fatalf("Count(%q) = %d, %v, want %d", prefix, n, err, want)
			}
		})
		if got > 0 {
			t.Errorf("Count(%q): %v allocations, want none", prefix, got)
		}
	}
}
