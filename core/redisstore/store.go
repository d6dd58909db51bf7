// Package redisstore keeps sessions in Redis (6.2 or newer) or Valkey: a single server, Sentinel or Cluster.
//
// Each session is a string of its own that expires by itself. A short script writes it, only if nobody has changed it since
// it was loaded. The sessions of a user are found through a sorted set of their keys, which repairs itself when it is
// read. Load, Save, Touch and Delete are one round trip each; only on a cluster, where session and set lie on different
// servers, a signed-in session takes three to save and two to touch.
//
// # The client
//
// It belongs to the application, which also closes it:
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
//	sessions, err := redisstore.New(client, redisstore.Options{})
//
// Without ContextTimeoutEnabled the client ignores deadlines while it waits for a server that stalls; [New] refuses that.
// It also refuses what reads from replicas, which may still have a session that has ended. A cluster client learns of a
// new master by asking for the cluster's state each ClusterStateReloadInterval; this store asks for it after a failure as
// well, so that writes go on as soon as the cluster has promoted a replica. The client prints remarks about connections
// to standard error through a logger of its own, which redis.SetLogger replaces.
//
// # What a key holds
//
// A session's string has a header of text, followed by the data:
//
//	cloakroom:<version>:<expiry>:<length>:<subject><data>
//
// The version is 16 hexadecimal digits in lower case; the expiry 16 decimal ones, in milliseconds of the Unix epoch, 0 for never; the
// length that of the subject in bytes. After a Delete what goes up to the version stays for a minute, so that a save which
// the client sends again, because it has not seen the reply, cannot bring the session back. What lies under a session's key
// and is no session is left alone.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// The defaults that zero values of [Options] stand for.
const (
	DefaultIndexPrefix = "sessions-of:"
	DefaultMaxData     = 4 << 20
)

// Options configures a store. The zero value is the default.
type Options struct {
	// IndexPrefix starts the keys of the sorted sets that hold each user's sessions. "": "sessions-of:". It must differ
	// from the prefix of every manager that uses the database.
	IndexPrefix string
	// MaxData bounds the length of a record's data; a longer one is [store.ErrTooLarge] and nothing is sent. The server's
	// own bound is proto-max-bulk-len, for data, subject and some 50 bytes together, and ends the connection. 0: 4 MiB.
	MaxData int
	// Sharded says that keys lie on different servers though the client looks like that of a single one, as with a proxy
	// before a cluster. Of a cluster client the store knows by itself.
	Sharded bool
	// AcceptStalls lets New accept a client without ContextTimeoutEnabled. A server that stalls then holds requests for
	// the client's read timeout, several times with its retries, whatever the manager's StoreTimeout says.
	AcceptStalls bool
}

// Store keeps records in Redis. It is safe for concurrent use, has nothing to close, and leaves the client to whoever made it.
type Store struct {
	client  redis.UniversalClient
	options Options
	scripts scripts
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
)

// New returns a store over client, which it does not contact yet. It refuses a client that cannot keep the contract.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	trait, err := traitsOf(client)
	switch {
	case err != nil:
		return nil, err
	case o.MaxData < 0:
		return nil, fmt.Errorf("sessions: redisstore: Options.MaxData is %d: set a length in bytes, or 0 for %d", o.MaxData, DefaultMaxData)
	case !trait.deadlines && !o.AcceptStalls:
		return nil, errors.New("sessions: redisstore: the client ignores deadlines: set ContextTimeoutEnabled: true in its options, or AcceptStalls in these")
	case trait.replicas:
		return nil, errors.New("sessions: redisstore: the client reads from replicas, which may have a session that has ended: leave ReadOnly, RouteByLatency and RouteRandomly off")
	}
	if o.IndexPrefix == "" {
		o.IndexPrefix = DefaultIndexPrefix
	}
	if o.MaxData == 0 {
		o.MaxData = DefaultMaxData
	}
	o.Sharded = o.Sharded || trait.sharded
	return &Store{client: client, options: o, scripts: newScripts()}, nil
}

// traits are what matters here about a client.
type traits struct{ deadlines, replicas, sharded bool }

// traitsOf looks into the clients of the library. One of another make is trusted with deadlines, and may be a cluster's.
func traitsOf(client redis.UniversalClient) (traits, error) {
	missing := errors.New("sessions: redisstore: New needs a client, as from redis.NewClient")
	switch c := client.(type) {
	case nil:
		return traits{}, missing
	case *redis.Client:
		if c == nil {
			return traits{}, missing
		}
		return traits{deadlines: c.Options().ContextTimeoutEnabled}, nil
	case *redis.ClusterClient:
		if c == nil {
			return traits{}, missing
		}
		o := c.Options()
		return traits{o.ContextTimeoutEnabled, o.ReadOnly || o.RouteByLatency || o.RouteRandomly, true}, nil
	case *redis.Ring:
		return traits{}, errors.New("sessions: redisstore: a Ring moves keys when a server is away, which ends sessions and brings ended ones back: use a cluster or Sentinel")
	}
	return traits{deadlines: true, sharded: true}, nil
}

// Load returns the record under key, in one command.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	stored, err := s.client.Get(ctx, key).Bytes()
	switch {
	case err == nil:
		return decode(key, stored, time.Now())
	case nothing(err):
		return store.Record{}, store.ErrNotFound
	}
	return store.Record{}, s.failed(ctx, "load", err)
}

// Delete removes the record under key, in one round trip. Its entry in the index goes when the index is next read.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.scripts.remove.Run(ctx, s.client, []string{key}, grave.Milliseconds()).Err()
	if err != nil {
		return s.failed(ctx, "delete", err)
	}
	return nil
}

// failed says which operation err ended. A cluster client that cannot reach a server is told to look for a new one.
func (s *Store) failed(ctx context.Context, operation string, err error) error {
	if strings.Contains(err.Error(), "OOM command not allowed") {
		return fmt.Errorf("redis: %s: %w: the server is at its maxmemory", operation, store.ErrFull)
	}
	var network net.Error
	if cluster, ok := s.client.(*redis.ClusterClient); ok && errors.As(err, &network) {
		cluster.ReloadState(ctx)
	}
	return fmt.Errorf("redis: %s: %w", operation, err)
}

// nothing reports whether a command failed because there is nothing under a key, or something that is no string.
func nothing(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}
