package main

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// backend is where a run keeps its sessions. There are two instances of the application. Each
// has its own store on the same data, and its own proxy if there is a server.
type backend struct {
	stores  []store.Store
	closers []func() error
	server  *testserver.Server // nil if the data is in memory or in a file
	durable bool               // whether a killed server keeps acknowledged writes
	proxies []*testserver.Proxy
	file    string // of SQLite
}

// opener opens a store at a URL. The function that it returns closes the store.
type opener func(ctx context.Context, url string) (store.Store, func() error, error)

// storeKind is a kind of store to stress.
type storeKind struct {
	name string
	open func(testingTB) *backend
}

func storeKinds() []storeKind {
	return []storeKind{
		{"memory", func(testingTB) *backend {
			m := memstore.New(memstore.Options{})
			return &backend{stores: []store.Store{m, m}, closers: []func() error{m.Close}}
		}},
		{"sqlite", func(tb testingTB) *backend {
			tb.Helper()
			b := &backend{file: filepath.Join(tb.TempDir(), "sessions.db")}
			b.open(tb, "", openSQL("sqlite", sqlstore.SQLite))
			return b
		}},
		{"redis", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.Redis{AppendOnly: true})
			return newServerBackend(tb, server, server.URL(), true, openRedis)
		}},
		{"valkey", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.Redis{Valkey: true, AppendOnly: true})
			return newServerBackend(tb, server, server.URL(), true, openRedis)
		}},
		{"memcached", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.Memcached{})
			return newServerBackend(tb, server, server.URL(), false, openMemcached)
		}},
		{"postgres", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.Postgres{})
			open := openSQL("pgx", sqlstore.PostgreSQL)
			return newServerBackend(tb, server, server.Database(tb), true, open)
		}},
		{"mariadb", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.MariaDB{})
			open := openSQL("mysql", sqlstore.MySQL)
			return newServerBackend(tb, server, server.Database(tb), true, open)
		}},
		{"mongo", func(tb testingTB) *backend {
			tb.Helper()
			server := testserver.Start(tb, testserver.Mongo{})
			return newServerBackend(tb, server, server.URL(), true, openMongo)
		}},
	}
}

// silenceDrivers keeps drivers from logging the effects of faults.
func silenceDrivers() {
	redis.SetLogger(discardLogger{})
	_ = mysql.SetLogger(discardLogger{}) // fails only for nil
}

// discardLogger is a logger for drivers that prints nothing.
type discardLogger struct{}

// Printf implements the logger of go-redis.
func (discardLogger) Printf(context.Context, string, ...any) {}

// Print implements the logger of go-sql-driver/mysql.
func (discardLogger) Print(...any) {}

// newServerBackend returns a backend that uses a server.
func newServerBackend(
	tb testingTB, server *testserver.Server, url string, durable bool, open opener,
) *backend {
	tb.Helper()
	b := &backend{
		server: server, durable: durable,
		proxies: []*testserver.Proxy{server.Proxy(tb), server.Proxy(tb)},
	}
	b.open(tb, url, open)
	return b
}

// open opens the store of each instance.
func (b *backend) open(tb testingTB, url string, open opener) {
	tb.Helper()
	for n := range 2 {
		through := sqlstore.SQLiteDSN(b.file)
		if b.server != nil {
			through = b.proxies[n].Through(url)
		}
		s, closer, err := open(tb.Context(), through)
		if err != nil {
			tb.Fatal(err)
		}
		b.stores, b.closers = append(b.stores, s), append(b.closers, closer)
	}
}

// close closes the stores and their clients.
func (b *backend) close() error {
	errs := make([]error, 0, len(b.closers))
	for _, closer := range b.closers {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

func openRedis(_ context.Context, url string) (store.Store, func() error, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	o.ContextTimeoutEnabled = true
	client := redis.NewClient(o)
	s, err := redisstore.New(client, redisstore.Options{}) //nolint:contextcheck // bounds itself
	return s, client.Close, err
}

func openMemcached(_ context.Context, addr string) (store.Store, func() error, error) {
	s, err := memcachedstore.New(memcachedstore.Options{Servers: []string{addr}})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func openSQL(driver string, dialect sqlstore.Dialect) opener {
	return func(ctx context.Context, dsn string) (store.Store, func() error, error) {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return nil, nil, err
		}
		db.SetMaxIdleConns(browsers * workers)
		o := sqlstore.Options{Dialect: dialect}
		s, err := sqlstore.New(db, o) //nolint:contextcheck // its goroutines outlive ctx
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		err = s.Migrate(ctx)
		return s, func() error { return errors.Join(s.Close(), db.Close()) }, err
	}
}

func openMongo(ctx context.Context, url string) (store.Store, func() error, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		return nil, nil, err
	}
	disconnect := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return client.Disconnect(ctx)
	}
	collection := client.Database("stress").Collection("sessions")
	s, err := mongostore.New(collection, mongostore.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, disconnect())
	}
	err = s.Migrate(ctx)
	return s, disconnect, err
}
