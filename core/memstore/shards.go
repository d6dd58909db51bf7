package memstore

import "time"

const shardCount = 64

// shards are the shards of a store.
type shards [shardCount]shard

// evictExpired drops some expired records of one shard and reports whether there were any.
func (all *shards) evictExpired(now time.Time) bool {
	for i := range all {
		if sh := &all[i]; sh.nextExpiry.Load() <= now.UnixNano() && sh.evictExpired(now) {
			return true
		}
	}
	return false
}

// idlest returns the shard of the record of a class that has been idle longest, that of k
// excepted, and its last use. The shard is nil if there is none.
//
// It skips shards by what they have published, so that it has to lock only a few. A record
// that is just being saved is not published yet, so that there is none is certain only
// after a second search that locks all shards.
func (all *shards) idlest(c class, k *lookupKey) (at *shard, oldest int64) {
	oldest = never
	for _, lockAll := range []bool{false, true} {
		for i := range all {
			sh := &all[i]
			if !lockAll && sh.oldest[c].Load() >= oldest {
				continue
			}
			if lastUsed := sh.idleSince(c, k); lastUsed < oldest {
				oldest, at = lastUsed, sh
			}
		}
		if at != nil {
			break
		}
	}
	return at, oldest
}
