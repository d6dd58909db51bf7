package memstore

import (
	"encoding/hex"
	"hash/maphash"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
)

// ref is a key with its hash. To look a record up the key may be split; to insert one it is whole.
type ref struct {
	key  string        // or what of it stands before id
	id   *canonical.ID // the rest, not written out; nil if the key is whole
	hash uint32
}

// packed is a key as the log keeps it. One that ends in a UUID in canonical form, as all of the manager's do, takes 20
// bytes less. It is a byte that says which, for a UUID its 16 bytes, and what is left of the key.
type packed []byte

const (
	plain = iota
	withUUID

	rawUUID  = 16
	textUUID = canonical.Length
)

// pack appends the packed form of key to dst.
func pack(dst []byte, key string) packed {
	if prefix := len(key) - textUUID; prefix >= 0 {
		var id [rawUUID]byte
		if parseUUID(&id, key[prefix:]) {
			return append(append(append(dst, withUUID), id[:]...), key[:prefix]...)
		}
	}
	return append(append(dst, plain), key...)
}

// length returns the length of the key.
func (k packed) length() int {
	if k[0] == plain {
		return len(k) - 1
	}
	return len(k) - 1 - rawUUID + textUUID
}

// append appends the key to dst.
func (k packed) append(dst []byte) []byte {
	if k[0] == plain {
		return append(dst, k[1:]...)
	}
	return appendUUID(append(dst, k[1+rawUUID:]...), k[1:])
}

// of reports whether k stands for the key of r.
func (k packed) of(r *ref) bool {
	if r.id == nil {
		return k.is(r.key)
	}
	return k[0] == withUUID && canonical.ID(k[1:]) == *r.id && string(k[1+rawUUID:]) == r.key
}

// is reports whether k stands for key.
func (k packed) is(key string) bool {
	if k[0] == plain {
		return string(k[1:]) == key
	}
	prefix := len(key) - textUUID
	if prefix < 0 || string(k[1+rawUUID:]) != key[:prefix] {
		return false
	}
	var text [textUUID]byte
	canonical.Put(text[:], (*[rawUUID]byte)(k[1:]))
	return string(text[:]) == key[prefix:]
}

// starts reports whether the key starts with prefix. It writes the UUID out only if the prefix reaches into it.
func (k packed) starts(prefix string) bool {
	if k[0] == plain {
		return startsWith(k[1:], prefix)
	}
	head := k[1+rawUUID:]
	if len(prefix) <= len(head) {
		return startsWith(head, prefix)
	}
	var text [textUUID]byte
	return string(head) == prefix[:len(head)] && startsWith(appendUUID(text[:0], k[1:]), prefix[len(head):])
}

func startsWith(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// parseUUID reads the one canonical form.
func parseUUID(id *[rawUUID]byte, text string) bool {
	var digits [2 * rawUUID]byte
	copy(digits[:], text[:8])
	copy(digits[8:], text[9:13])
	copy(digits[12:], text[14:18])
	copy(digits[16:], text[19:23])
	copy(digits[20:], text[24:])
	_, err := hex.Decode(id[:], digits[:])
	var back [textUUID]byte
	return err == nil && string(appendUUID(back[:0], id[:])) == text
}

// appendUUID appends the canonical form of the id that begins raw.
func appendUUID(dst, raw []byte) []byte {
	var text [textUUID]byte
	canonical.Put(text[:], (*[rawUUID]byte)(raw))
	return append(dst, text[:]...)
}

// hash returns the hash of text, with more bits than either use of it takes.
func (s *Store) hash(text string) uint64 { return maphash.String(s.seed, text) }

// locate returns the shard of a key, and the key with what of the hash is left.
func (s *Store) locate(key string) (*shard, ref) {
	return s.shardOf(s.hash(key), ref{key: key})
}

// locateID is locate for the key that is a prefix and the canonical form of id.
func (s *Store) locateID(prefix string, id *canonical.ID) (*shard, ref) {
	var room [128]byte
	key := appendUUID(append(room[:0], prefix...), id[:])
	return s.shardOf(maphash.Bytes(s.seed, key), ref{key: prefix, id: id})
}

func (s *Store) shardOf(hash uint64, k ref) (*shard, ref) {
	k.hash = uint32(hash >> 32)
	return &s.shards[hash%shardCount], k
}

// subjectHash tells subjects apart, but for a few.
func (s *Store) subjectHash(subject string) uint32 { return uint32(s.hash(subject) >> 32) }
