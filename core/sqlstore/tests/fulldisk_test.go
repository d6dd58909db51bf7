package tests_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The tests of this file let a database run out of room. A limit on the size of the server's files stands in for the disk: it
// is the system that refuses to write on, where a full disk does so too, and that needs no privileges.

// disk is a database whose room can be limited.
type disk struct {
	place   place
	limit   func(tb testing.TB) // from now on there is only so much room
	reclaim string              // the statement that lets the room of deleted rows be used again, "" where none is needed
	writers int                 // how many may write at once
	restart func(tb testing.TB) // has the database begin anew, with room without end; nil where nothing runs

	// ends says that the server may end itself for lack of room. A supervisor then starts it again, as this test does.
	ends bool
}

func disks() map[string]func(tb testing.TB) disk {
	return map[string]func(tb testing.TB) disk{
		"PostgreSQL": func(tb testing.TB) disk {
			tb.Helper()
			// The server's own vacuum would come by once a minute.
			d := limited(tb, testserver.Start(tb, testserver.Postgres{Config: "autovacuum = off"}), 24<<20)
			d.place.Driver, d.place.Dialect, d.reclaim, d.writers = "pgx", sqlstore.PostgreSQL, "VACUUM", 4
			return d
		},
		"MariaDB": func(tb testing.TB) disk {
			tb.Helper()
			d := limited(tb, testserver.Start(tb, testserver.MariaDB{Config: "--skip-stack-trace"}), 40<<20)
			// A statement that found no room is rolled back, which takes room too, and without that InnoDB gives up.
			d.place.Driver, d.place.Dialect, d.writers, d.ends = "mysql", sqlstore.MySQL, 4, true
			return d
		},
		"SQLite": func(tb testing.TB) disk {
			tb.Helper()
			const pages = "&_pragma=max_page_count(5000)"
			return disk{place: place{"sqlite", sqlstore.SQLiteDSN(file(tb)) + pages, sqlstore.SQLite}, limit: func(testing.TB) {}, writers: 4}
		},
	}
}

// limited is a database on the server, whose files will not outgrow size. Each limit after the first is a little higher, since
// the server may have used the time without one.
func limited(tb testing.TB, server *testserver.Server, size int) disk {
	tb.Helper()
	const more = 8 << 20
	limit := func(tb testing.TB) {
		tb.Helper()
		server.LimitFiles(tb, size)
		size += more
	}
	restart := func(tb testing.TB) {
		tb.Helper()
		server.Kill(tb) // a clean end could wait for room
		server.Restart(tb)
	}
	return disk{place: place{DSN: server.Database(tb)}, limit: limit, restart: restart}
}

// TestFullDisk fills each database, twice: deleting makes room, and so does purging.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, open := range disks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			db := d.place.db(t)
			l := &ledger{disk: d, db: db, store: newStore(t, db, quiet(d.place.Dialect))}
			l.saved, l.doubt = map[string]store.Record{}, map[string]store.Record{}
			l.save(t, record("before"), 1000)
			d.limit(t)
			l.fill(t)
			l.refusesSessions(t)
			l.delete(t, 8)
			l.goesOn(t)
			l.fill(t)
			l.purge(t)
			l.goesOn(t)
			if d.restart != nil {
				d.restart(t)
				recovers(t, l.store)
			}
			l.matches(t)
		})
	}
}

// ledger knows what has to be in the store: what was acknowledged, and nothing that was refused.
type ledger struct {
	disk
	db    *sql.DB
	store *sqlstore.Store

	mu     sync.Mutex
	saved  map[string]store.Record
	doubt  map[string]store.Record // what was to be saved when the server ended
	gone   []string                // deleted, or refused when they were new
	unsure int                     // how many of those may be rows that have expired
	count  int
	told   sync.Once
}

// save tries to store rec with data that nothing can make smaller, and reports whether there was room. If there was none,
// that is no answer about the record.
func (l *ledger) save(t *testing.T, rec store.Record, size int) bool {
	t.Helper()
	rec.Data = make([]byte, size)
	_, _ = rand.Read(rec.Data)
	saved, err := within(t, time.Minute, func(ctx context.Context) (store.Record, error) { return l.store.Save(ctx, rec) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.saved[rec.Key] = saved
		return true
	}
	l.told.Do(func() { t.Logf("the first refusal: %v", err) })
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrTooLarge), errors.Is(err, context.DeadlineExceeded):
		t.Errorf("Save(%s) = %v, want success or that there is no room", rec.Key, err)
	case l.ends && !answered(err): // not a word about room
		l.doubt[rec.Key] = rec
	case rec.Version == 0:
		l.gone = append(l.gone, rec.Key)
	}
	return false
}

// answered reports whether an error is MariaDB's answer, and not that there was none.
func answered(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e)
}

// settle starts a server again that has ended itself, and looks up what is in doubt since.
func (l *ledger) settle(t *testing.T) {
	t.Helper()
	if !l.ends {
		return
	}
	if l.db.PingContext(t.Context()) != nil {
		t.Log("the server has ended itself")
		l.restart(t)
		recovers(t, l.store)
		l.limit(t)
	}
	for key, tried := range l.doubt {
		got, err := l.store.Load(t.Context(), key)
		switch {
		case err == nil && bytes.Equal(got.Data, tried.Data):
			l.saved[key] = got
		case tried.Version == 0:
			l.gone = append(l.gone, key)
			l.unsure++
		}
	}
	clear(l.doubt)
}

// must does what has to work on a full disk: at once, unless the server may end itself.
func (l *ledger) must(t *testing.T, what string, do func() error) {
	t.Helper()
	eventually(t, what+" does not work on a full disk", func() bool {
		err := do()
		if err != nil && !l.ends {
			t.Errorf("%s on a full disk = %v", what, err)
			return true
		}
		if err != nil {
			l.settle(t)
		}
		return err == nil
	})
}

// create is save of a record that is new.
func (l *ledger) create(t *testing.T, life time.Duration) (rec store.Record, ok bool) {
	t.Helper()
	const size = 300_000
	l.mu.Lock()
	l.count++
	rec = record(fmt.Sprint("record", l.count))
	l.mu.Unlock()
	rec.Expires = time.Now().Add(life)
	ok = l.save(t, rec, size)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saved[rec.Key], ok
}

// fill has several goroutines write until each was refused a few times.
func (l *ledger) fill(t *testing.T) {
	t.Helper()
	const refusals, tries = 3, 200
	var all sync.WaitGroup
	for range l.writers {
		all.Go(func() {
			for i, refused := 0, 0; refused < refusals && !t.Failed(); i++ {
				if !l.step(t) {
					refused++
				}
				if i == tries {
					t.Errorf("%d writes, and the disk is not full", tries)
				}
			}
		})
	}
	all.Wait()
	l.settle(t)
	l.matches(t)
}

// step creates a record that will expire soon, and another that it makes larger. It reports whether there was room.
func (l *ledger) step(t *testing.T) bool {
	t.Helper()
	const life, larger = 3 * time.Second, 500_000
	if _, ok := l.create(t, life); !ok {
		return false
	}
	rec, ok := l.create(t, time.Hour)
	return ok && l.save(t, rec, larger)
}

// matches compares the store with the ledger.
func (l *ledger) matches(t *testing.T) {
	t.Helper()
	for key, want := range l.saved {
		ended := want.Expired(time.Now())
		got, err := l.store.Load(t.Context(), key)
		switch {
		case errors.Is(err, store.ErrNotFound) && want.Expired(time.Now()):
		case err != nil, ended:
			t.Errorf("Load(%s) = %v, and it was acknowledged, to expire at %v", key, err, want.Expires)
		case got.Version != want.Version || !bytes.Equal(got.Data, want.Data):
			t.Errorf("Load(%s) = version %d, %d bytes, want version %d and the %d bytes that were acknowledged", key, got.Version, len(got.Data), want.Version, len(want.Data))
		}
	}
	for _, key := range l.gone {
		if _, err := l.store.Load(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load(%s) = %v, want ErrNotFound, for it was refused or deleted", key, err)
		}
	}
}

// refusesSessions has sessions made until one finds no room: that is an outage, and no cookie is due.
func (l *ledger) refusesSessions(t *testing.T) {
	t.Helper()
	m, err := core.NewManager(core.Options{Store: l.store, Logger: slog.New(slog.DiscardHandler), StoreTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		var sc core.Scope
		if err := sc.Open(t.Context(), nil, m, nil); err != nil {
			t.Fatal(err)
		}
		if err := sc.Get().Set("ballast", strings.Repeat(rand.Text(), 30_000)); err != nil {
			t.Fatal(err)
		}
		reply, err := sc.CommitHeader()
		if err == nil {
			continue // room has come back: what was made larger, or refused, is being cleared away
		}
		if !errors.Is(err, core.ErrStore) || core.StatusCode(err) != 503 || reply.SetCookie != "" {
			t.Errorf("Finish = %v with status %d and the cookie %q, want %v, 503 and none", err, core.StatusCode(err), reply.SetCookie, core.ErrStore)
		}
		l.settle(t)
		return
	}
	t.Error("100 sessions found room on a full disk")
}

// delete deletes n records.
func (l *ledger) delete(t *testing.T, n int) {
	t.Helper()
	for key := range l.saved {
		if n == 0 {
			return
		}
		l.must(t, "Delete", func() error { return l.store.Delete(t.Context(), key) })
		delete(l.saved, key)
		l.gone = append(l.gone, key)
		n--
	}
}

// purge waits until everything has expired that will, and has it deleted.
func (l *ledger) purge(t *testing.T) {
	t.Helper()
	want, got := 0, 0
	for key, rec := range l.saved {
		if time.Until(rec.Expires) > time.Minute {
			continue
		}
		time.Sleep(time.Until(rec.Expires) + 10*time.Millisecond)
		delete(l.saved, key)
		l.gone = append(l.gone, key)
		want++
	}
	l.must(t, "Purge", func() error {
		n, err := l.store.Purge(t.Context(), 5)
		for ; err == nil && n > 0; n, err = l.store.Purge(t.Context(), 5) {
			got += n
		}
		return err
	})
	if got > want+l.unsure || got < want && !l.ends {
		t.Errorf("Purge deleted %d records, want the %d that have expired", got, want)
	}
}

// goesOn waits until there is room again.
func (l *ledger) goesOn(t *testing.T) {
	t.Helper()
	if l.reclaim != "" {
		if _, err := l.db.ExecContext(t.Context(), l.reclaim); err != nil {
			t.Fatalf("%s on a full disk = %v", l.reclaim, err)
		}
	}
	eventually(t, "there is no room again", func() bool {
		_, ok := l.create(t, time.Hour)
		l.settle(t)
		return ok
	})
	l.matches(t)
}
