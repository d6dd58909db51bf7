package demo

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // a driver for each SQL database
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	_ "modernc.org/sqlite" // and one that needs no C compiler

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// kind is a store that the demo can run on.
type kind struct {
	name string
	addr string // where it is unless -store-addr says otherwise, "" if it has no address
	open func(ctx context.Context, addr string) (store.Store, func() error, error)
}

func kinds() []kind {
	return []kind{
		{"memory", "", openMemory},
		{"sqlite", "sessions.db", openSQLite},
		{"redis", "redis://localhost:6379/0", openRedis},
		{"memcached", "localhost:11211", openMemcached},
		{"postgres", "postgres://postgres@localhost:5432/postgres", openPostgres},
		{"mysql", "root@tcp(localhost:3306)/sessions", openMySQL},
		{"mongodb", "mongodb://localhost:27017/sessions", openMongoDB},
	}
}

func kindNames() string {
	names := make([]string, 0, len(kinds()))
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

// kindAddresses lists the addresses to begin with, for the usage text.
func kindAddresses() string {
	var lines strings.Builder
	for _, k := range kinds() {
		if k.addr != "" {
			fmt.Fprintf(&lines, "\n  %-10s %s", k.name, k.addr)
		}
	}
	return lines.String()
}

// openStore returns the store of that name, ready for use, and what closes it and all beneath it. An empty address is the
// usual one. It is an error if the store does not answer.
func openStore(ctx context.Context, name, addr string) (s store.Store, closeAll func() error, err error) {
	i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == name })
	if i < 0 {
		return nil, nil, fmt.Errorf("there is no store %q; choose one of %s with -store", name, kindNames())
	}
	k := kinds()[i]
	if k.addr == "" && addr != "" {
		return nil, nil, fmt.Errorf("the store %s has no address; leave out -store-addr", name)
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s, closeAll, err = k.open(ctx, cmp.Or(addr, k.addr)); err != nil {
		return nil, nil, fmt.Errorf("the store %s cannot be used: %w; choose its address with -store-addr", name, err)
	}
	return s, closeAll, nil
}

func openMemory(context.Context, string) (store.Store, func() error, error) {
	s := memstore.New(memstore.Options{})
	return s, s.Close, nil
}

func openSQLite(ctx context.Context, file string) (store.Store, func() error, error) {
	return openSQL(ctx, "sqlite", sqlstore.SQLiteDSN(file), sqlstore.SQLite)
}

func openPostgres(ctx context.Context, url string) (store.Store, func() error, error) {
	return openSQL(ctx, "pgx", url, sqlstore.PostgreSQL)
}

func openMySQL(ctx context.Context, dsn string) (store.Store, func() error, error) {
	return openSQL(ctx, "mysql", dsn, sqlstore.MySQL)
}

func openSQL(ctx context.Context, driver, dsn string, dialect sqlstore.Dialect) (store.Store, func() error, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	// With the usual 2 idle connections, most requests at the same time connect anew.
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	s, err := sqlstore.New(db, sqlstore.Options{Dialect: dialect}) //nolint:contextcheck // its goroutines outlive the start
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	closeAll := func() error { return errors.Join(s.Close(), db.Close()) }
	if err = s.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return s, closeAll, nil
}

func openRedis(ctx context.Context, url string) (store.Store, func() error, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	o.ContextTimeoutEnabled = true
	client := redis.NewClient(o)
	s, err := redisstore.New(client, redisstore.Options{})
	if err == nil {
		err = client.Ping(ctx).Err()
	}
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return s, client.Close, nil
}

// openMemcached takes several addresses, too, with commas between them.
func openMemcached(ctx context.Context, addrs string) (store.Store, func() error, error) {
	s, err := memcachedstore.New(memcachedstore.Options{Servers: strings.Split(addrs, ",")})
	if err != nil {
		return nil, nil, err
	}
	if _, err = s.Load(ctx, "hello"); !errors.Is(err, store.ErrNotFound) { // there is no other way to see that it answers
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, s.Close, nil
}

func openMongoDB(ctx context.Context, url string) (store.Store, func() error, error) {
	parsed, err := connstring.ParseAndValidate(url)
	if err != nil {
		return nil, nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		return nil, nil, err
	}
	disconnect := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return client.Disconnect(ctx)
	}
	collection := client.Database(cmp.Or(parsed.Database, "sessions")).Collection("sessions")
	s, err := mongostore.New(collection, mongostore.Options{})
	if err == nil {
		err = s.Migrate(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, disconnect())
	}
	return s, disconnect, nil
}
