package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// Store is a store in memcached. It is safe for concurrent use and has no goroutines of its
// own. Close it when it is no longer used.
type Store struct {
	options Options
	pools   []*pool // one for each server
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
)

// New returns a store that uses the servers of o. It does not contact them. It returns an
// error if an option is invalid.
func New(o Options) (*Store, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Store{options: o}
	for _, address := range o.Servers {
		s.pools = append(s.pools, newPool(address, o))
	}
	return s, nil
}

// Close closes the idle connections now, and each other connection at the end of its call.
// Later calls return an error.
func (s *Store) Close() error {
	for _, p := range s.pools {
		p.close()
	}
	return nil
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	var found item
	err := s.do(ctx, "load", key, func(c *conn) (err error) {
		found, err = c.get(wireKey(key))
		return err
	})
	if err == nil && !found.live(time.Now()) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return found.record(key), nil
}

// Save stores rec if the stored version is rec.Version, and returns it with its new version.
// With [store.ErrConflict] it returns the stored record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	switch now := time.Now(); {
	case rec.Expired(now):
		// The server would take some of these expiries for "never".
		current, err := s.Load(ctx, rec.Key)
		return storekit.RefuseExpired(rec.Version, current, err)
	case itemSize(&rec) > s.options.MaxItem:
		return store.Record{}, store.ErrTooLarge
	}
	p := newPendingSave(rec)
	save := p.replace
	if rec.Version == 0 {
		save = p.create
	}
	if err := s.do(ctx, "save", rec.Key, save); err != nil {
		return p.current, err
	}
	rec.Version = p.version
	return rec, nil
}

// Touch extends the expiry of the stored record to rec.Expires if its version is rec.Version.
// It never shortens it. The server cannot change an expiry conditionally, so the whole item is
// written again, with the version and data that it has.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	return s.do(ctx, "touch", rec.Key, func(c *conn) error { return touch(c, &rec) })
}

// Delete removes the record under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", key, func(c *conn) error { return c.remove(wireKey(key)) })
}

// maxTries is how often a call is tried. A single connection may fail although the server
// works.
const maxTries = 2

// do calls f with a connection to the server of key. If the connection fails, it calls f again
// with a new one; f must find out by itself how far the first call came.
func (s *Store) do(ctx context.Context, operation, key string, f func(c *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	p := s.poolFor(wireKey(key))
	var err error
	for try := range maxTries {
		var retry bool
		if retry, err = p.do(ctx, try > 0, f); !retry {
			break
		}
	}
	switch {
	case err == nil || isAnswer(err):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return fmt.Errorf("memcached: %s: %w", operation, err)
}

// poolFor returns the pool of the server with the highest score for a key. When a server joins
// or leaves the list, only its own keys move.
func (s *Store) poolFor(key string) *pool {
	var best *pool
	var highest uint64
	for _, p := range s.pools {
		n := score(p.seed, key)
		if best == nil || n > highest || n == highest && p.address > best.address {
			best, highest = p, n
		}
	}
	return best
}

// isAnswer reports whether err is a fact about the record, and not a failure.
func isAnswer(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict)
}
