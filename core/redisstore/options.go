package redisstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The defaults of [Options].
const (
	DefaultIndexPrefix = "sessions-of:"
	DefaultMaxData     = 4 << 20
)

// Options configures a [Store]. The zero value is the default configuration.
type Options struct {
	// IndexPrefix is the prefix of the keys of the sorted sets that hold each user's sessions.
	// It must differ from the prefix of every manager that uses the database. The default is
	// "sessions-of:".
	IndexPrefix string

	// MaxData is the maximum length of a record's data in bytes. Saving a longer record
	// returns [store.ErrTooLarge] and sends nothing. The server closes the connection if data,
	// subject and about 50 bytes together exceed its proto-max-bulk-len. The default is 4 MiB.
	MaxData int

	// Sharded says that keys are on different servers although the client is one for a single
	// server, as with a proxy in front of a cluster. The store detects cluster clients itself.
	// The default is false.
	Sharded bool

	// AcceptStalls makes New accept a client without ContextTimeoutEnabled. A server that
	// stalls then holds each request for the client's read timeout, and again for each of its
	// retries, whatever the manager's StoreTimeout is. The default is false.
	AcceptStalls bool

	// AcceptEviction makes the store work with a server that may evict keys: one whose maxmemory
	// is not 0 and whose maxmemory-policy is not noeviction, or one that does not allow INFO to
	// the client's user. When such a server has evicted the index of a user, the user's sessions
	// continue, but are missing from lists, are not ended by RevokeAll and RevokeOthers, and are
	// not counted for MaxSessions, all without an error, until a touch or a save of each puts
	// its entry back. Otherwise New returns an error, and so do BySubject, SubjectKeys and saves
	// of signed-in sessions if the settings change later. The default is false.
	AcceptEviction bool
}

// validate returns an error if the options are invalid or the client cannot keep the contract.
func (o Options) validate(client clientTraits) error {
	switch {
	case o.MaxData < 0:
		return fmt.Errorf("sessions: redisstore: Options.MaxData is %d: "+
			"set a length in bytes, or 0 for %d", o.MaxData, DefaultMaxData)
	case !client.honorsDeadlines && !o.AcceptStalls:
		return errors.New("sessions: redisstore: the client ignores deadlines: " +
			"set ContextTimeoutEnabled: true in its options, or AcceptStalls in these")
	case client.cachesReads:
		return errors.New("sessions: redisstore: the client caches what it reads, " +
			"so that a session which has ended, or was changed, is still read as it was: " +
			"leave ClientSideCache and ClientSideCacheConfig off, " +
			"or make another client for the sessions")
	case client.readsReplicas:
		return errors.New("sessions: redisstore: the client reads from replicas, " +
			"which may have a session that has ended: " +
			"leave ReadOnly, RouteByLatency and RouteRandomly off")
	}
	return nil
}

// withDefaults returns the options with each zero value replaced by its default.
func (o Options) withDefaults(client clientTraits) Options {
	if o.IndexPrefix == "" {
		o.IndexPrefix = DefaultIndexPrefix
	}
	if o.MaxData == 0 {
		o.MaxData = DefaultMaxData
	}
	o.Sharded = o.Sharded || client.sharded
	return o
}

// clientTraits are the properties of a client that matter to the store.
type clientTraits struct {
	honorsDeadlines bool
	cachesReads     bool // in the process
	readsReplicas   bool
	sharded         bool // keys are on several servers
}

// inspectClient returns the traits of a client. A type that does not come from go-redis is
// assumed to honor deadlines, to read from masters alone, and to be sharded.
func inspectClient(client redis.UniversalClient) (clientTraits, error) {
	missing := errors.New("sessions: redisstore: New needs a client, as from redis.NewClient")
	switch c := client.(type) {
	case nil:
		return clientTraits{}, missing
	case *redis.Client:
		if c == nil {
			return clientTraits{}, missing
		}
		return inspectOptions(c.Options()), nil
	case *redis.ClusterClient:
		if c == nil {
			return clientTraits{}, missing
		}
		return inspectCluster(c.Options()), nil
	case *redis.Ring:
		return clientTraits{}, errors.New("sessions: redisstore: " +
			"a Ring moves keys when a server is away, " +
			"which ends sessions and brings ended ones back: use a cluster or Sentinel")
	case *redis.AutoPipeliner:
		return clientTraits{}, errors.New("sessions: redisstore: an AutoPipeliner hides " +
			"whether its client caches or reads from replicas: hand in the client itself")
	}
	if v := reflect.ValueOf(client); v.Kind() == reflect.Pointer && v.IsNil() {
		return clientTraits{}, missing
	}
	return clientTraits{honorsDeadlines: true, sharded: true}, nil
}

// inspectOptions returns the traits of a client for a single server.
func inspectOptions(o *redis.Options) clientTraits {
	return clientTraits{
		honorsDeadlines: o.ContextTimeoutEnabled,
		cachesReads:     o.ClientSideCache != nil || o.ClientSideCacheConfig != nil,
	}
}

// inspectCluster returns the traits of a client for a cluster. A cluster client cannot cache by
// itself, but the clients that NewClient returns can, so it looks at one of these.
func inspectCluster(o *redis.ClusterOptions) clientTraits {
	node := &redis.Options{Addr: "127.0.0.1:0", ContextTimeoutEnabled: o.ContextTimeoutEnabled}
	if o.NewClient != nil {
		client := o.NewClient(node)
		node = client.Options()
		_ = client.Close()
	}
	traits := inspectOptions(node)
	traits.readsReplicas = o.ReadOnly || o.RouteByLatency || o.RouteRandomly
	traits.sharded = true
	return traits
}

// checkRole returns an error if a client for a single server is connected to a replica, as one
// for Sentinel is that has ReplicaOnly set, which its options do not show. A server that does
// not answer in time, or does not tell, passes.
func checkRole(ctx context.Context, client redis.UniversalClient) error {
	single, ok := client.(*redis.Client)
	if !ok {
		return nil
	}
	info, _ := single.Info(ctx, "replication").Result() // "" if it fails
	if !strings.Contains(info, "role:slave") {
		return nil
	}
	return errors.New("sessions: redisstore: the client is connected to a replica, " +
		"which may have a session that has ended: connect to the master, " +
		"with Sentinel by leaving ReplicaOnly off")
}
