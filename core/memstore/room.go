package memstore

import (
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// overhead estimates what keeping a record costs beside its own bytes: the slot, its places in index and queue, and its
// share of what is dead in the log.
const overhead = 128

// weigh returns what rec counts for in the store's bound.
func weigh(rec *store.Record) int64 {
	return int64(len(rec.Key)+len(rec.Subject)+len(rec.Data)) + overhead
}

// weight returns what the record that it is counts for.
func (it *item) weight() int64 {
	return int64(it.key.length()+len(it.subject)+len(it.data)) + overhead
}

// reserve counts records and bytes in, unless that would exceed the bound. Both or none, and never beyond it for a moment,
// so that of two who want the last place one gets it.
func (s *Store) reserve(records, bytes int64, maker bool) bool {
	if records == 0 && bytes == 0 {
		return true
	}
	if bytes > 0 && !maker && s.held.Load() {
		return false // what is free belongs to whoever is making room
	}
	s.room.Lock()
	defer s.room.Unlock()
	count, total := s.count.Load()+records, s.bytes.Load()+bytes
	if (records > 0 && count > int64(s.options.MaxRecords)) || (bytes > 0 && total > s.options.MaxBytes) {
		return false
	}
	s.count.Store(count)
	s.bytes.Store(total)
	if bytes < 0 {
		s.freed.Add(1)
	}
	return true
}

func (s *Store) release(records, bytes int64) {
	s.room.Lock()
	defer s.room.Unlock()
	s.count.Add(-records)
	s.bytes.Add(-bytes)
	s.freed.Add(1)
}

// evict drops one record other than that of k, the one that is missed least, and reports whether there was one that may go.
func (s *Store) evict(k *ref) bool {
	now := time.Now()
	for i := range s.shards {
		if sh := &s.shards[i]; sh.nextExpiry.Load() <= now.UnixNano() && sh.dropExpired(now) {
			return true
		}
	}
	if s.evictIdle(anonymous, k) {
		return true
	}
	return !s.options.KeepSignedIn && s.evictIdle(signedIn, k)
}

// evictIdle drops the record of a class that has been idle longest, that of k excepted. The shards publish theirs, so that most
// of them need not be locked. What is being stored is not published yet, so only a look under the locks tells that there is
// nothing. That another request used the oldest meanwhile only means to look again.
func (s *Store) evictIdle(c class, k *ref) bool {
	for certain := false; ; {
		oldest, at := int64(never), -1
		for i := range s.shards {
			sh := &s.shards[i]
			if !certain && sh.oldest[c].Load() >= oldest {
				continue
			}
			if used := sh.idleSince(c, k); used < oldest {
				oldest, at = used, i
			}
		}
		if at >= 0 && s.shards[at].dropIdle(c, k, oldest) {
			return true
		}
		if at < 0 && certain {
			return false
		}
		certain = at < 0
	}
}
