// Package memcachedstore keeps sessions in memcached, on one server or on several.
//
// Memcached is a cache and not a database. A server that needs room drops sessions that are in use, a restart drops them
// all, and nothing is copied to another server: a session that is gone this way is over, and its user signs in again.
// Take this store where that is acceptable and where a memcached is at hand; give it servers of its own, large enough
// that nothing is dropped.
//
//	s, err := memcachedstore.New(memcachedstore.Options{Servers: []string{"10.0.0.1:11211", "10.0.0.2:11211"}})
//
// A [Store] speaks the meta protocol of memcached itself (it is tested with 1.6.18), over connections that it keeps and that
// obey the context of each call. A load is one round trip, and so is a save that creates. A save that replaces is two: a read
// of the server's own token, and a write that the server refuses if the token has changed. A touch is as dear as that.
//
// The server's tokens are not the records' versions, for they start over when the server does. A version is 63 random bits
// within the item.
//
// # When connections break
//
// A call that is interrupted, by its context or by the network, ends its connection, so that no late answer is taken for
// that to another request. If there is time left it is tried once more on a new connection. A save whose answer was lost
// then looks for its own version: if that is stored, it has succeeded. If it cannot tell, it fails, and says neither
// [store.ErrConflict] nor success. A create is never sent twice, for the first one might arrive late and bring back a record
// that has been deleted meanwhile.
//
// # Several servers
//
// Each key belongs to one server, chosen by the key and the server's address (rendezvous hashing). When a server joins, it
// takes over its share of the keys and only these sessions are lost; when one leaves, only those it had. The list must
// be the same in all processes. There is no failover: while a server does not answer, calls for its keys fail, and
// they are not taken elsewhere, for that would end in two records of one session. A server that was off the list must be
// restarted, and so emptied, before it is on it again: it would come back with sessions that have been ended since.
//
// # No index
//
// Memcached cannot list its keys. BySubject, List and Count answer [errors.ErrUnsupported].
package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// Store keeps records in memcached. It is safe for concurrent use. It has no goroutines of its own.
type Store struct {
	options Options
	servers []*pool
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
)

// New returns a store on the servers that o lists. It does not contact them yet.
func New(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Store{options: o}
	for _, address := range o.Servers {
		s.servers = append(s.servers, newPool(address, o))
	}
	return s, nil
}

// Close closes the connections that are idle now, and each other one when its call has ended. Later calls fail.
func (s *Store) Close() error {
	for _, p := range s.servers {
		p.close()
	}
	return nil
}

// Load returns the record under key, in one round trip.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	var found item
	err := s.talk(ctx, "load", key, func(c *conn) (err error) {
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

// Save stores rec if its version is still the stored one: in one round trip if it creates, in two if it replaces.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	switch now := time.Now(); {
	case rec.Expired(now):
		// The server would take some of these expiries for "never".
		current, err := s.Load(ctx, rec.Key)
		return storekit.RefuseExpired(rec.Version, current, err)
	case s.size(&rec) > s.options.MaxItem:
		return store.Record{}, store.ErrTooLarge
	}
	w := newWriting(rec)
	step := w.replace
	if rec.Version == 0 {
		step = w.create
	}
	if err := s.talk(ctx, "save", rec.Key, step); err != nil {
		return w.current, err
	}
	rec.Version = w.version
	return rec, nil
}

// Touch moves the expiry of the stored record forward, in two round trips. Since the server cannot do that on a condition, the
// record is written again, if nothing has changed meanwhile, with its version and data as they are.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	return s.talk(ctx, "touch", rec.Key, (&touching{rec}).touch)
}

// Delete removes the record under key, in one round trip.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.talk(ctx, "delete", key, func(c *conn) error { return c.remove(wireKey(key)) })
}

// BySubject answers [errors.ErrUnsupported].
func (s *Store) BySubject(context.Context, string) ([]store.Record, error) {
	return nil, fmt.Errorf("memcached: by subject: %w", errors.ErrUnsupported)
}

// List answers [errors.ErrUnsupported].
func (s *Store) List(context.Context, string, string, int) ([]store.Record, string, error) {
	return nil, "", fmt.Errorf("memcached: list: %w", errors.ErrUnsupported)
}

// tries is how often a conversation is begun. A connection may break through no fault of the server's, once.
const tries = 2

// talk has a conversation with the server of key. If the connection breaks it is repeated on a new one, so it must find
// out by itself how far the one before has come.
func (s *Store) talk(ctx context.Context, operation, key string, conversation func(c *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	p := s.serverOf(wireKey(key))
	var err error
	for try := range tries {
		var again bool
		if again, err = p.use(ctx, try > 0, conversation); !again {
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

// isAnswer reports whether err is what the server had to say to the question, and not a failure.
func isAnswer(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict)
}
