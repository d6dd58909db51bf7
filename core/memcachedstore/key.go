package memcachedstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	// maxKey is the maximum length of a key in memcached.
	maxKey = 250
	// hashedPrefix is the prefix of the keys that are hashes. A record's own key with this
	// prefix is hashed too, so that no two records share a key.
	hashedPrefix = "sha256:"
)

// wireKey returns the key under which the server keeps the record: the record's own key if
// memcached accepts it, and a hash of it otherwise.
func wireKey(key string) string {
	if usable(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hashedPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// usable reports whether a record's key can be sent as it is. Spaces and line ends would end
// the key or the command.
func usable(key string) bool {
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
