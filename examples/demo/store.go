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

	_ "github.com/go-sql-driver/mysql" // drivers of SQL databases
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	_ "modernc.org/sqlite" // does not need a C compiler

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// storeKind is a kind of store that the demo can use.
type storeKind struct {
	name string
	addr string // default of -store-addr, or "" if the store has no address
	open func(ctx context.Context, addr string) (store.Store, func() error, error)
}

func storeKinds() []storeKind {
	return []storeKind{
		{"memory", "", openMemory},
		{"sqlite", "sessions.db", openSQLite},
		{"redis", "redis://localhost:6379/0", openRedis},
		{"memcached", "localhost:11211", openMemcached},
		{"postgres", "postgres://postgres@localhost:5432/postgres", openPostgres},
		{"mysql", "root@tcp(localhost:3306)/sessions", openMySQL},
		{"mongodb", "mongodb://localhost:27017/sessions", openMongoDB},
	}
}

func storeNames() string {
	names := make([]string, 0, len(storeKinds()))
	for _, k := range storeKinds() {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

// storeAddresses lists the default addresses for the usage text.
func storeAddresses() string {
	var lines strings.Builder
	for _, k := range storeKinds() {
		if k.addr != "" {
			fmt.Fprintf(&lines, "\n  %-10s %s", k.name, k.addr)
		}
	}
	return lines.String()
}

// openStore opens the store with the given name. An empty address means the default one. The
// function closeAll closes the store and its client. If the store does not respond, openStore
// returns an error.
func openStore(
	ctx context.Context, name, addr string,
) (s store.Store, closeAll func() error, err error) {
	i := slices.IndexFunc(storeKinds(), func(k storeKind) bool { return k.name == name })
	if i < 0 {
		const text = "there is no store %q; choose one of %s with -store"
		return nil, nil, fmt.Errorf(text, name, storeNames())
	}
	k := storeKinds()[i]
	if k.addr == "" && addr != "" {
		return nil, nil, fmt.Errorf("the store %s has no address; leave out -store-addr", name)
	}
	const startTimeout = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if s, closeAll, err = k.open(ctx, cmp.Or(addr, k.addr)); err != nil {
		const text = "the store %s cannot be used: %w; choose its address with -store-addr"
		return nil, nil, fmt.Errorf(text, name, err)
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

func openSQL(
	ctx context.Context, driver, dsn string, dialect sqlstore.Dialect,
) (store.Store, func() error, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	// By default there are only 2 idle connections, so most concurrent requests would
	// reconnect.
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	o := sqlstore.Options{Dialect: dialect}
	s, err := sqlstore.New(db, o) //nolint:contextcheck // its goroutines outlive ctx
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
	s, err := redisstore.New(client, redisstore.Options{}) //nolint:contextcheck // bounds itself
	if err == nil {
		err = client.Ping(ctx).Err()
	}
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return s, client.Close, nil
}

// openMemcached opens a store on one or more servers, whose addresses are separated by commas.
func openMemcached(ctx context.Context, addrs string) (store.Store, func() error, error) {
	s, err := memcachedstore.New(memcachedstore.Options{Servers: strings.Split(addrs, ",")})
	if err != nil {
		return nil, nil, err
	}
	// Loading a record is the only way to check that the servers respond.
	if _, err = s.Load(ctx, "hello"); !errors.Is(err, store.ErrNotFound) {
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
