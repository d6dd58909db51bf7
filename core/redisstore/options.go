package redisstore

import (
	"errors"
	"fmt"

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
	readsReplicas   bool
	sharded         bool // keys are on several servers
}

// inspectClient returns the traits of a client. A type that does not come from go-redis is
// assumed to honor deadlines and to be sharded.
func inspectClient(client redis.UniversalClient) (clientTraits, error) {
	missing := errors.New("sessions: redisstore: New needs a client, as from redis.NewClient")
	switch c := client.(type) {
	case nil:
		return clientTraits{}, missing
	case *redis.Client:
		if c == nil {
			return clientTraits{}, missing
		}
		return clientTraits{honorsDeadlines: c.Options().ContextTimeoutEnabled}, nil
	case *redis.ClusterClient:
		if c == nil {
			return clientTraits{}, missing
		}
		o := c.Options()
		return clientTraits{
			honorsDeadlines: o.ContextTimeoutEnabled,
			readsReplicas:   o.ReadOnly || o.RouteByLatency || o.RouteRandomly,
			sharded:         true,
		}, nil
	case *redis.Ring:
		return clientTraits{}, errors.New("sessions: redisstore: " +
			"a Ring moves keys when a server is away, " +
			"which ends sessions and brings ended ones back: use a cluster or Sentinel")
	}
	return clientTraits{honorsDeadlines: true, sharded: true}, nil
}
