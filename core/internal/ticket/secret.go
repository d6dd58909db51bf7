package ticket

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math"
)

// A Secret is the part of a ticket that authenticates its bearer: 32 random bytes. It exists in
// the cookie and, during a request, in memory; the store keeps only its digest.
type Secret [32]byte

// A Digest is the SHA-256 of a secret. It authenticates nobody.
type Digest [sha256.Size]byte

// NewSecret returns a random secret.
func NewSecret() (s Secret) {
	_, _ = rand.Read(s[:]) // It never fails.
	return s
}

// sharedSize is the length of the prefix that a secret shares with those that replace it by
// Rotate.
const sharedSize = len(Secret{}) / 2

// Rotate returns a random secret to replace s. The first half of both is the same, so that the
// History of the new secret can tell that s was issued.
func (s *Secret) Rotate() Secret {
	next := NewSecret()
	copy(next[:sharedSize], s[:])
	return next
}

// Derive returns what the bearer of s can show for the purpose instead of s. It authenticates
// nobody otherwise, and does not tell what s is. The secrets that replace s by Rotate derive the
// same; those of a login or a step-up do not.
func (s *Secret) Derive(purpose string) (d Digest) {
	mac := hmac.New(sha256.New, s[:sharedSize])
	mac.Write([]byte(purpose))
	mac.Sum(d[:0])
	return d
}

// Digest returns the digest of s.
func (s *Secret) Digest() Digest { return sha256.Sum256(s[:]) }

// Matches reports whether d is the digest of s. It takes the same time whatever the answer.
func (d *Digest) Matches(s *Secret) bool {
	digest := s.Digest()
	return d.Equal(&digest)
}

// Equal reports whether d and other are equal. It takes the same time whatever the answer. It
// compares words, because subtle.ConstantTimeCompare compares bytes and each request that reads
// pays for it.
func (d *Digest) Equal(other *Digest) bool {
	var differ uint64
	for i := 0; i < len(d); i += 8 {
		differ |= binary.NativeEndian.Uint64(d[i:]) ^ binary.NativeEndian.Uint64(other[i:])
	}
	return differ == 0
}

// seal encrypts next, which replaces old, so that it can be read only by the bearer of old: it
// is XORed with a pad that is derived from old and from the digest of next. Applied to a sealed
// secret, seal decrypts it.
func seal(old, next Secret, nextDigest Digest) Secret {
	mac := hmac.New(sha256.New, old[:])
	mac.Write([]byte("cloakroom successor v1"))
	mac.Write(nextDigest[:])
	var pad Secret
	mac.Sum(pad[:0])
	subtle.XORBytes(pad[:], pad[:], next[:])
	return pad
}

// MaxMillis bounds the times in a record, in milliseconds since the Unix epoch, so that adding
// a duration to one cannot overflow.
const MaxMillis = math.MaxInt64 / 4
