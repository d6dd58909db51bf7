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

// place is where a run keeps its sessions: two instances of the application, each with a store of its own on the same data
// and, where there is a server, a proxy of its own before it.
type place struct {
	stores  []store.Store
	closers []func() error
	server  *testserver.Server // nil: the data are in the process or a file
	keeps   bool               // a killed server has what it acknowledged when it is back
	proxies []*testserver.Proxy
	file    string // of SQLite
}

// opener connects to a server through url.
type opener func(ctx context.Context, url string) (store.Store, func() error, error)

// kind is a store to drive.
type kind struct {
	name string
	open func(host) *place
}

func kinds() []kind {
	return []kind{
		{"memory", func(host) *place {
			m := memstore.New(memstore.Options{})
			return &place{stores: []store.Store{m, m}, closers: []func() error{m.Close}}
		}},
		{"sqlite", func(tb host) *place {
			tb.Helper()
			p := &place{file: filepath.Join(tb.TempDir(), "sessions.db")}
			p.open(tb, "", openSQL("sqlite", sqlstore.SQLite))
			return p
		}},
		{"redis", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.Redis{AppendOnly: true})
			return served(tb, server, server.URL(), true, openRedis)
		}},
		{"valkey", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.Redis{Valkey: true, AppendOnly: true})
			return served(tb, server, server.URL(), true, openRedis)
		}},
		{"memcached", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.Memcached{})
			return served(tb, server, server.URL(), false, openMemcached)
		}},
		{"postgres", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.Postgres{})
			return served(tb, server, server.Database(tb), true, openSQL("pgx", sqlstore.PostgreSQL))
		}},
		{"mariadb", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.MariaDB{})
			return served(tb, server, server.Database(tb), true, openSQL("mysql", sqlstore.MySQL))
		}},
		{"mongo", func(tb host) *place {
			tb.Helper()
			server := testserver.Start(tb, testserver.Mongo{})
			return served(tb, server, server.URL(), true, openMongo)
		}},
	}
}

// silence keeps drivers from printing what faults do to them.
func silence() {
	redis.SetLogger(mute{})
	_ = mysql.SetLogger(mute{}) // It fails on nil alone.
}

// mute is a logger of drivers that prints nothing.
type mute struct{}

// Printf implements the logger of go-redis.
func (mute) Printf(context.Context, string, ...any) {}

// Print implements the logger of go-sql-driver/mysql.
func (mute) Print(...any) {}

// served is a place on a server.
func served(tb host, server *testserver.Server, url string, keeps bool, open opener) *place {
	tb.Helper()
	p := &place{server: server, keeps: keeps, proxies: []*testserver.Proxy{server.Proxy(tb), server.Proxy(tb)}}
	p.open(tb, url, open)
	return p
}

// open opens the store of each instance.
func (p *place) open(tb host, url string, open opener) {
	tb.Helper()
	for n := range 2 {
		through := sqlstore.SQLiteDSN(p.file)
		if p.server != nil {
			through = p.proxies[n].Through(url)
		}
		s, closing, err := open(tb.Context(), through)
		if err != nil {
			tb.Fatal(err)
		}
		p.stores, p.closers = append(p.stores, s), append(p.closers, closing)
	}
}

// close closes the stores and their clients, in the order of their making.
func (p *place) close() error {
	errs := make([]error, 0, len(p.closers))
	for _, closing := range p.closers {
		errs = append(errs, closing())
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
	s, err := redisstore.New(client, redisstore.Options{})
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
		s, err := sqlstore.New(db, sqlstore.Options{Dialect: dialect}) //nolint:contextcheck // Its goroutines outlive the start.
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
	s, err := mongostore.New(client.Database("stress").Collection("sessions"), mongostore.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, disconnect())
	}
	err = s.Migrate(ctx)
	return s, disconnect, err
}
