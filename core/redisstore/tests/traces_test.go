package tests_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// database is all that the servers of a client have.
type database struct {
	testing.TB
	client redis.UniversalClient
}

// tracesLua returns the keys whose name or value contains ARGV[1]. It does not use DUMP, which compresses.
const tracesLua = `
local found, cursor = {}, '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind, text = redis.call('TYPE', key).ok, ''
    if kind == 'string' then
      text = redis.call('GET', key) or ''
    elseif kind == 'zset' then
      text = table.concat(redis.call('ZRANGE', key, 0, -1), '\n')
    end
    if string.find(key .. '\n' .. text, ARGV[1], 1, true) then found[#found + 1] = key end
  end
until cursor == '0'
return found`

// traces returns the keys whose name or value contains a text.
func (d database) traces(text string) []string {
	d.Helper()
	var mu sync.Mutex
	var found []string
	look := func(ctx context.Context, server *redis.Client) error {
		keys, err := server.Eval(ctx, tracesLua, nil, text).StringSlice()
		mu.Lock()
		defer mu.Unlock()
		found = append(found, keys...)
		return err
	}
	var err error
	switch c := d.client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(d.Context(), look)
	case *redis.Client:
		err = look(d.Context(), c)
	}
	if err != nil {
		d.Fatal(err)
	}
	return found
}

// leavesNothing checks that no key and no value contains a text.
func (d database) leavesNothing(after, text string) {
	d.Helper()
	if found := d.traces(text); len(found) != 0 {
		d.Errorf("after %s the server still has %q", after, found)
	}
}

// bothPlaces runs a test on a single server of its own and on the cluster that the tests share.
func bothPlaces(t *testing.T, test func(t *testing.T, client redis.UniversalClient, s *redisstore.Store)) {
	t.Helper()
	own := place{Where: testserver.Start(t, testserver.Redis{}).URL()}
	for name, p := range map[string]place{"single": own, "cluster": cluster(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := p.open(t)
			test(t, client, s)
		})
	}
}

// TestNothingStays ends a user's sessions in every way, and looks for the user in all that the servers have.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		data := database{t, client}
		for name, end := range map[string]func(rec store.Record){
			"a delete": func(rec store.Record) { mustDelete(t, s, rec.Key) },
			"two deletes": func(rec store.Record) {
				mustDelete(t, s, rec.Key)
				mustDelete(t, s, rec.Key)
			},
			"a save of nobody's": func(rec store.Record) {
				rec.Subject = ""
				rec = mustSave(t, s, rec)
				mustSave(t, s, rec)
			},
			"a save of somebody else's": func(rec store.Record) {
				rec.Subject = "else"
				rec = mustSave(t, s, rec)
				mustDelete(t, s, rec.Key)
			},
			"a touch and a delete": func(rec store.Record) {
				if err := s.Touch(t.Context(), later(rec)); err != nil {
					t.Errorf("Touch = %v", err)
				}
				mustDelete(t, s, rec.Key)
			},
			"a delete and a touch": func(rec store.Record) {
				mustDelete(t, s, rec.Key)
				if err := s.Touch(t.Context(), later(rec)); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Touch = %v, want ErrNotFound", err)
				}
			},
			"a delete and a save": func(rec store.Record) {
				mustDelete(t, s, rec.Key)
				if _, err := s.Save(t.Context(), later(rec)); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Save = %v, want ErrNotFound", err)
				}
			},
			"another's save and a touch": func(rec store.Record) {
				next := rec
				next.Subject = ""
				mustSave(t, s, next)
				if err := s.Touch(t.Context(), later(rec)); !errors.Is(err, store.ErrConflict) {
					t.Errorf("Touch = %v, want ErrConflict", err)
				}
			},
			"another's save and a save": func(rec store.Record) {
				next := rec
				next.Subject = ""
				mustSave(t, s, next)
				if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrConflict) {
					t.Errorf("Save = %v, want ErrConflict", err)
				}
			},
			"a delete of what never expires": func(rec store.Record) {
				rec.Expires = time.Time{}
				mustDelete(t, s, mustSave(t, s, rec).Key)
			},
		} {
			for _, subject := range []string{key("user"), strings.Repeat(key("long user"), 20)} {
				rec := mustSave(t, s, recordFor(key("ended"), subject))
				if len(data.traces(subject)) < 2 {
					t.Fatal("the test does not see what there is")
				}
				end(rec)
				data.leavesNothing(name, subject)
			}
		}
	})
}

// TestNothingStaysOfMany ends some sessions of a user, and then the others.
func TestNothingStaysOfMany(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		subject := key("user")
		var keys []string
		for i := range 150 {
			keys = append(keys, mustSave(t, s, recordFor(key(i), subject)).Key)
		}
		for i, k := range keys[:149] {
			mustDelete(t, s, k)
			if i%10 == 0 {
				belongs(t, s, subject, slices.Clone(keys[i+1:])...)
			}
		}
		data := database{t, client}
		if found := data.traces(subject); len(found) != 2 {
			t.Errorf("with one session left the server has %q, want it and its index", found)
		}
		mustDelete(t, s, keys[149])
		data.leavesNothing("the last", subject)
	})
}

// TestNothingStaysOfExpired has sessions end by themselves. The index is gone with the last of them, on a cluster a minute
// later, without anybody who reads it.
func TestNothingStaysOfExpired(t *testing.T) {
	t.Parallel()
	client, s := place{Where: testserver.Start(t, testserver.Redis{}).URL()}.open(t)
	subject := key("user")
	for i := range 3 {
		rec := recordFor(key("brief", i), subject)
		rec.Expires = time.Now().Add(time.Duration(i+1) * 300 * time.Millisecond)
		mustSave(t, s, rec)
	}
	shortened := mustSave(t, s, recordFor(key("shortened"), subject))
	shortened.Expires = time.Now().Add(time.Second)
	mustSave(t, s, shortened)
	data := database{t, client}
	if len(data.traces(subject)) < 2 {
		t.Fatal("the test does not see what there is")
	}
	time.Sleep(time.Until(shortened.Expires) + 20*time.Millisecond)
	data.leavesNothing("the last has expired", subject)
}

// TestIndexExpires looks at the life of the index itself: that of the session which lasts longest.
func TestIndexExpires(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		_, isCluster := client.(*redis.ClusterClient)
		subject := key("subject")
		lasts := func(after string, want time.Time) {
			t.Helper()
			slack := time.Duration(0)
			if isCluster {
				slack = time.Minute
			}
			ttl := client.PTTL(t.Context(), "sessions-of:"+subject).Val()
			if over := ttl - time.Until(want); (over - slack).Abs() > 500*time.Millisecond {
				t.Errorf("after %s the index lasts %v, which is %v longer than the sessions, want %v", after, ttl, over, slack)
			}
		}
		brief := mustSave(t, s, recordFor(key("brief"), subject))
		lasts("a save", brief.Expires)
		long := recordFor(key("long"), subject)
		long.Expires = time.Now().AddDate(0, 0, 40)
		long = mustSave(t, s, long)
		brief = mustSave(t, s, brief)
		lasts("a save of one that lasts longer", long.Expires)
		long.Expires = long.Expires.AddDate(0, 0, 1)
		if err := s.Touch(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		lasts("a touch", long.Expires)
		long.Expires = time.Now().Add(30 * time.Minute)
		long = mustSave(t, s, long)
		lasts("a save that shortens it", brief.Expires)
		long.Expires = time.Time{}
		long = mustSave(t, s, long)
		if l := client.PTTL(t.Context(), "sessions-of:"+subject).Val(); l != -1 {
			t.Errorf("with a permanent session the index lasts %v", l)
		}
		long.Subject = ""
		long = mustSave(t, s, long)
		lasts("the permanent one has left", brief.Expires)
		long.Subject = subject
		long = mustSave(t, s, long)
		mustDelete(t, s, long.Key)
		lasts("the permanent one has gone", brief.Expires)
	})
}

// TestTracesOfRaces has sessions change hands and end at the same time. What exists is found, and in the end nothing is left.
func TestTracesOfRaces(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		data := database{t, client}
		for range 25 {
			subjects := []string{key("a"), key("b"), ""}
			rec := mustSave(t, s, recordFor(key("raced"), subjects[0]))
			var wg sync.WaitGroup
			for n := range 6 {
				wg.Go(func() { race(t, s, rec, n, subjects) })
			}
			wg.Wait()
			now, err := s.Load(t.Context(), rec.Key)
			for _, subject := range subjects[:2] {
				if err == nil && now.Subject == subject {
					belongs(t, s, subject, rec.Key)
				} else {
					belongs(t, s, subject)
					data.leavesNothing("the races", "sessions-of:"+subject)
				}
			}
			mustDelete(t, s, rec.Key)
			for _, subject := range subjects[:2] {
				data.leavesNothing("the delete", subject)
			}
		}
	})
}

// race does to a session one of several things.
func race(t *testing.T, s *redisstore.Store, rec store.Record, n int, subjects []string) {
	t.Helper()
	key := rec.Key
	for i := range 4 {
		var err error
		switch {
		case n < 3:
			if rec, err = s.Load(t.Context(), key); err == nil {
				rec.Subject = subjects[(n+i)%len(subjects)]
				rec, err = s.Save(t.Context(), rec)
			}
		case n == 3:
			err = s.Touch(t.Context(), later(rec))
		case n == 4:
			_, err = s.BySubject(t.Context(), subjects[i%2])
		case i == 3:
			err = s.Delete(t.Context(), key)
		}
		if errors.Is(err, store.ErrNotFound) {
			return
		}
		if err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("racer %d: %v", n, err)
		}
	}
}

// TestForeignFormerIndex has something else under the key of the index that a session leaves: nobody's sign-out fails for it.
func TestForeignFormerIndex(t *testing.T) {
	t.Parallel()
	bothPlaces(t, func(t *testing.T, client redis.UniversalClient, s *redisstore.Store) {
		t.Helper()
		for _, leave := range []func(rec store.Record){
			func(rec store.Record) { mustDelete(t, s, rec.Key) },
			func(rec store.Record) { rec.Subject = ""; mustSave(t, s, rec) },
		} {
			rec := mustSave(t, s, recordFor(key("left"), key("subject")))
			index := "sessions-of:" + rec.Subject
			if err := client.Set(t.Context(), index, "foreign", time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			leave(rec)
			if left := client.Get(t.Context(), index).Val(); left != "foreign" {
				t.Errorf("what is no index has become %q", left)
			}
		}
	})
}
