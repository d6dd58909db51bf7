package memstore

import "time"

const shardCount = 64

// shards are the shards of a store.
type shards [shardCount]shard

// evict drops a record to make room for that of k, which it spares: an expired one, else
// the anonymous one that has been idle longest, else the signed-in one that has, unless
// keepSignedIn is set. It reports whether it found one.
func (all *shards) evict(k *lookupKey, keepSignedIn bool) bool {
	now := time.Now()
	for i := range all {
		if sh := &all[i]; sh.nextExpiry.Load() <= now.UnixNano() && sh.evictExpired(now) {
			return true
		}
	}
	if all.evictIdle(anonymous, k) {
		return true
	}
	return !keepSignedIn && all.evictIdle(signedIn, k)
}

// evictIdle drops the record of a class that has been idle longest, that of k excepted, and
// reports whether there was one.
//
// It skips shards by what they have published, so that it has to lock only a few. A record
// that is just being saved is not published yet, so that there is none is certain only
// after a second search that locks all shards. If the record that it has chosen is used
// meanwhile, it searches again.
func (all *shards) evictIdle(c class, k *lookupKey) bool {
	for lockAll := false; ; {
		oldest, at := int64(never), -1
		for i := range all {
			sh := &all[i]
			if !lockAll && sh.oldest[c].Load() >= oldest {
				continue
			}
			if lastUsed := sh.idleSince(c, k); lastUsed < oldest {
				oldest, at = lastUsed, i
			}
		}
		if at >= 0 && all[at].evictIdle(c, k, oldest) {
			return true
		}
		if at < 0 && lockAll {
			return false
		}
		lockAll = at < 0
	}
}
