package memstore

import (
	"math"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// overhead estimates what keeping a record costs beside its own bytes: the entry, its places in the map, the queue and
// the lists.
const overhead = 256

// weigh returns what rec counts for in the store's bound.
func weigh(rec *store.Record) int64 {
	return int64(len(rec.Key)+len(rec.Subject)+len(rec.Data)) + overhead
}

// reserve counts records and bytes in, unless that would exceed the bound.
func (s *Store) reserve(records, bytes int64) bool {
	count, total := s.count.Add(records), s.bytes.Add(bytes)
	if (records > 0 && count > int64(s.options.MaxRecords)) || (bytes > 0 && total > s.options.MaxBytes) {
		s.release(records, bytes)
		return false
	}
	return true
}

func (s *Store) release(records, bytes int64) {
	s.count.Add(-records)
	s.bytes.Add(-bytes)
}

// evict drops one record other than key, the one that is missed least, and reports whether there was one that may go.
func (s *Store) evict(key string) bool {
	now := time.Now()
	for i := range s.shards {
		if sh := &s.shards[i]; sh.nextExpiry.Load() <= now.UnixNano() && sh.dropExpired(now) {
			return true
		}
	}
	if s.evictIdle(anonymous, key) {
		return true
	}
	return !s.options.KeepSignedIn && s.evictIdle(signedIn, key)
}

// evictIdle drops the record of a class that has been idle longest. The shards publish theirs, so that looking for the
// oldest takes no lock; that another request used it meanwhile only means to look again.
func (s *Store) evictIdle(c class, key string) bool {
	for {
		oldest, at := uint64(math.MaxUint64), -1
		for i := range s.shards {
			if used := s.shards[i].oldest[c].Load(); used < oldest && !s.shards[i].only(c, key) {
				oldest, at = used, i
			}
		}
		if at < 0 {
			return false
		}
		if s.shards[at].dropIdle(c, key) {
			return true
		}
	}
}
