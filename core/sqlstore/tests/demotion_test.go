package tests_test

import (
	"context"
	"database/sql"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// primary is a name that leads to another server when that has become the primary. Connections stay where they are.
type primary struct {
	listener net.Listener
	target   atomic.Pointer[string]
	done     sync.WaitGroup
}

func newPrimary(t *testing.T, server *testserver.Server) *primary {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &primary{listener: l}
	p.point(server)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.done.Wait()
	})
	return p
}

func (p *primary) point(server *testserver.Server) {
	addr := server.Addr()
	p.target.Store(&addr)
}

func (p *primary) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", *p.target.Load())
		if err != nil {
			_ = client.Close()
			continue
		}
		forward := func(to, from net.Conn) {
			_, _ = io.Copy(to, from)
			_, _ = to.Close(), from.Close()
		}
		p.done.Go(func() { forward(server, client) })
		p.done.Go(func() { forward(client, server) })
	}
}

// demotes has a pool with connections to a server that becomes a replica, while the address leads to another one.
func demotes(t *testing.T, driver string, d sqlstore.Dialect, old, next *testserver.Server, dsn string, demote func(on bool)) {
	t.Helper()
	address := newPrimary(t, old)
	db := openDB(t, driver, strings.Replace(dsn, old.Addr(), address.listener.Addr().String(), 1))
	db.SetMaxIdleConns(8)
	s := newUnmigrated(t, db, d)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy(t, db, 8)
	demote(true)
	if _, err := s.Save(t.Context(), record("refused")); err == nil || !strings.Contains(err.Error(), "connect to the primary") {
		t.Fatalf("Save on a replica = %v, want an error that says so", err)
	}
	time.Sleep(1100 * time.Millisecond) // after a refusal on new connections the store keeps them for a while
	busy(t, db, 8)
	address.point(next)
	for n := range 20 {
		rec, err := s.Save(t.Context(), record(testserver.Name()))
		if err == nil {
			err = s.Delete(t.Context(), rec.Key)
		}
		if err != nil {
			t.Fatalf("write %d after another server has become the primary = %v, want success", n, err)
		}
	}
	address.point(old)
	demote(false)
}

// busy opens connections that are idle afterwards.
func busy(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	conns := make([]*sql.Conn, n)
	for i := range conns {
		var err error
		if conns[i], err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func TestPostgresDemoted(t *testing.T) {
	t.Parallel()
	old, next := testserver.Start(t, testserver.Postgres{}), testserver.Start(t, testserver.Postgres{})
	admin := openDB(t, "pgx", old.URL())
	second := openDB(t, "pgx", next.URL())
	newStore(t, second, quiet(sqlstore.PostgreSQL))
	for _, db := range []*sql.DB{admin, second} {
		execute(t, db, "CREATE ROLE web LOGIN SUPERUSER PASSWORD 'pw'")
	}
	dsn := strings.Replace(old.URL(), "app:"+old.Password(), "web:pw", 1)
	demotes(t, "pgx", sqlstore.PostgreSQL, old, next, dsn, func(on bool) {
		value := "off"
		if on {
			value = "on"
		}
		execute(t, admin, "ALTER SYSTEM SET default_transaction_read_only = "+value)
		execute(t, admin, "SELECT pg_reload_conf()")
		eventually(t, "the server does not change", func() bool {
			return string(values(t, admin, "SHOW default_transaction_read_only")[0]) == value
		})
	})
}

func TestMariaDBDemoted(t *testing.T) {
	t.Parallel()
	old, next := testserver.Start(t, testserver.MariaDB{}), testserver.Start(t, testserver.MariaDB{})
	admin := root(t, old.URL())
	for _, server := range []*testserver.Server{old, next} {
		db := root(t, server.URL())
		execute(t, db, "CREATE DATABASE web")
		execute(t, db, "CREATE USER web@'127.0.0.1' IDENTIFIED BY 'pw'") // one who is not exempt from read_only
		execute(t, db, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON web.* TO web@'127.0.0.1'")
	}
	dsn := "web:pw@tcp(" + old.Addr() + ")/web"
	newStore(t, openDB(t, "mysql", strings.Replace(dsn, old.Addr(), next.Addr(), 1)), quiet(sqlstore.MySQL))
	demotes(t, "mysql", sqlstore.MySQL, old, next, dsn, func(on bool) {
		value := "0"
		if on {
			value = "1"
		}
		execute(t, admin, "SET GLOBAL read_only = "+value)
	})
}
