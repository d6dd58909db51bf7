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

// Store is a store in Redis. It is safe for concurrent use. It does not have to be closed; the
// client belongs to the application.
type Store struct {
	client  redis.UniversalClient
	options Options
	scripts scripts
	watch   evictionWatch

	// localIndexes is IndexPrefix, or "" if an index may be on another server than a record. It
	// is an argument of scripts, which need not allocate it each time.
	localIndexes any
}

var (
	_ store.Store        = (*Store)(nil)
	_ store.Toucher      = (*Store)(nil)
	_ store.Indexer      = (*Store)(nil)
	_ store.SubjectPager = (*Store)(nil)
	_ store.Lister       = (*Store)(nil)
	_ store.Counter      = (*Store)(nil)
)

// startTimeout bounds the look at the servers in New.
const startTimeout = 2 * time.Second

// New returns a store that uses client. It returns an error if an option is invalid, or if the
// client or the server is one with which the store cannot keep its contract.
//
// New asks the server, or each master of a cluster, whether it may evict indexes, and the server
// of a [redis.Client] whether it is a replica, unless [Options.AcceptEviction] is set. It waits
// for at most two seconds. Servers that have not answered by then are asked about eviction when
// an index is used.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	traits, err := inspectClient(client)
	if err != nil {
		return nil, err
	}
	if err := o.validate(traits); err != nil {
		return nil, err
	}
	s := &Store{client: client, options: o.withDefaults(traits), scripts: newScripts()}
	s.watch.accepted, s.localIndexes = o.AcceptEviction, s.options.IndexPrefix
	if s.options.Sharded {
		s.localIndexes = ""
	}
	if o.AcceptEviction {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := checkEviction(ctx, client, s.scripts.look); err != nil {
		return nil, err
	}
	if err := checkRole(ctx, client); err != nil {
		return nil, err
	}
	return s, nil
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	stored, err := s.client.Get(ctx, key).Bytes()
	switch {
	case err == nil:
		return decode(key, stored, time.Now())
	case isAbsent(err):
		return store.Record{}, store.ErrNotFound
	}
	return store.Record{}, s.wrapError(ctx, "load", err)
}

// wrapError adds the operation to an error of the client. It translates a server's lack of
// memory to ErrFull, and says what to do about settings that allow eviction. After a network
// error it makes a cluster client look for new masters.
func (s *Store) wrapError(ctx context.Context, operation string, err error) error {
	if strings.Contains(err.Error(), "OOM command not allowed") {
		return fmt.Errorf("redis: %s: %w: the server is at its maxmemory",
			operation, store.ErrFull)
	}
	if risk := evictionRisk(err); risk != nil {
		return fmt.Errorf("redis: %s: %w", operation, risk)
	}
	var network net.Error
	if cluster, ok := s.client.(*redis.ClusterClient); ok && errors.As(err, &network) {
		cluster.ReloadState(ctx)
	}
	return fmt.Errorf("redis: %s: %w", operation, err)
}

// isAbsent reports whether a command failed because there is nothing under a key, or a value
// that is not a string.
func isAbsent(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}
