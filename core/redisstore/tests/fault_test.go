package tests_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestFaults breaks servers that keep what they have acknowledged. One client repeats calls by itself and one does not, so
// that its store meets partial replies.
func TestFaults(t *testing.T) {
	backend := func(name string, spec testserver.Redis, open faulttest.Open) faulttest.Backend {
		spec.AppendOnly, spec.Password = true, "the-password"
		return faulttest.Backend{
			Name: name, Open: open, Kill: faulttest.Nothing, Conns: 16,
			Start: func(tb testing.TB) (*testserver.Server, string) {
				tb.Helper()
				server := testserver.Start(tb, spec)
				address := server.URL()
				return server, address
			},
			Deny: func(server *testserver.Server, address string) string {
				return strings.Replace(address, server.Password(), faulttest.WrongPassword, 1)
			},
		}
	}
	once := func(address string) (store.Store, func() error, error) { return openWith(address, -1) }
	faulttest.Faults(t,
		backend("Redis", testserver.Redis{}, openAt),
		backend("Valkey", testserver.Redis{Valkey: true}, once),
	)
}

// writeThrough has whole sessions written while fault does its worst.
func writeThrough(t *testing.T, s *redisstore.Store, lossy bool, fault func()) {
	t.Helper()
	loss := faulttest.Nothing
	if lossy {
		loss = faulttest.Recent
	}
	faulttest.Through(t, s, loss, fault)
}

// fill writes until the server refuses or n records are written.
func fill(t *testing.T, s *redisstore.Store, n int) error {
	t.Helper()
	for i := range n {
		rec := record(fmt.Sprint("fill:", i))
		rec.Data = make([]byte, 16<<10)
		if _, err := s.Save(t.Context(), rec); err != nil {
			return err
		}
	}
	return nil
}

// TestFull has a server without memory that may evict nothing: an error, and what is stored stays and can be ended.
func TestFull(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]testserver.Redis{"Redis": {}, "Valkey": {Valkey: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := place{Where: testserver.Start(t, spec).URL()}.open(t)
			rec := mustSave(t, s, recordFor("kept", "somebody"))
			moved := mustSave(t, s, recordFor("moved", "somebody"))
			moved.Subject = "else"
			mustSave(t, s, moved)
			memory(t, client, "1") // less than it has taken
			for _, subject := range []string{"", "somebody", "new"} {
				next := rec
				next.Subject, next.Data = subject, []byte("changed")
				if _, err := s.Save(t.Context(), next); !errors.Is(err, store.ErrFull) {
					t.Errorf("Save without memory = %v, want ErrFull", err)
				}
				if _, err := s.Save(t.Context(), recordFor("new", subject)); !errors.Is(err, store.ErrFull) {
					t.Errorf("Save of a new record without memory = %v, want ErrFull", err)
				}
			}
			rec.Expires = rec.Expires.Add(time.Hour)
			if err := s.Touch(t.Context(), rec); err != nil {
				t.Errorf("Touch without memory = %v, want success", err)
			}
			got, err := s.Load(t.Context(), rec.Key)
			if err != nil || got.Version != rec.Version || !bytes.Equal(got.Data, rec.Data) || got.Expires.Before(rec.Expires) {
				t.Errorf("Load = %+v, %v, want the record as it was, touched", got, err)
			}
			belongs(t, s, "somebody", rec.Key)
			stray(t, client, "somebody", "stray")
			belongs(t, s, "somebody", rec.Key)
			if err := client.Unlink(t.Context(), "sessions-of:somebody").Err(); err != nil {
				t.Fatal(err)
			}
			if err := s.Touch(t.Context(), rec); err != nil {
				t.Errorf("Touch that only puts the entry back, without memory = %v, want success", err)
			}
			belongs(t, s, "somebody", rec.Key)
			mustDelete(t, s, rec.Key)
			if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load after Delete without memory = %v, want ErrNotFound", err)
			}
			memory(t, client, "0")
			recovers(t, s)
		})
	}
}

// stray puts an entry without a record into the index of a subject, by a script, which works without memory.
func stray(t *testing.T, client redis.UniversalClient, subject, member string) {
	t.Helper()
	const script = "redis.call('PERSIST', KEYS[1]) return redis.call('ZADD', KEYS[1], '+inf', ARGV[1])"
	if err := client.Eval(t.Context(), script, []string{"sessions-of:" + subject}, member).Err(); err != nil {
		t.Fatal(err)
	}
}

func memory(t *testing.T, client redis.UniversalClient, limit string) {
	t.Helper()
	if err := client.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestEviction has a server that makes room: an evicted session is just gone, and the index does without it.
func TestEviction(t *testing.T) {
	t.Parallel()
	_, s := place{Where: testserver.Start(t, testserver.Redis{MaxMemory: "6mb", Policy: "allkeys-lru"}).URL()}.openAccepting(t)
	var first []store.Record
	for i := range 20 {
		first = append(first, mustSave(t, s, recordFor(fmt.Sprint("first:", i), "somebody")))
	}
	gone := func() bool {
		for _, rec := range first {
			if _, err := s.Load(t.Context(), rec.Key); errors.Is(err, store.ErrNotFound) {
				return true
			}
		}
		return false
	}
	for range 100 {
		if err := fill(t, s, 500); err != nil {
			t.Fatalf("Save = %v, want success by eviction", err)
		}
		if gone() {
			break
		}
	}
	left := 0
	for _, rec := range first {
		_, err := s.Load(t.Context(), rec.Key)
		if errors.Is(err, store.ErrNotFound) {
			if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Save of an evicted record = %v, want ErrNotFound", err)
			}
			continue
		}
		if left++; err != nil {
			t.Errorf("Load = %v", err)
		}
	}
	if left == len(first) {
		t.Error("nothing was evicted")
	}
	if found, err := s.BySubject(t.Context(), "somebody"); err != nil || len(found) > left {
		t.Errorf("BySubject = %d records, %v, want %d at most", len(found), err, left)
	}
	recovers(t, s)
}
