package memstore

import (
	"hash/maphash"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
)

// ref is a key as it is looked up, with its hash. One that ends in a UUID in canonical form is split there.
type ref struct {
	head string // the key, or what of it stands before id
	id   canonical.ID
	form byte // whether there is an id
	hash uint32
}

// refOf takes a key apart.
func refOf(key string) (k ref) {
	if at := len(key) - textUUID; at >= 0 && canonical.Parse(key[at:], &k.id) {
		k.head, k.form = key[:at], withUUID
		return k
	}
	return ref{head: key, form: plain}
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

// pack appends the packed form of the key to dst.
func (k *ref) pack(dst []byte) packed {
	if dst = append(dst, k.form); k.form == withUUID {
		dst = append(dst, k.id[:]...)
	}
	return append(dst, k.head...)
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

// of reports whether k is the key of r.
func (k packed) of(r *ref) bool {
	head := k[1:]
	if k[0] == withUUID {
		if canonical.ID(head) != r.id {
			return false
		}
		head = head[rawUUID:]
	}
	return k[0] == r.form && string(head) == r.head
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

// appendUUID appends the canonical form of the id that begins raw.
func appendUUID(dst, raw []byte) []byte {
	var text [textUUID]byte
	canonical.Put(text[:], (*canonical.ID)(raw))
	return append(dst, text[:]...)
}

// locate returns the shard of a key, and the key as it is looked up there.
func (s *Store) locate(key string) (*shard, ref) {
	k := refOf(key)
	sh := s.shardOf(&k)
	return sh, k
}

// shardOf returns the shard of a key and completes k with what of the hash is left. Of a key with an id, the id alone is
// hashed: ids are random, so one does not come with many prefixes.
func (s *Store) shardOf(k *ref) *shard {
	var hash uint64 // with more bits than either use of it takes
	if k.form == withUUID {
		hash = maphash.Bytes(s.seed, k.id[:])
	} else {
		hash = maphash.String(s.seed, k.head)
	}
	k.hash = uint32(hash >> 32)
	return &s.shards[hash%shardCount]
}

// subjectHash tells subjects apart, but for a few.
func (s *Store) subjectHash(subject string) uint32 {
	return uint32(maphash.String(s.seed, subject) >> 32)
}
