package memstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// smallest is what core makes of an anonymous session with one number in it.
const smallest = 81

// sessionKey returns the n-th of the keys that core would make.
func sessionKey(n int) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[8:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[:8], uint64(n)*0xbf58476d1ce4e5b9)
	return "session:" + id.String()
}

// anonymous, manyUsers and halfOne return whose the n-th session is.
func anonymous(int) string   { return "" }
func manyUsers(n int) string { return fmt.Sprintf("subject-of-a-user-whose-number-is-%09d", n) }

// halfOne gives one account every other session, and each user one of the others.
func halfOne(n int) string { return manyUsers(n * (n % 2)) }

// filled returns a store with so many small sessions; every other one expires at soon.
func filled(tb testing.TB, sessions, size int, soon time.Time, subject func(n int) string) *memstore.Store {
	tb.Helper()
	s := memstore.New(memstore.Options{MaxRecords: sessions, MaxBytes: 1 << 40})
	late := time.Now().Add(time.Hour)
	for n := range sessions {
		rec := store.Record{Key: sessionKey(n), Subject: subject(n), Data: make([]byte, size), Expires: late}
		if n%2 == 1 {
			rec.Expires = soon
		}
		if _, err := s.Save(tb.Context(), rec); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// heap returns the bytes and the objects that are alive.
func heapInUse() (size, objects uint64) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc, stats.HeapObjects
}

// collection returns the median time of a full collection.
func collection() time.Duration {
	times := make([]time.Duration, 9)
	for i := range times {
		start := time.Now()
		runtime.GC()
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// longest makes requests for sessions that live on, on each processor, while there are more than least records, but at
// least some of them, and returns the longest that one took.
func longest(ctx context.Context, s *memstore.Store, sessions, least int) time.Duration {
	var worst atomic.Int64
	var wg sync.WaitGroup
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = sessionKey(i * 2 % sessions)
	}
	for p := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := p; i < sessions/2 || s.Len() > least; i++ {
				start := time.Now()
				_, _ = s.Load(ctx, keys[i*7%len(keys)])
				if took := int64(time.Since(start)); took > worst.Load() {
					worst.Store(took)
				}
			}
		})
	}
	wg.Wait()
	return time.Duration(worst.Load())
}

// BenchmarkMillion keeps a million sessions, and lets half of them expire. It is meant for -benchtime 1x. stall-ns is the
// longest request while they expire, calm-ns the longest of as many requests afterwards: what the machine does to them.
func BenchmarkMillion(b *testing.B) {
	const sessions = 1_000_000
	for _, size := range []int{smallest, 120} {
		b.Run(fmt.Sprint("data=", size), func(b *testing.B) {
			for b.Loop() {
				before, objectsBefore := heapInUse()
				soon := time.Now().Add(15 * time.Second)
				s := filled(b, sessions, size, soon, anonymous)
				after, objects := heapInUse()
				b.ReportMetric(float64(after-before)/sessions, "B/session")
				b.ReportMetric(float64(objects-objectsBefore)/sessions, "objects/session")
				b.ReportMetric(float64(collection())/1e6, "gc-ms")
				time.Sleep(time.Until(soon))
				b.ReportMetric(float64(longest(b.Context(), s, sessions, sessions/2)), "stall-ns")
				b.ReportMetric(float64(longest(b.Context(), s, sessions, sessions)), "calm-ns")
				if s.Len() != sessions/2 {
					b.Fatalf("%d sessions are left", s.Len())
				}
				after, _ = heapInUse()
				b.ReportMetric(float64(after-before)/(sessions/2), "B/session-left")
				runtime.KeepAlive(s)
			}
		})
	}
}

// BenchmarkParallel loads sessions, and saves every tenth, on one processor and on two.
func BenchmarkParallel(b *testing.B) {
	const sessions = 100_000
	s := filled(b, sessions, smallest, time.Now().Add(time.Hour), anonymous)
	keys := make([]string, sessions)
	for n := range keys {
		keys[n] = sessionKey(n)
	}
	for _, processors := range []int{1, 2} {
		b.Run("procs="+strconv.Itoa(processors), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			b.ReportAllocs()
			var worker atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(worker.Add(1)) * 5003; pb.Next(); i += 7919 {
					rec, err := s.Load(b.Context(), keys[i%sessions])
					if err == nil && i%10 == 0 {
						_, err = s.Save(b.Context(), rec)
					}
					if err != nil && !errors.Is(err, store.ErrConflict) { // the other was there as well
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkMethods measures one call at a time among 100,000 sessions, anonymous ones and those of as many users.
func BenchmarkMethods(b *testing.B) {
	benchmarkMethods(b, anonymous)
	b.Run("SignedIn", func(b *testing.B) { benchmarkMethods(b, manyUsers) })
}

func benchmarkMethods(b *testing.B, subject func(n int) string) {
	b.Helper()
	const sessions = 100_000
	s := filled(b, sessions, smallest, time.Now().Add(time.Hour), subject)
	recs := make([]store.Record, sessions)
	for n := range recs {
		recs[n], _ = s.Load(b.Context(), sessionKey(n))
	}
	for _, method := range []struct {
		name string
		call func(rec *store.Record) error
	}{
		{"Load", func(rec *store.Record) error {
			got, err := s.Load(b.Context(), rec.Key)
			if len(got.Data) != smallest || got.Data[smallest-1] != 0 { // as whoever loads a record reads it
				b.Error("not the data that was saved")
			}
			return err
		}},
		{"Touch", func(rec *store.Record) error {
			rec.Expires = rec.Expires.Add(time.Millisecond)
			return s.Touch(b.Context(), *rec)
		}},
		{"Save", func(rec *store.Record) (err error) { *rec, err = s.Save(b.Context(), *rec); return err }},
		{"Replace", func(rec *store.Record) (err error) {
			if err = s.Delete(b.Context(), rec.Key); err == nil {
				rec.Version = 0
				*rec, err = s.Save(b.Context(), *rec)
			}
			return err
		}},
	} {
		b.Run(method.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i += 7919 {
				if err := method.call(&recs[i%sessions]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFull saves new sessions in a full store of 100,000, by what takes them their room.
func BenchmarkFull(b *testing.B) {
	const sessions = 100_000
	for _, kind := range []struct {
		name   string
		filled func(n int) string
		saved  func(n int) string
	}{
		{"Visitors", anonymous, anonymous},
		{"Users", manyUsers, manyUsers},
		{"OneAccount", halfOne, func(int) string { return manyUsers(0) }},
		{"BesideOneAccount", halfOne, manyUsers},
	} {
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			s := filled(b, sessions, smallest, time.Now().Add(time.Hour), kind.filled)
			data := make([]byte, smallest)
			for n := sessions; b.Loop(); n++ {
				rec := store.Record{Key: sessionKey(n), Subject: kind.saved(n), Data: data}
				if _, err := s.Save(b.Context(), rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
