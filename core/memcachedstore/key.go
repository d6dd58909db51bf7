package memcachedstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	// maxKey is the longest key that memcached takes.
	maxKey = 250
	// hashedPrefix starts the keys that stand for others. A record's own key that starts like this is hashed too, so that
	// no key stands for two.
	hashedPrefix = "sha256:"
)

// wireKey returns the key under which the server keeps the record: the record's own if memcached can have it.
func wireKey(key string) string {
	if fit(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hashedPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// fit reports whether memcached can have the key. Line ends and spaces in it would be commands and words of the protocol.
func fit(key string) bool {
	if key == "" || len(key) > maxKey || strings.HasPrefix(key, hashedPrefix) {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// serverOf returns the server that a key belongs to: the one that scores highest for it. A server that leaves the list, or joins
// it, so moves no other keys than its own.
func (s *Store) serverOf(key string) *pool {
	var best *pool
	var highest uint64
	for _, p := range s.servers {
		if n := score(p.seed, key); best == nil || n > highest || n == highest && p.address > best.address {
			best, highest = p, n
		}
	}
	return best
}

// The constants of the hash FNV-1a.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hash continues FNV-1a over text.
func hash(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return h
}

// score says how much a server wants a key. FNV alone leaves the high bits of similar keys similar; the rest mixes them.
// It is the same in each process and each release: otherwise an update would move all sessions.
func score(seed uint64, key string) uint64 {
	h := hash(seed, key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
