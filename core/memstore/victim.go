package memstore

import (
	"cmp"
	"slices"
)

// victimsPerShard bounds how many records of a user a shard is searched for at once, and so
// how long others wait for its lock.
const victimsPerShard = 256

// victim is a record that may be evicted, as it was when it was chosen. No two uses in a shard
// have the same time, so keyHash and lastUsed together tell whether it has been used since.
type victim struct {
	lastUsed int64
	keyHash  uint32
	shard    uint32
}

// victims returns the half of a user's records that has been idle longest, the idlest one at
// the end. It ignores the record of k. Of a user with very many records it considers those
// that were saved longest ago. It uses the memory of found, which is empty.
func (all *shards) victims(found []victim, h holder, k *lookupKey) []victim {
	for i := range all {
		others := len(found)
		found = all[i].appendVictims(found, h, k)
		for j := range found[others:] {
			found[others+j].shard = uint32(i)
		}
	}
	slices.SortFunc(found, func(a, b victim) int { return cmp.Compare(a.lastUsed, b.lastUsed) })
	idlest := found[:(len(found)+1)/2]
	slices.Reverse(idlest)
	return idlest
}

// appendVictims appends the records of a user, that of k excepted. It leaves the shard to the
// caller.
func (sh *shard) appendVictims(found []victim, h holder, k *lookupKey) []victim {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list, ok := sh.subjects[h]
	i := list.last
	for n := 0; ok && i != none && n < victimsPerShard; n++ {
		e := sh.entries.at(i)
		if !sh.hasKey(i, k, new(payload)) {
			found = append(found, victim{lastUsed: e.lastUsed, keyHash: e.keyHash})
		}
		i = e.links[subjectList].prev
	}
	return found
}

// evictVictim drops the record of a victim, unless it has been used since it was chosen or is
// that of k. It reports whether it did.
func (sh *shard) evictVictim(v victim, k *lookupKey) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	i := sh.index.first(v.keyHash)
	for i != none && sh.entries.at(i).lastUsed != v.lastUsed {
		i = sh.entries.at(i).nextInBucket
	}
	var p payload
	if i == none || sh.hasKey(i, k, &p) {
		return false
	}
	sh.read(i, &p)
	sh.drop(i, &p)
	return true
}
