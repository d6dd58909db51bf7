package memstore

import "github.com/cloakroom-go/sessions/core/internal/uuidtext"

// lookupKey is a key that is looked up. A key that ends in a UUID in canonical form, as all
// keys of the manager do, is split there.
type lookupKey struct {
	prefix string // the key, or the part of it before id
	id     uuidtext.ID
	form   byte // plainKey or uuidKey
	hash   uint32
}

// The forms of a key.
const (
	plainKey = iota // the key is the prefix
	uuidKey         // the key is the prefix and the canonical form of the id
)

const (
	uuidLen     = 16
	uuidTextLen = uuidtext.Length
)

// parseKey splits a key. It leaves the hash to Store.shardOf.
func parseKey(key string) (k lookupKey) {
	at := len(key) - uuidTextLen
	if at >= 0 && uuidtext.Parse(key[at:], &k.id) {
		k.prefix, k.form = key[:at], uuidKey
		return k
	}
	return lookupKey{prefix: key, form: plainKey}
}

// packedKey is a key as the arena keeps it: a byte for its form, the 16 bytes of the id if
// it has one, and the prefix. A key with an id takes 20 bytes less than its text.
type packedKey []byte

// pack appends the packed form of the key to dst.
func (k *lookupKey) pack(dst []byte) packedKey {
	if dst = append(dst, k.form); k.form == uuidKey {
		dst = append(dst, k.id[:]...)
	}
	return append(dst, k.prefix...)
}

// textLen returns the length of the key as text.
func (k packedKey) textLen() int {
	if k[0] == plainKey {
		return len(k) - 1
	}
	return len(k) - 1 - uuidLen + uuidTextLen
}

// appendText appends the key as text to dst.
func (k packedKey) appendText(dst []byte) []byte {
	if k[0] == plainKey {
		return append(dst, k[1:]...)
	}
	return appendUUID(append(dst, k[1+uuidLen:]...), k[1:])
}

// equals reports whether both are the same key.
func (k packedKey) equals(other *lookupKey) bool {
	prefix := k[1:]
	if k[0] == uuidKey {
		if uuidtext.ID(prefix) != other.id {
			return false
		}
		prefix = prefix[uuidLen:]
	}
	return k[0] == other.form && string(prefix) == other.prefix
}

// hasPrefix reports whether the text of the key starts with prefix. It formats the UUID
// only if prefix reaches into it.
func (k packedKey) hasPrefix(prefix string) bool {
	if k[0] == plainKey {
		return startsWith(k[1:], prefix)
	}
	head := k[1+uuidLen:]
	if len(prefix) <= len(head) {
		return startsWith(head, prefix)
	}
	var text [uuidTextLen]byte
	return string(head) == prefix[:len(head)] &&
		startsWith(appendUUID(text[:0], k[1:]), prefix[len(head):])
}

func startsWith(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// appendUUID appends the canonical form of the UUID that raw starts with.
func appendUUID(dst, raw []byte) []byte {
	var text [uuidTextLen]byte
	uuidtext.Put(text[:], (*uuidtext.ID)(raw))
	return append(dst, text[:]...)
}
