package tests_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

func record(key string) store.Record {
	return store.Record{Key: key, Data: []byte("data of " + key), Expires: time.Now().Add(time.Hour)}
}

// later returns rec with a longer life.
func later(rec store.Record) store.Record {
	rec.Expires = time.Now().Add(2 * time.Hour)
	return rec
}

// lock takes the file's write lock, as another process would, and returns what releases it.
func lock(tb testing.TB, path string) (unlock func()) {
	tb.Helper()
	conn, err := openSQLite(tb, path).Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.ExecContext(tb.Context(), "BEGIN IMMEDIATE"); err != nil {
		tb.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.WithoutCancel(tb.Context()), "ROLLBACK"); err != nil {
			tb.Error(err)
		}
		_ = conn.Close()
	})
}

// TestSQLiteCoalesces holds up one transaction: the writes that come meanwhile share the next.
func TestSQLiteCoalesces(t *testing.T) {
	t.Parallel()
	var commits atomic.Int32
	proceed := make(chan struct{})
	db := tapped(t, file(t), func(text string) error {
		if text == "COMMIT" && commits.Add(1) == 2 { // the first is the migration's
			<-proceed
		}
		return nil
	})
	s := newStore(t, db, quiet(sqlstore.SQLite))
	const writers = 64
	done := saveAll(t, s, writers)
	time.Sleep(200 * time.Millisecond) // for most of them to get in line
	close(proceed)
	for err := range done {
		if err != nil {
			t.Errorf("Save = %v", err)
		}
	}
	if n := commits.Load() - 1; n > writers/4 {
		t.Errorf("%d writes at once took %d transactions, want a few", writers, n)
	}
	stored(t, s, writers)
}

// TestSQLiteWaitsTogether has writes wait for another process: those that come meanwhile share a transaction too.
func TestSQLiteWaitsTogether(t *testing.T) {
	t.Parallel()
	path := file(t)
	var commits atomic.Int32
	db := tapped(t, path, func(text string) error {
		if text == "COMMIT" {
			commits.Add(1)
		}
		return nil
	})
	s := newStore(t, db, quiet(sqlstore.SQLite))
	unlock := lock(t, path)
	commits.Store(0)
	const writers = 64
	done := saveAll(t, s, writers)
	waitBusy(t, s)
	unlock()
	for err := range done {
		if err != nil {
			t.Errorf("Save = %v", err)
		}
	}
	if n := commits.Load(); n > writers/4 {
		t.Errorf("%d writes at once took %d transactions, want a few", writers, n)
	}
	stored(t, s, writers)
}

// TestSQLiteFull lets the file grow no further: what is stored stays and can be read and deleted, and with room there is
// saving again.
func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	db := openDB(t, "sqlite", sqlstore.SQLiteDSN(file(t))+"&_pragma=max_page_count(100)")
	s := newStore(t, db, quiet(sqlstore.SQLite))
	rec := fill(t, s)
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of what did not fit = %v, want ErrNotFound", err)
	}
	first, err := s.Load(t.Context(), "0")
	if err != nil || len(first.Data) != len(rec.Data) {
		t.Fatalf("Load from a full file = %d bytes, %v", len(first.Data), err)
	}
	larger := first
	larger.Data = make([]byte, 60_000)
	if _, err := s.Save(t.Context(), larger); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("growing a record in a full file = %v, want a failure", err)
	}
	if got, err := s.Load(t.Context(), "0"); err != nil || got.Version != first.Version || len(got.Data) != len(rec.Data) {
		t.Errorf("Load after a failed save = %d bytes, version %d, %v, want it as it was", len(got.Data), got.Version, err)
	}
	for i := range 5 {
		if err := s.Delete(t.Context(), strconv.Itoa(i)); err != nil {
			t.Errorf("Delete in a full file = %v", err)
		}
	}
	if _, err := s.Save(t.Context(), rec); err != nil {
		t.Errorf("Save with room again = %v", err)
	}
}

// fill creates records 0 and up until there is no room, and returns the one that did not fit.
func fill(t *testing.T, s *sqlstore.Store) (rec store.Record) {
	t.Helper()
	rec.Data = make([]byte, 20_000)
	for i := range 100 {
		rec.Key = strconv.Itoa(i)
		_, err := s.Save(t.Context(), rec)
		switch {
		case err == nil:
		case i == 0, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
			t.Fatalf("Save number %d into a full file = %v, want a failure that is none of the contract's, and not at once", i, err)
		default:
			return rec
		}
	}
	t.Fatal("the file is never full")
	return rec
}

// saveAll creates records 0 to n-1 at once and returns their results in a channel that closes after the last.
func saveAll(tb testing.TB, s *sqlstore.Store, n int) <-chan error {
	tb.Helper()
	results := make(chan error, n)
	var wg sync.WaitGroup
	var started sync.WaitGroup
	started.Add(n)
	for i := range n {
		wg.Go(func() {
			started.Done()
			_, err := s.Save(tb.Context(), record(strconv.Itoa(i)))
			results <- err
		})
	}
	go func() { wg.Wait(); close(results) }()
	started.Wait()
	return results
}

// waitBusy waits until the store's writer is turned away by a lock: one that the store does not get.
func waitBusy(tb testing.TB, s *sqlstore.Store) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Delete(ctx, "nothing"); !errors.Is(err, context.DeadlineExceeded) {
		tb.Fatalf("Delete while the file is locked = %v, want the end of its deadline", err)
	}
}

func stored(tb testing.TB, s *sqlstore.Store, n int) {
	tb.Helper()
	for i := range n {
		if rec, err := s.Load(tb.Context(), strconv.Itoa(i)); err != nil || string(rec.Data) != "data of "+strconv.Itoa(i) {
			tb.Errorf("Load(%d) = %q, %v", i, rec.Data, err)
		}
	}
}

// TestSQLiteOneFailureIsOnesOwn lets one of many writes in a transaction fail.
func TestSQLiteOneFailureIsOnesOwn(t *testing.T) {
	t.Parallel()
	path := file(t)
	broken := errors.New("disk trouble")
	var inserts, failed atomic.Int32
	db := tapped(t, path, func(text string) error {
		// The fifth of them fails in the common transaction, and whichever is fifth when they are tried one by one.
		if strings.HasPrefix(text, "INSERT") && inserts.Add(1)%10 == 5 {
			failed.Add(1)
			return broken
		}
		return nil
	})
	s := newStore(t, db, quiet(sqlstore.SQLite))
	unlock := lock(t, path)
	done := saveAll(t, s, 8)
	waitBusy(t, s)
	unlock()
	bad := 0
	for err := range done {
		if err != nil {
			bad++
		}
	}
	if bad > 1 || failed.Load() == 0 {
		t.Errorf("%d of 8 writes failed, and the database failed %d times; want one failure to be that of one write at most", bad, failed.Load())
	}
	page, _, err := s.List(t.Context(), "", "", 100)
	if err != nil || len(page) != 8-bad {
		t.Errorf("%d records stored (%v), want the %d acknowledged ones", len(page), err, 8-bad)
	}
}

// TestSQLiteCommitFails checks that no write is acknowledged which is not stored, and that the store goes on.
func TestSQLiteCommitFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	var fail atomic.Bool
	db := tapped(t, file(t), func(text string) error {
		if text == "COMMIT" && fail.Load() {
			return broken
		}
		return nil
	})
	s := newStore(t, db, quiet(sqlstore.SQLite))
	fail.Store(true)
	for err := range saveAll(t, s, 8) {
		if !errors.Is(err, broken) {
			t.Errorf("Save = %v, want %v", err, broken)
		}
	}
	fail.Store(false)
	if page, _, err := s.List(t.Context(), "", "", 100); err != nil || len(page) != 0 {
		t.Errorf("%d records stored (%v), want none", len(page), err)
	}
	for err := range saveAll(t, s, 8) {
		if err != nil {
			t.Errorf("Save afterwards = %v", err)
		}
	}
	stored(t, s, 8)
}

// TestSQLiteIsDurable looks at the connection that commits, of a database opened as carelessly as can be.
func TestSQLiteIsDurable(t *testing.T) {
	t.Parallel()
	db := openDB(t, "sqlite", file(t)+"?_pragma=synchronous(OFF)&_pragma=journal_mode(DELETE)")
	db.SetMaxOpenConns(1)
	s := newStore(t, db, quiet(sqlstore.SQLite))
	if _, err := s.Save(t.Context(), record("a")); err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
}

// TestSQLiteDSN opens a file whose name needs care.
func TestSQLiteDSN(t *testing.T) {
	t.Parallel()
	path := file(t) + " 100%25 ?#&=ä.db"
	db := openSQLite(t, path)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "20"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	var name string
	err := db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&name)
	if err != nil || name != path {
		t.Errorf("the file is %q, %v, want %q", name, err, path)
	}
}

// TestSQLiteDeadline holds the file's lock: writes end with their deadline, reads do not care, and what was given up is
// not done later.
func TestSQLiteDeadline(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := newStore(t, openSQLite(t, path), quiet(sqlstore.SQLite))
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	unlock := lock(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	changed := rec
	changed.Data = []byte("changed")
	_, err = s.Save(ctx, changed)
	for method, err := range map[string]error{
		"Save":   err,
		"Touch":  s.Touch(ctx, later(rec)),
		"Delete": s.Delete(ctx, "a"),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s while the file is locked = %v, want the end of its deadline", method, err)
		}
	}
	if got, err := s.Load(t.Context(), "a"); err != nil || got.Version != rec.Version {
		t.Errorf("Load while the file is locked = version %d, %v, want version %d", got.Version, err, rec.Version)
	}
	unlock()
	if _, err := s.Save(t.Context(), record("b")); err != nil {
		t.Errorf("Save afterwards = %v", err)
	}
	if got, err := s.Load(t.Context(), "a"); err != nil || got.Version != rec.Version || !got.Expires.Equal(rec.Expires) {
		t.Errorf("a write whose caller had left was done: %v, %v", got, err)
	}
}

// TestSQLiteClose closes the store while writes wait for a lock that is never released.
func TestSQLiteClose(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := newStore(t, openSQLite(t, path), quiet(sqlstore.SQLite))
	defer lock(t, path)()
	done := saveAll(t, s, 8)
	waitBusy(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	for err := range done {
		if err == nil {
			t.Error("Save = nil, but the file was locked all the time")
		}
	}
	if _, err := s.Load(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load after Close = %v, want an error of its own", err)
	}
	if err := s.Delete(t.Context(), "a"); err == nil {
		t.Error("Delete after Close = nil, want an error")
	}
}

// TestSQLiteOneConnection gives the pool a single connection, which reads and writes have to share.
func TestSQLiteOneConnection(t *testing.T) {
	t.Parallel()
	db := openSQLite(t, file(t))
	db.SetMaxOpenConns(1)
	s := newStore(t, db, quiet(sqlstore.SQLite))
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			key := strconv.Itoa(n)
			rec, err := s.Save(t.Context(), record(key))
			for range 20 {
				if err == nil {
					rec, err = s.Load(t.Context(), key)
				}
				if err == nil {
					rec, err = s.Save(t.Context(), rec)
				}
			}
			if err != nil {
				t.Errorf("writer %d: %v", n, err)
			}
		})
	}
	wg.Wait()
}

// TestSQLiteProcesses has several processes count up one number, each starting with the migration.
func TestSQLiteProcesses(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := newStore(t, openSQLite(t, path), quiet(sqlstore.SQLite))
	rec := record("counter")
	rec.Data = []byte("0")
	if _, err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	const processes, writers, each = 3, 4, 25
	handles := []store.Store{s}
	for range processes {
		handles = append(handles, newRemote(t)(place{"sqlite", sqlstore.SQLiteDSN(path), sqlstore.SQLite}))
	}
	var wg sync.WaitGroup
	for _, h := range handles {
		for range writers {
			wg.Go(func() {
				for range each {
					increment(t, h, "counter")
				}
			})
		}
	}
	wg.Wait()
	got, err := s.Load(t.Context(), "counter")
	if want := fmt.Sprint((processes + 1) * writers * each); err != nil || string(got.Data) != want {
		t.Errorf("the counter is %s, %v, want %s", got.Data, err, want)
	}
}

// increment counts a record up, trying again after conflicts.
func increment(t *testing.T, s store.Store, key string) {
	t.Helper()
	for t.Context().Err() == nil {
		rec, err := s.Load(t.Context(), key)
		if err != nil {
			t.Errorf("Load = %v", err)
			return
		}
		n, _ := strconv.Atoi(string(rec.Data))
		rec.Data = strconv.AppendInt(nil, int64(n)+1, 10)
		if _, err = s.Save(t.Context(), rec); err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("Save = %v", err)
			return
		}
	}
}

// TestSQLiteKilled kills a process while eight goroutines of it write, again and again. What it was told is stored must be.
func TestSQLiteKilled(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := newStore(t, openSQLite(t, path), quiet(sqlstore.SQLite))
	total := 0
	for round := range 5 {
		prefix := fmt.Sprintf("round%d:", round)
		cmd, _, out := child(t, roleWrite, "sqlite", sqlstore.SQLiteDSN(path), prefix)
		last := acknowledged(out, func(count int) {
			if count == 300+round*37 {
				_ = cmd.Process.Kill()
			}
		})
		if len(last) != writersPerChild {
			t.Fatalf("%d writers wrote, want %d", len(last), writersPerChild)
		}
		for n, i := range last {
			total += i
			rec, err := s.Load(t.Context(), fmt.Sprint(prefix, n))
			if got, _ := strconv.Atoi(string(rec.Data)); err != nil || got < i {
				t.Errorf("%s%d: acknowledged up to %d, stored is %d, %v", prefix, n, i, got, err)
			}
		}
		if _, err := s.Save(t.Context(), record(prefix+"after")); err != nil {
			t.Errorf("Save after the other process was killed = %v", err)
		}
	}
	var verdict string
	if err := openSQLite(t, path).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check = %s, %v", verdict, err)
	}
	t.Logf("%d acknowledged writes, none lost", total)
}
