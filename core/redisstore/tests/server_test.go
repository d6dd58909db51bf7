package tests_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// counter counts what a client waits for: commands, and pipelines as one.
type counter struct{ trips atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.trips.Add(1); return next(ctx, cmd) }
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { c.trips.Add(1); return next(ctx, cmds) }
}

// TestRoundTrips counts them for each operation, once the server knows the scripts.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		place                            place
		load, save, conflict, touch, del int64
		byNone, bySome                   int64
		subject                          string
	}{
		"anonymous":            {place: single(t), load: 1, save: 1, conflict: 1, touch: 1, del: 1},
		"signed in":            {place: single(t), load: 1, save: 1, conflict: 1, touch: 1, del: 1, byNone: 1, bySome: 2, subject: key("s")},
		"anonymous, cluster":   {place: cluster(t), load: 1, save: 1, conflict: 1, touch: 1, del: 1},
		"signed in to cluster": {place: cluster(t), load: 1, save: 3, conflict: 2, touch: 2, del: 4, byNone: 1, bySome: 2, subject: key("s")},
	} {
		client, s := c.place.open(t)
		warm := mustSave(t, s, recordFor(key("warm"), key("warm")))
		belongs(t, s, warm.Subject, warm.Key)
		for range 50 { // on each server of a cluster
			warm = mustSave(t, s, recordFor(key("warm"), key("warm")))
			belongs(t, s, warm.Subject, warm.Key)
			if err := errors.Join(s.Touch(t.Context(), later(warm)), s.Delete(t.Context(), warm.Key)); err != nil {
				t.Fatal(err)
			}
		}
		counting := &counter{}
		client.AddHook(counting)
		takes := func(what string, want int64, call func()) {
			t.Helper()
			counting.trips.Store(0)
			call()
			if got := counting.trips.Load(); got != want {
				t.Errorf("%s: %s took %d round trips, want %d", name, what, got, want)
			}
		}
		var rec store.Record
		takes("create", c.save, func() { rec = mustSave(t, s, recordFor(key("counted"), c.subject)) })
		stale := rec
		takes("replace", c.save, func() { rec = mustSave(t, s, rec) })
		takes("conflict", c.conflict, func() { _, _ = s.Save(t.Context(), stale) })
		takes("load", c.load, func() { _, _ = s.Load(t.Context(), rec.Key) })
		takes("touch", c.touch, func() { _ = s.Touch(t.Context(), later(rec)) })
		takes("BySubject of nobody", c.byNone, func() {
			if c.subject != "" {
				belongs(t, s, key("nobody"))
			}
		})
		takes("BySubject", c.bySome, func() {
			if c.subject != "" {
				belongs(t, s, c.subject, rec.Key)
			}
		})
		takes("delete", c.del, func() { mustDelete(t, s, rec.Key) })
	}
}

// TestStoredForm is the form that the package's documentation tells, which other programs may rely on.
func TestStoredForm(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	isStored := func(after string, rec store.Record) {
		t.Helper()
		want := fmt.Sprintf("cloakroom:%016x:%016d:%d:%s%s", rec.Version, rec.Expires.UnixMilli(), len(rec.Subject), rec.Subject, rec.Data)
		if got, err := client.Get(t.Context(), rec.Key).Result(); err != nil || got != want {
			t.Errorf("after %s there is %q, %v, want %q", after, got, err, want)
		}
		if ttl := time.Until(rec.Expires) - client.PTTL(t.Context(), rec.Key).Val(); ttl.Abs() > 30*time.Second {
			t.Errorf("after %s the server drops it %v off the expiry", after, ttl)
		}
		score := client.ZScore(t.Context(), "sessions-of:"+rec.Subject, rec.Key).Val()
		if off := rec.Expires.Sub(time.UnixMilli(int64(score))); off.Abs() > 30*time.Second {
			t.Errorf("after %s its entry ends %v off the expiry", after, off)
		}
	}
	rec := mustSave(t, s, recordFor(key("form"), key("subject")))
	isStored("a save", rec)
	rec = later(rec)
	if err := s.Touch(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	isStored("a touch", rec)
	rec = mustSave(t, s, later(rec))
	isStored("another save", rec)
}

// foreign is something that is no session, or one that is damaged, to be put under a session's key.
type foreign struct {
	name    string
	damaged bool
	command []any // its second word is to be the key
}

func foreigners() []foreign {
	return []foreign{
		{"string", false, []any{"SET", "", "foreign"}},
		{"empty string", false, []any{"SET", "", ""}},
		{"long string", false, []any{"SET", "", strings.Repeat("foreign", 100)}},
		{"beginning", false, []any{"SET", "", "cloakroom:"}},
		{"like a beginning", false, []any{"SET", "", "Cloakroom:0000000000000001:0000000000000000:0:"}},
		{"list", false, []any{"RPUSH", "", "foreign"}},
		{"sorted set", false, []any{"ZADD", "", "1", "foreign"}},
		{"stream", false, []any{"XADD", "", "*", "v", "1"}},
		{"hash", false, []any{"HSET", "", "name", "foreign"}},
		{"expiry no number", false, []any{"SET", "", "cloakroom:0000000000000001:            soon:0:data"}},
		{"cut in the expiry", false, []any{"SET", "", "cloakroom:0000000000000001:0"}},
		{"version 0", true, []any{"SET", "", "cloakroom:0000000000000000:0000000000000000:0:data"}},
		{"version no number", false, []any{"SET", "", "cloakroom:             one:0000000000000000:0:data"}},
		{"no expiry", false, []any{"SET", "", "cloakroom:0000000000000001:"}},
		{"no subject", true, []any{"SET", "", "cloakroom:0000000000000001:0000000000000000:9:data"}},
	}
}

// TestForeignKeys puts under a session's key what is no session. It is neither an outage nor overwritten nor removed.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	ctx := t.Context()
	subject, prefix := key("subject"), key("")
	for _, f := range foreigners() {
		key := prefix + strings.ReplaceAll(f.name, " ", "-")
		f.command[1] = key
		if err := client.Do(ctx, f.command...).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.ZAdd(ctx, "sessions-of:"+subject, redis.Z{Score: math.Inf(1), Member: key}).Err(); err != nil {
			t.Fatal(err)
		}
		before := client.Dump(ctx, key).Val()
		isNoSession(t, s, f.name, recordFor(key, subject))
		if after := client.Dump(ctx, key).Val(); after != before {
			t.Errorf("%s: what was there has been changed", f.name)
		}
		belongs(t, s, subject)
		mustDelete(t, s, key)
		switch left := client.Get(ctx, key).Val(); {
		case f.damaged && len(left) != len("cloakroom:0000000000000001"):
			t.Errorf("%s: Delete has left %q", f.name, left)
		case !f.damaged && (client.Dump(ctx, key).Val() != before || client.PTTL(ctx, key).Val() >= 0):
			t.Errorf("%s: Delete has changed what is no session", f.name)
		}
	}
	if page, _, err := s.List(ctx, prefix, "", 1000); err != nil || len(page) != 0 {
		t.Errorf("List = %d records, %v, want none", len(page), err)
	}
}

// isNoSession calls every method with the key of something that is no session.
func isNoSession(t *testing.T, s *redisstore.Store, name string, rec store.Record) {
	t.Helper()
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: Load = %v, want ErrNotFound", name, err)
	}
	if got, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrConflict) || got.Version != 0 {
		t.Errorf("%s: Save of a new record = version %d, %v, want ErrConflict and no record", name, got.Version, err)
	}
	rec.Version = 2
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: Save = %v, want ErrNotFound", name, err)
	}
	if err := s.Touch(t.Context(), rec); !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		t.Errorf("%s: Touch = %v, want ErrNotFound or ErrConflict", name, err)
	}
}

// TestForeignIndex puts something else under an index's key: an error, and the session is not stored outside the index.
func TestForeignIndex(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"single": single(t), "cluster": cluster(t)} {
		client, s := p.open(t)
		rec := recordFor(key("unindexed"), key("subject"))
		if err := client.Set(t.Context(), "sessions-of:"+rec.Subject, "foreign", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Save(t.Context(), rec)
		_, err2 := s.BySubject(t.Context(), rec.Subject)
		for _, err := range []error{err, err2} {
			if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: Save and BySubject with a foreign index = %v, want a failure", name, err)
			}
		}
		if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: Load = %v, want ErrNotFound: the session is in no index", name, err)
		}
	}
}

// index is a subject's sorted set as it is stored.
type index struct {
	testing.TB
	client redis.UniversalClient
	key    string
}

func (i index) put(member string, at time.Time) {
	i.Helper()
	if err := i.client.ZAdd(i.Context(), i.key, redis.Z{Score: float64(at.UnixMilli()), Member: member}).Err(); err != nil {
		i.Fatal(err)
	}
}

// ends returns when a member's time is over, and whether there is such a member.
func (i index) ends(member string) (time.Time, bool) {
	i.Helper()
	score, err := i.client.ZScore(i.Context(), i.key, member).Result()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, false
	}
	if err != nil {
		i.Fatal(err)
	}
	if math.IsInf(score, 1) {
		return time.Now().AddDate(1000, 0, 0), true
	}
	return time.UnixMilli(int64(score)), true
}

// TestR3IndexMends breaks an index in the ways that lost connections and dead processes do.
func TestR3IndexMends(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"single": single(t), "cluster": cluster(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := p.open(t)
			subject := key("subject")
			ix := index{t, client, "sessions-of:" + subject}
			rec := mustSave(t, s, recordFor(key("kept"), subject))

			// Entries whose save never came, or whose record has gone.
			ix.put("ghost", time.Now().Add(300*time.Hour))
			belongs(t, s, subject, rec.Key)
			if at, ok := ix.ends("ghost"); ok {
				t.Errorf("an entry without a record is left until %v after the index was read", at)
			}
			// A save that was between its index and its record when somebody looked.
			late := recordFor(key("late"), subject)
			ix.put(late.Key, late.Expires)
			belongs(t, s, subject, rec.Key)
			late = mustSave(t, s, late)
			if at, ok := ix.ends(late.Key); !ok || at.Before(late.Expires) {
				t.Errorf("after its save the entry ends at %v, %v, want not before %v", at, ok, late.Expires)
			}
			// What is over goes when the index is read, and when it is written.
			ix.put("over", time.Now().Add(-time.Second))
			belongs(t, s, subject, rec.Key, late.Key)
			if _, ok := ix.ends("over"); ok {
				t.Error("reading the index has not dropped an entry that is over")
			}
			ix.put("over", time.Now().Add(-time.Second))
			mustSave(t, s, rec)
			if _, ok := ix.ends("over"); ok {
				t.Error("writing the index has not dropped an entry that is over")
			}
			// Too low a score, of a session that is there: whoever writes it puts that right.
			ix.put(late.Key, time.Now().Add(time.Second))
			late.Expires = late.Expires.Add(time.Hour)
			if err := s.Touch(t.Context(), late); err != nil {
				t.Errorf("Touch = %v", err)
			}
			if at, ok := ix.ends(late.Key); !ok || at.Before(late.Expires.Add(-time.Millisecond)) {
				t.Errorf("after a touch the entry ends at %v, %v, want not before %v", at, ok, late.Expires)
			}
		})
	}
}

// intruder calls once before the next command that matches.
type intruder struct {
	counter
	match func(cmd redis.Cmder) bool
	once  sync.Once
	call  func()
}

func (i *intruder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if i.match(cmd) {
			i.once.Do(i.call)
		}
		return next(ctx, cmd)
	}
}

// TestR3WriterMeetsReader has somebody read the index between the writer's two steps on a cluster: to the reader, the
// session's entry has no record.
func TestR3WriterMeetsReader(t *testing.T) {
	t.Parallel()
	client, writer := cluster(t).open(t)
	_, reader := cluster(t).open(t)
	rec := recordFor(key("met"), key("subject"))
	met := false
	client.AddHook(&intruder{
		match: func(cmd redis.Cmder) bool { return strings.HasPrefix(cmd.Name(), "eval") && cmd.Args()[3] == rec.Key },
		call:  func() { met = true; belongs(t, reader, rec.Subject) },
	})
	rec = mustSave(t, writer, rec)
	ix := index{t, client, "sessions-of:" + rec.Subject}
	if at, ok := ix.ends(rec.Key); !met || !ok || at.Before(rec.Expires) {
		t.Errorf("a reader came between (%v), and the entry ends at %v, %v, want not before %v", met, at, ok, rec.Expires)
	}
}

// onIndex matches the nth script about an index, counted from 1.
func onIndex(index string, nth int) func(cmd redis.Cmder) bool {
	n := 0
	return func(cmd redis.Cmder) bool {
		if strings.HasPrefix(cmd.Name(), "evalsha") && cmd.Args()[3] == index {
			n++
			return n == nth
		}
		return false
	}
}

// TestR3ReaderMeetsWriter has the save come between the steps of somebody who reads the index and misses the record: before
// the reader marks the entry, and before it removes the entry.
func TestR3ReaderMeetsWriter(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"single": single(t), "cluster": cluster(t)} {
		for step, returned := range map[int]bool{2: true, 3: false} {
			client, reader := p.open(t)
			_, writer := p.open(t)
			rec := recordFor(key("met"), key("subject"))
			ix := index{t, client, "sessions-of:" + rec.Subject}
			for range 20 { // on each server of a cluster
				belongs(t, reader, key("nobody"))
				stray(t, client, rec.Subject, "stray")
				belongs(t, reader, rec.Subject)
			}
			ix.put(rec.Key, rec.Expires)
			met := false
			client.AddHook(&intruder{
				match: onIndex(ix.key, step),
				call:  func() { met = true; rec = mustSave(t, writer, rec) },
			})
			if returned {
				belongs(t, reader, rec.Subject, rec.Key)
			} else {
				belongs(t, reader, rec.Subject) // the save returned after the call
			}
			if at, ok := ix.ends(rec.Key); !met || !ok || at.Before(rec.Expires) {
				t.Errorf("%s, step %d: a writer came between (%v), and the entry ends at %v, %v, want not before %v",
					name, step, met, at, ok, rec.Expires)
			}
			belongs(t, writer, rec.Subject, rec.Key)
		}
	}
}

// TestX1SubSecond has a session that lives for less than a second, and a server that drops them by itself.
func TestX1SubSecond(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	rec := record(key("brief"))
	rec.Expires = time.Now().Add(950 * time.Millisecond)
	rec = mustSave(t, s, rec)
	if ttl := client.PTTL(t.Context(), rec.Key).Val(); ttl > 952*time.Millisecond {
		t.Errorf("the server keeps it for %v", ttl)
	}
	time.Sleep(time.Until(rec.Expires))
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load at the instant it ends = %v, want ErrNotFound", err)
	}
	eventually(t, "the server keeps what has expired", func() bool { return client.Exists(t.Context(), rec.Key).Val() == 0 })
}

// TestX4ServerKeepsExpired has a server that drops nothing by itself.
func TestX4ServerKeepsExpired(t *testing.T) {
	t.Parallel()
	client, s := single(t).open(t)
	rec := recordFor(key("kept"), key("subject"))
	rec.Expires = time.Now().Add(2 * time.Second) // time enough to be kept on before
	rec = mustSave(t, s, rec)
	if err := client.Persist(t.Context(), rec.Key).Err(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(rec.Expires))
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
	if n, err := s.Count(t.Context(), rec.Key); err != nil || n != 0 {
		t.Errorf("Count = %d, %v, want 0", n, err)
	}
	next := later(rec)
	if _, err := s.Save(t.Context(), next); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save = %v, want ErrNotFound", err)
	}
	if err := s.Touch(t.Context(), next); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Touch = %v, want ErrNotFound", err)
	}
	belongs(t, s, rec.Subject)
	next.Version = 0
	mustSave(t, s, next)
	if ttl := client.PTTL(t.Context(), rec.Key).Val(); ttl <= 0 {
		t.Errorf("the session created over it lasts %v", ttl)
	}
}

// commands are all that the store uses, which a server of version 6.2 has. Nothing here lists all keys or empties a database.
const commands = "-@all +get +getrange +set +setrange +exists +unlink +pttl +pexpire +persist +zadd +zrem +zscore +zrange " +
	"+zrevrange +zremrangebyscore +zscan +time +info +eval +evalsha +scan"

// TestACLUser has a user who may do nothing but what the documentation lists, and only with the keys of sessions.
func TestACLUser(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{User: "app", Rules: "~session:* ~sessions-of:* resetchannels " + commands})
	client, s := place{Where: server.URL()}.open(t)
	rec := mustSave(t, s, recordFor("session:1", "somebody"))
	stale := rec
	rec = mustSave(t, s, rec)
	if _, err := s.Save(t.Context(), stale); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Save of a stale record = %v, want ErrConflict", err)
	}
	rec.Expires = rec.Expires.Add(time.Hour)
	if err := s.Touch(t.Context(), rec); err != nil {
		t.Errorf("Touch = %v", err)
	}
	rec.Expires = time.Time{}
	if err := s.Touch(t.Context(), rec); err != nil {
		t.Errorf("Touch to never = %v", err)
	}
	belongs(t, s, "somebody", "session:1")
	if keys, _, err := s.SubjectKeys(t.Context(), "somebody", "", 0); err != nil || len(keys) != 1 {
		t.Errorf("SubjectKeys = %q, %v, want one", keys, err)
	}
	other := mustSave(t, s, recordFor("session:2", "somebody"))
	other.Subject = "else"
	mustSave(t, s, other)
	if err := client.Unlink(t.Context(), "session:2").Err(); err != nil { // leaves an entry without a record
		t.Fatal(err)
	}
	belongs(t, s, "else")
	if page, _, err := s.List(t.Context(), "session:", "", 100); err != nil || len(page) != 1 {
		t.Errorf("List = %d records, %v, want one", len(page), err)
	}
	mustDelete(t, s, rec.Key)
	belongs(t, s, "somebody")
	if _, err := s.Load(t.Context(), "private:1"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of a forbidden key = %v, want a failure", err)
	}
	if _, err := s.Save(t.Context(), record("private:1")); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("Save of a forbidden key = %v, want a failure", err)
	}
}

// TestACLForbidsReading has a user whom the scripts may not serve: a failure, and nothing that looks like an answer.
func TestACLForbidsReading(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{User: "app", Rules: "~session:* resetchannels " + commands + " -getrange"})
	_, s := place{Where: server.URL()}.open(t)
	rec := record("session:1")
	_, created := s.Save(t.Context(), rec)
	rec.Version = 1
	_, saved := s.Save(t.Context(), rec)
	for name, err := range map[string]error{
		"Save of a new record": created, "Save": saved, "Touch": s.Touch(t.Context(), rec), "Delete": s.Delete(t.Context(), rec.Key),
	} {
		if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s = %v, want a failure", name, err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{TLS: true, Password: "secret"})
	o, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled, o.TLSConfig = true, server.TLS()
	client := redis.NewClient(o)
	closing(t, client)
	s := newStore(t, client)
	rec := mustSave(t, s, recordFor("session:1", "somebody"))
	if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version {
		t.Errorf("Load = version %d, %v", got.Version, err)
	}
	plain := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "secret", ContextTimeoutEnabled: true, MaxRetries: -1})
	closing(t, plain)
	blind := newStore(t, plain)
	err = within(t, 5*time.Second, func(ctx context.Context) error { _, err := blind.Load(ctx, rec.Key); return err })
	if err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load without TLS = %v, want a failure", err)
	}
}

// TestMaxData is about data that is too long: the record stored before stays.
func TestMaxData(t *testing.T) {
	t.Parallel()
	client, _ := single(t).open(t)
	s, err := redisstore.New(client, redisstore.Options{MaxData: 100})
	if err != nil {
		t.Fatal(err)
	}
	rec := mustSave(t, s, record(key("long")))
	next := rec
	next.Data = make([]byte, 101)
	if _, err := s.Save(t.Context(), next); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save = %v, want ErrTooLarge", err)
	}
	if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version {
		t.Errorf("Load = %v, want the record stored before", err)
	}
	next.Data = next.Data[:100]
	mustSave(t, s, next)
}

// TestListFindsFewAmongMany walks a database in which sessions are rare, in few steps.
func TestListFindsFewAmongMany(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{})
	client, s := place{Where: server.URL()}.open(t)
	_, err := client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range 5000 {
			p.Set(t.Context(), fmt.Sprint("other:", i), "other", 0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"session:a", "session:b"}
	for _, key := range want {
		mustSave(t, s, record(key))
	}
	var got []string
	pages := 0
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		var page []store.Record
		if page, cursor, err = s.List(t.Context(), "session:", cursor, 1); err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			got = append(got, rec.Key)
		}
	}
	slices.Sort(got)
	if !slices.Equal(slices.Compact(got), want) {
		t.Errorf("List found %q, want %q", got, want)
	}
	if pages > 10 {
		t.Errorf("List took %d pages for two sessions", pages)
	}
}
