// Package memstore is the embedded default store: it keeps sessions in the memory of the process, within a bound, and needs
// neither a server nor a goroutine.
//
// Sessions are spread over shards with a lock each, so requests for different sessions rarely meet. Each operation on a
// shard also drops a few of its expired records; there is never a sweep that requests have to wait for. When the bound
// is reached a new record takes the place of others: expired ones first, then anonymous ones idle longest, signed-in
// ones last.
//
// What a record consists of lies in chunks of memory that are never written twice. So Load returns it without copying, and
// a million small sessions are a few ten thousand objects to the garbage collector. Whoever keeps a record keeps its chunk.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
	"github.com/cloakroom-go/sessions/core/store"
)

// The defaults that zero values of [Options] stand for.
const (
	DefaultMaxRecords = 1_000_000
	DefaultMaxBytes   = 256 << 20
)

// Options bounds a store. The zero value is the default.
type Options struct {
	// MaxRecords is how many records the store holds at most. Zero or less: 1,000,000.
	MaxRecords int
	// MaxBytes is how many bytes the records take at most: keys, data and an estimate of what keeping them costs. Zero or
	// less: 256 MiB.
	MaxBytes int64
	// KeepSignedIn keeps signed-in sessions when the store is full, so that a new record is refused with
	// [store.ErrFull] once only they are left. False: then the one idle longest has to go.
	KeepSignedIn bool
}

const shardCount = 64

// Store keeps records in memory. It implements every optional interface of the contract. It is safe for concurrent use.
type Store struct {
	options Options
	seed    maphash.Seed
	epoch   time.Time // when the store was made, to measure time from
	shards  [shardCount]shard
	making  sync.Mutex  // held while room is made for a record
	held    atomic.Bool // somebody is making room, and nobody else may take it
	room    sync.Mutex  // held while count and bytes change, together
	count   atomic.Int64
	bytes   atomic.Int64
	freed   atomic.Uint64 // counts how often room was made
	version atomic.Uint64 // the last version handed out; never reused, so no deleted record is mistaken for a later one
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Instant = (*Store)(nil)
)

// New returns an empty store.
func New(o Options) *Store {
	if o.MaxRecords <= 0 {
		o.MaxRecords = DefaultMaxRecords
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	s := &Store{options: o, seed: maphash.MakeSeed(), epoch: time.Now()}
	for i := range s.shards {
		s.shards[i].init(s)
	}
	return s
}

// Instant marks the store as one whose calls never wait for anything outside the process.
func (s *Store) Instant() {}

// Close empties the store. There is no goroutine to end; a closed store is an empty one.
func (s *Store) Close() error {
	for i := range s.shards {
		s.shards[i].clear()
	}
	return nil
}

// Len returns how many records the store holds, expired ones that have not been dropped yet among them.
func (s *Store) Len() int { return int(s.count.Load()) }

// Bytes returns how many bytes the records take, by the measure of [Options.MaxBytes].
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// Load returns the record under key.
func (s *Store) Load(_ context.Context, key string) (store.Record, error) {
	sh, k := s.locate(key)
	rec := store.Record{Key: key}
	if err := sh.load(&k, time.Now(), &rec); err != nil {
		return store.Record{}, err
	}
	return rec, nil
}

// LoadAt loads the record under prefix and the canonical form of id, as of now, into rec. Its key stays as it is, and after an
// error all of rec does. It is for the manager, which has read the clock and knows the id, and seldom needs the key.
func (s *Store) LoadAt(prefix string, id *canonical.ID, now time.Time, rec *store.Record) error {
	k := ref{head: prefix, id: *id, form: withUUID}
	return s.shardOf(&k).load(&k, now, rec)
}

// Save stores rec if its version is still the stored one, and makes room for it if it must.
func (s *Store) Save(_ context.Context, rec store.Record) (store.Record, error) {
	if size := weigh(&rec); size > s.options.MaxBytes {
		return store.Record{}, fmt.Errorf("%w: record takes %d bytes, MaxBytes is %d", store.ErrTooLarge, size, s.options.MaxBytes)
	}
	sh, k := s.locate(rec.Key)
	saved, err := sh.save(&k, &draft{rec: &rec, now: time.Now()})
	if !errors.Is(err, store.ErrFull) {
		return saved, err
	}
	return s.squeeze(sh, &k, &rec)
}

// squeeze stores rec after making room for it. One save at a time does so, and meanwhile nobody else takes what it frees:
// otherwise many small records could keep a large one out for ever.
func (s *Store) squeeze(sh *shard, k *ref, rec *store.Record) (store.Record, error) {
	s.making.Lock()
	defer s.making.Unlock()
	s.held.Store(true)
	defer s.held.Store(false)
	for {
		freed := s.freed.Load()
		saved, err := sh.save(k, &draft{rec: rec, now: time.Now(), maker: true})
		if !errors.Is(err, store.ErrFull) {
			return saved, err
		}
		// That there is nothing to drop is final only if nobody else has made room meanwhile.
		if !s.evict(k) && s.freed.Load() == freed {
			return store.Record{}, err
		}
	}
}

// Touch moves the expiry of the stored record, never backwards.
func (s *Store) Touch(_ context.Context, rec store.Record) error {
	sh, k := s.locate(rec.Key)
	return sh.touch(&k, &rec, time.Now())
}

// Delete removes the record under key.
func (s *Store) Delete(_ context.Context, key string) error {
	sh, k := s.locate(key)
	sh.delete(&k)
	return nil
}

// BySubject returns the records of one subject.
func (s *Store) BySubject(_ context.Context, subject string) ([]store.Record, error) {
	var out []store.Record
	now := time.Now()
	for i := range s.shards {
		out = s.shards[i].bySubject(out, subject, now)
	}
	return out, nil
}
