// Package memstore is the default store. It keeps sessions in the memory of the process,
// within a bound on their number and their size. It needs no server and starts no
// goroutine.
//
// # What is dropped when the store is full
//
// A store that has reached its bound evicts records to make room for new ones: expired ones
// first, then the anonymous one that has been idle longest, and then the signed-in one that
// has been idle longest.
//
// No user can push out the others this way. The store knows how much room each user has: the
// bytes of their records and, for each record, an equal share of MaxBytes for its place among
// the MaxRecords. Where it would evict a signed-in record, it evicts the longest idle one of
// the user who has the most room instead, if that is more than twice as much as the owner of
// the signed-in record has, plus a thousandth of the store. So an account that signs in
// thousands of times loses its own sessions, and between users with a few sessions each the
// order of use decides.
//
// Anonymous records belong to many visitors, so each stands for itself. Where the store would
// evict an anonymous record, it evicts one of the user who has the most room only if
//
//   - that user has sixteen times as much room as for the rule above, and
//   - the user who needs the room has that much too, or the user with the most room has more
//     than all anonymous records together.
//
// So a flood of anonymous sessions takes nothing from a user who has less than the flood.
//
// With [Options.KeepSignedIn] no signed-in record is evicted at all.
//
// # What Load returns
//
// Load returns the data of a record without copying it. A caller that keeps a small record
// therefore keeps some 16 KiB of the store's memory alive.
//
// # How it works
//
// Records are spread over 64 shards by the hash of their key. Each shard has a lock of its
// own, so that requests for different sessions rarely wait for each other. Each operation
// on a shard also drops a few of its expired records, so no request ever waits for a sweep.
//
// Inside its lock a shard has a table, which stores each record in two parts: an entry and
// a payload. The entry has the version, the expiry and the time of the last use in 64 bytes
// without pointers. The table finds entries by the hash of their key, by their expiry in a
// binary heap, and by their last use and their subject in linked lists.
//
// The payload has the key, the subject and the data. Payloads are in the table's arena,
// packed into chunks of 4 to 16 KiB. A chunk is only appended to and never overwritten,
// which is why Load need not copy. Replacing or dropping a record leaves a dead payload
// behind. When too many are dead, each operation moves the live payloads of one chunk to
// another, and the garbage collector frees the chunk. A million small sessions are about
// sixty thousand objects to the garbage collector.
//
// A budget counts the records and the bytes of all shards, and the room of each user. A save
// that would exceed it has the evictor drop other records first.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
	"github.com/cloakroom-go/sessions/core/store"
)

// The default values of [Options].
const (
	DefaultMaxRecords = 1_000_000
	DefaultMaxBytes   = 256 << 20
)

// Options configures a [Store]. The zero value is the default.
type Options struct {
	// MaxRecords is the largest number of records that the store holds. The default, used
	// if it is zero or negative, is 1,000,000.
	MaxRecords int

	// MaxBytes is the largest number of bytes that the records take: their keys, subjects
	// and data, and an estimate of 128 bytes of overhead for each. The default, used if it
	// is zero or negative, is 256 MiB.
	MaxBytes int64

	// KeepSignedIn makes a full store refuse a new record with [store.ErrFull] rather than
	// evict the session of a signed-in user. One user can then fill the store, unless the
	// manager limits the sessions of each. By default the store evicts the session that has
	// been idle longest, or one of the user who has the most room.
	KeepSignedIn bool
}

// Store keeps records in memory. It implements every optional interface of package store
// except [store.Purger]. It is safe for concurrent use.
type Store struct {
	options     Options
	seed        maphash.Seed
	shards      shards
	evicting    sync.Mutex // held by the save for which the budget is exclusive
	evictor     evictor    // guarded by evicting
	budget      budget
	lastVersion atomic.Uint64 // No version is used twice, so none can be that of a deleted record.
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
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
	s := &Store{options: o, seed: maphash.MakeSeed()}
	s.budget.init(int64(o.MaxRecords), o.MaxBytes)
	s.evictor = evictor{shards: &s.shards, budget: &s.budget, keepSignedIn: o.KeepSignedIn}
	all := shared{
		seed: s.seed, epoch: time.Now(), budget: &s.budget, lastVersion: &s.lastVersion,
	}
	for i := range s.shards {
		s.shards[i].init(all)
	}
	return s
}

// Instant marks the store as one whose methods never wait for anything outside the process.
func (s *Store) Instant() {}

// Close drops all records. The store can still be used.
func (s *Store) Close() error {
	for i := range s.shards {
		s.shards[i].clear()
	}
	return nil
}

// Len returns the number of records. It includes expired ones that have not been dropped
// yet.
func (s *Store) Len() int { return int(s.budget.records.Load()) }

// Bytes returns the number of bytes that the records take, as [Options.MaxBytes] counts
// them.
func (s *Store) Bytes() int64 { return s.budget.bytes.Load() }

// Load returns the record under key.
func (s *Store) Load(_ context.Context, key string) (store.Record, error) {
	sh, k := s.locate(key)
	rec := store.Record{Key: key}
	if err := sh.load(&k, time.Now(), &rec); err != nil {
		return store.Record{}, err
	}
	return rec, nil
}

// LoadAt loads the record whose key is prefix followed by the canonical form of id, as of
// the time now, into rec. It does not set the key, and changes nothing in rec if it returns
// an error. It is for the manager, which knows the id and the time and seldom needs the
// key.
func (s *Store) LoadAt(
	prefix string, id *uuidtext.ID, now time.Time, rec *store.Record,
) error {
	k := lookupKey{prefix: prefix, id: *id, form: uuidKey}
	return s.shardOf(&k).load(&k, now, rec)
}

// Save stores rec if its version is still the stored one. If the store is full it evicts
// other records.
func (s *Store) Save(_ context.Context, rec store.Record) (store.Record, error) {
	if cost := costOf(&rec); cost > s.options.MaxBytes {
		return store.Record{}, fmt.Errorf("%w: record takes %d bytes, MaxBytes is %d",
			store.ErrTooLarge, cost, s.options.MaxBytes)
	}
	sh, k := s.locate(rec.Key)
	saved, err := sh.save(&k, &saveArgs{rec: &rec, now: time.Now()})
	if !errors.Is(err, store.ErrFull) {
		return saved, err
	}
	return s.saveEvicting(sh, &k, &rec)
}

// saveEvicting stores rec after evicting other records. One save at a time does so, and no
// other save may use what it frees. Otherwise many small records could keep a large one out
// forever.
func (s *Store) saveEvicting(sh *shard, k *lookupKey, rec *store.Record) (store.Record, error) {
	s.evicting.Lock()
	defer s.evicting.Unlock()
	s.budget.exclusive.Store(true)
	defer s.budget.exclusive.Store(false)
	for {
		releases := s.budget.releases.Load()
		saved, err := sh.save(k, &saveArgs{rec: rec, now: time.Now(), evicting: true})
		if !errors.Is(err, store.ErrFull) {
			return saved, err
		}
		// Even if nothing can be evicted, another call may have freed something meanwhile.
		if !s.evictor.evict(k, sh.holderOf(rec.Subject)) && s.budget.releases.Load() == releases {
			return store.Record{}, err
		}
	}
}

// Touch moves the expiry of the stored record to rec.Expires, never backwards.
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

// locate returns the shard of a key, and the key as it is looked up there.
func (s *Store) locate(key string) (*shard, lookupKey) {
	k := parseKey(key)
	sh := s.shardOf(&k)
	return sh, k
}

// shardOf returns the shard of a key and sets k.hash. The hash of a key with an id is that
// of the id alone: ids are random, so the same id does not occur with many prefixes.
func (s *Store) shardOf(k *lookupKey) *shard {
	var hash uint64 // The low bits choose the shard, the high ones the bucket.
	if k.form == uuidKey {
		hash = maphash.Bytes(s.seed, k.id[:])
	} else {
		hash = maphash.String(s.seed, k.prefix)
	}
	k.hash = uint32(hash >> 32)
	return &s.shards[hash%shardCount]
}
