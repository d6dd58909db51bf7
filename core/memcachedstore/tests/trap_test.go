package tests_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The traps of memcached, one by one. Where it is cheap a test shows first that the trap is there.

// TestX9ThirtyDays looks at what the server makes of an expiry. It takes more than 2592000 seconds for a date in 1970.
func TestX9ThirtyDays(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	address := testserver.Shared(t, roomy()).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	trap := testserver.Name()
	server.ask("ms "+trap+" 1 T2592001", []byte("x"))
	if line := server.ask("mg "+trap, nil); line != "EN" {
		t.Errorf("an item for 30 days and a second is there (%q), so this test is not about memcached", line)
	}
	for _, life := range []time.Duration{time.Second, time.Minute, 29 * day, 30*day - 1, 30 * day, 30*day + time.Second, 31 * day, 400 * day, 3650 * day} {
		rec := record(testserver.Name())
		rec.Expires = time.Now().Add(life)
		mustSave(t, s, rec)
		seconds, most := server.number(rec.Key, 't'), life+2*time.Minute
		if rec.Expires.Year() < 2038 && (seconds < int64(life/time.Second)-1 || seconds > int64(most/time.Second)) {
			t.Errorf("a record for %v: the server keeps it for %d seconds", life, seconds)
		}
	}
}

// TestX9Never looks at what the server makes of no expiry, and of one later than 2038, which it takes for the past.
func TestX9Never(t *testing.T) {
	t.Parallel()
	address := testserver.Shared(t, roomy()).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	trap := testserver.Name()
	server.ask("ms "+trap+" 1 T2147483648", []byte("x"))
	if line := server.ask("mg "+trap, nil); line != "EN" {
		t.Errorf("an item until 2038-01-19 is there (%q), so this test is not about memcached", line)
	}
	for _, expires := range []time.Time{{}, time.Unix(1<<31-1, 0), time.Unix(1<<31-61, 0), time.Unix(1<<31, 0), time.Unix(1<<32, 0), time.Unix(1<<40, 0)} {
		rec := record(testserver.Name())
		rec.Expires = expires
		rec = mustSave(t, s, rec)
		if seconds := server.number(rec.Key, 't'); seconds != -1 {
			t.Errorf("a record until %v: the server keeps it for %d seconds, want for ever", expires, seconds)
		}
		wants(t, s, rec)
	}
}

// TestX4OwnExpiry has an item that the server keeps on: the store returns no expired record all the same.
func TestX4OwnExpiry(t *testing.T) {
	t.Parallel()
	address := testserver.Shared(t, roomy()).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	rec := record(testserver.Name())
	rec.Expires = time.Now().Add(2 * time.Second) // time enough to be seen alive
	rec = mustSave(t, s, rec)
	wants(t, s, rec)
	time.Sleep(time.Until(rec.Expires))
	wantsNone(t, s, rec.Key)
	if line := server.ask("mg "+rec.Key, nil); line != "HD" {
		t.Errorf("the server has dropped the item (%q), so nothing was tested", line)
	}
	fresh := record(rec.Key)
	wants(t, s, mustSave(t, s, fresh))
}

// TestLongKeys goes to and over the 250 bytes that memcached takes.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	address := testserver.Shared(t, roomy()).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	base := testserver.Name()
	key := func(n int) string { return base + strings.Repeat("k", n-len(base)) }
	if line := server.ask("mg "+key(251), nil); !strings.HasPrefix(line, "CLIENT_ERROR") {
		t.Errorf("the server takes 251 bytes (%q), so this test is not about memcached", line)
	}
	var saved []store.Record
	for _, n := range []int{249, 250, 251, 252, 1000, 1 << 20} {
		saved = append(saved, mustSave(t, s, store.Record{Key: key(n), Data: fmt.Append(nil, n)}))
	}
	for _, rec := range saved {
		wants(t, s, rec)
	}
	if line := server.ask("mg "+key(250), nil); line != "HD" {
		t.Errorf("a key of 250 bytes is not stored under itself: %q", line)
	}
	for _, rec := range saved {
		if err := s.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
		wantsNone(t, s, rec.Key)
	}
}

// largest returns the longest data that fit under key: where the store refuses one more byte.
func largest(t *testing.T, s *memcachedstore.Store, key string, limit int) int {
	t.Helper()
	fits, not := 0, limit
	for not-fits > 1 {
		n := (fits + not) / 2
		// There is no such version, so what fits is not stored.
		_, err := s.Save(t.Context(), store.Record{Key: key, Version: 1, Subject: "somebody", Data: make([]byte, n), Expires: time.Now().Add(time.Hour)})
		if errors.Is(err, store.ErrTooLarge) {
			not = n
		} else {
			fits = n
		}
	}
	return fits
}

// TestS1OversizeKeepsTheOld overwrites a record with one that is too large. Memcached deletes the one before.
func TestS1OversizeKeepsTheOld(t *testing.T) {
	t.Parallel()
	for _, size := range []struct {
		option string
		bytes  int
	}{{"", 0}, {"512k", 512 << 10}, {"4m", 4 << 20}} {
		t.Run("max"+size.option, func(t *testing.T) {
			t.Parallel()
			address := testserver.Start(t, testserver.Memcached{ItemSize: size.option, Megabytes: 256}).Addr()
			server := newRaw(t, address)
			limit := max(size.bytes, memcachedstore.DefaultMaxItem*boolToInt(size.bytes == 0))
			server.ask("ms trap 1 T0", []byte("x"))
			server.ask(fmt.Sprintf("ms trap %d T0", limit), make([]byte, limit))
			if line := server.ask("mg trap", nil); line != "EN" {
				t.Errorf("the server keeps what an oversize write was to replace (%q), so this test is not about memcached", line)
			}
			s := open(t, memcachedstore.Options{Servers: []string{address}, MaxItem: size.bytes})
			for _, key := range []string{"k", strings.Repeat("k", 250), strings.Repeat("k", 1000)} {
				edge(t, s, key, limit)
			}
		})
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// edge saves the largest record that the store lets through, which the server must take, and one byte more.
func edge(t *testing.T, s *memcachedstore.Store, key string, limit int) {
	t.Helper()
	n := largest(t, s, key, limit)
	if n < limit-len(key)-1000 {
		t.Errorf("key of %d bytes: the largest record has %d bytes of the %d that the server takes", len(key), n, limit)
	}
	rec := record(key)
	rec.Data = bytes.Repeat([]byte("x"), n)
	rec = mustSave(t, s, rec)
	wants(t, s, rec)
	over := rec
	over.Data = make([]byte, n+1)
	if _, err := s.Save(t.Context(), over); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save of %d bytes = %v, want ErrTooLarge", n+1, err)
	}
	wants(t, s, rec)
	wants(t, s, mustSave(t, s, rec))
}

// TestS1NothingIsSent refuses a record that is too large without a server.
func TestS1NothingIsSent(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	for _, version := range []uint64{0, 1} {
		rec := store.Record{Key: "k", Version: version, Data: make([]byte, memcachedstore.DefaultMaxItem)}
		if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("Save = %v, want ErrTooLarge", err)
		}
		rec.Subject, rec.Data = strings.Repeat("s", memcachedstore.DefaultMaxItem), nil
		if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("Save with a long subject = %v, want ErrTooLarge", err)
		}
	}
	if total, _ := proxy.Connections(); total != 0 {
		t.Errorf("%d connections were made to refuse what is too large, want none", total)
	}
}

// TestWrongMaxItem sets more than the server takes: the documented mistake. Of a replaced record the store must not say that it stays.
func TestWrongMaxItem(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{ItemSize: "512k"})
	s := open(t, memcachedstore.Options{Servers: []string{server.Addr()}, MaxItem: 1 << 20})
	rec := record("k")
	rec.Data = make([]byte, 600<<10)
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("create = %v, want ErrTooLarge", err)
	}
	rec = mustSave(t, s, record("k"))
	rec.Data = make([]byte, 600<<10)
	if _, err := s.Save(t.Context(), rec); !failure(err) {
		t.Errorf("replace = %v, want a failure", err)
	}
	wants(t, s, mustSave(t, s, record("other")))
}

// TestEviction fills a small server. What it drops is gone like any other session that is gone, and everything goes on.
func TestEviction(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{Megabytes: 2, Threads: 1})
	s := open(t, memcachedstore.Options{Servers: []string{server.Addr()}})
	var all []store.Record
	for n := range 4000 {
		rec := record(fmt.Sprint("k", n))
		rec.Data, rec.Expires = bytes.Repeat([]byte{byte(n)}, 4000), time.Time{} // permanent ones have to go too
		all = append(all, mustSave(t, s, rec))
	}
	kept := 0
	for _, rec := range all {
		got, err := s.Load(t.Context(), rec.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("Save of a record that the server dropped = %v, want ErrNotFound", err)
			}
		case err != nil:
			t.Fatal(err)
		case got.Version != rec.Version || !bytes.Equal(got.Data, rec.Data):
			t.Fatalf("a record came back changed")
		default:
			kept++
		}
	}
	if kept == 0 || kept == len(all) {
		t.Errorf("the server kept %d of %d, so nothing was tested", kept, len(all))
	}
	t.Logf("the server kept %d of %d", kept, len(all))
}

// TestRestart loses everything. Tokens start over with the server: an old version must not match a record of the new life.
func TestRestart(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{})
	s := open(t, memcachedstore.Options{Servers: []string{server.Addr()}})
	old := mustSave(t, s, record("k"))
	token := newRaw(t, server.Addr()).number("k", 'c')
	server.Restart(t)
	wantsNone(t, s, "k")
	if _, err := s.Save(t.Context(), old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save of a record from before = %v, want ErrNotFound", err)
	}
	if err := s.Touch(t.Context(), old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Touch of a record from before = %v, want ErrNotFound", err)
	}
	fresh := record("k")
	fresh.Data = []byte("of the new life")
	fresh = mustSave(t, s, fresh)
	if again := newRaw(t, server.Addr()).number("k", 'c'); again != token {
		t.Errorf("the token is %d and was %d, so nothing was tested", again, token)
	}
	if _, err := s.Save(t.Context(), old); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Save of a record from before over a new one = %v, want ErrConflict", err)
	}
	wants(t, s, fresh)
}

// TestRestartUnnoticed has idle connections from before a restart. A create cannot be sent twice, so they must not be tried.
func TestRestartUnnoticed(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{})
	s := open(t, memcachedstore.Options{Servers: []string{server.Addr()}})
	mustSave(t, s, record("before"))
	server.Kill(t)
	server.Restart(t)
	wants(t, s, mustSave(t, s, record("after")))
}

// TestRestartBetween restarts the server between the two round trips of a save, and has somebody else create the record
// under the same token.
func TestRestartBetween(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{})
	other := open(t, memcachedstore.Options{Servers: []string{server.Addr()}})
	h := &hooked{}
	s := h.open(t, server.Addr())
	old := mustSave(t, s, record("k"))
	token := newRaw(t, server.Addr()).number("k", 'c')
	var fresh store.Record
	h.onWrite = func(int32) error {
		h.onWrite = nil
		server.Restart(t)
		fresh = record("k")
		fresh.Data = []byte("of the new life")
		fresh = mustSave(t, other, fresh)
		return nil
	}
	// The write may have been the first of the new life, for all that the store can know; it is not, but it cannot claim so.
	if _, err := s.Save(t.Context(), old); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save = %v, want a conflict or a failure", err)
	}
	if again := newRaw(t, server.Addr()).number("k", 'c'); again != token {
		t.Errorf("the token is %d and was %d, so nothing was tested", again, token)
	}
	wants(t, other, fresh)
}

// TestForeignItems meets items that are none of ours.
func TestForeignItems(t *testing.T) {
	t.Parallel()
	address := testserver.Shared(t, roomy()).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	rec := mustSave(t, s, record(testserver.Name()))
	value := server.value(rec.Key)
	for n := range value {
		key := testserver.Name()
		server.ask(fmt.Sprintf("ms %s %d T0", key, n), append([]byte{}, value[:n]...))
		if got, err := s.Load(t.Context(), key); err == nil && n < 32+len("somebody") {
			t.Errorf("Load of the first %d bytes of a value = version %d, want an error", n, got.Version)
		} else if failure(err) {
			t.Errorf("Load of the first %d bytes of a value = %v, want ErrNotFound", n, err)
		}
		if _, err := s.Save(t.Context(), record(key)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Save over what is not ours = %v, want ErrConflict", err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
}

// TestServerList takes a server from the list and puts another on it. No other sessions than theirs are lost.
func TestServerList(t *testing.T) {
	t.Parallel()
	var servers []string
	for threads := 1; threads <= 4; threads++ {
		servers = append(servers, testserver.Start(t, testserver.Memcached{Threads: threads}).Addr())
	}
	three := open(t, memcachedstore.Options{Servers: servers[:3]})
	const n = 600
	for i := range n {
		mustSave(t, three, record(fmt.Sprint("k", i)))
	}
	for _, change := range []struct {
		name    string
		servers []string
		lost    int // about
	}{
		{"another order", []string{servers[2], servers[0], servers[1]}, 0},
		{"one leaves", servers[1:3], n / 3},
		{"one joins", servers, n / 4},
	} {
		s := open(t, memcachedstore.Options{Servers: change.servers})
		lost := 0
		for i := range n {
			if _, err := s.Load(t.Context(), fmt.Sprint("k", i)); errors.Is(err, store.ErrNotFound) {
				lost++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if lost < change.lost/2 || lost > change.lost*3/2 {
			t.Errorf("%s: %d of %d sessions are lost, want about %d", change.name, lost, n, change.lost)
		}
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	s := open(t, memcachedstore.Options{Servers: []string{"127.0.0.1:1"}})
	if _, err := s.BySubject(t.Context(), "somebody"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("BySubject = %v, want errors.ErrUnsupported", err)
	}
	if _, _, err := s.List(t.Context(), "", "", 10); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("List = %v, want errors.ErrUnsupported", err)
	}
}
