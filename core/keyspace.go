package core

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
)

// keyspace derives the keys under which a manager stores its sessions.
type keyspace struct {
	prefix     string
	cookieName string
}

// key returns the store key of a session: the prefix and the canonical form of the id.
func (ks *keyspace) key(id uuid.UUID) string {
	// The buffer is on the stack, so that the string is the only allocation.
	var buf [maxPrefix + uuidtext.Length]byte
	n := copy(buf[:], ks.prefix)
	uuidtext.Put(buf[n:], (*uuidtext.ID)(&id))
	return string(buf[:n+uuidtext.Length])
}

// idOf returns the session id in a store key, or "" if there is no key.
func (ks *keyspace) idOf(key string) string {
	if key == "" {
		return ""
	}
	return key[len(ks.prefix):]
}

// contains reports whether a store key that starts with the prefix can be one of this
// manager's. Otherwise it belongs to a manager with a longer prefix.
func (ks *keyspace) contains(key string) bool { return len(key) == len(ks.prefix)+uuidtext.Length }

// subjectKey returns the index key of a subject. It is a hash, which keeps long and hostile
// names out of the store's keys and the names of people out of its index. The length of each
// part is hashed too, so that no two subjects of any two managers have the same input.
func (ks *keyspace) subjectKey(subject string) string {
	h := sha256.New()
	for _, part := range [...]string{ks.cookieName, ks.prefix, subject} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// noteKey returns the key of a record that is no session. It is that of a UUIDv8, which no session
// has.
func (ks *keyspace) noteKey(name string) string {
	sum := sha256.Sum256([]byte(name))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return ks.key(id)
}
