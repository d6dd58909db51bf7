package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// tokenLength is the length of a cookie value: 48 bytes in base64url, which comes out even, so each ticket has one
// spelling.
const tokenLength = 64

// A ticket is what a cookie value stands for: which session, and the proof that the bearer may use it.
type ticket struct {
	id     uuid.UUID
	secret secret
}

// secret is 32 random bytes that exist in the cookie and, for the length of a request, in memory. Stores see its digest
// only.
type secret [32]byte

// digest is the SHA-256 of a secret. It authenticates nobody.
type digest [sha256.Size]byte

// draw makes s a secret from random.
func (s *secret) draw(random io.Reader) error {
	if _, err := io.ReadFull(random, s[:]); err != nil {
		*s = secret{}
		return fmt.Errorf("sessions: drawing a secret: %w", err)
	}
	return nil
}

// newSecret draws a secret from random.
func newSecret(random io.Reader) (s secret, err error) {
	err = s.draw(random)
	return s, err
}

// digest returns what the record keeps of the secret.
func (s *secret) digest() digest { return sha256.Sum256(s[:]) }

// matches reports, in constant time, whether d is the digest of s.
func (d *digest) matches(s *secret) bool {
	own := s.digest()
	return subtle.ConstantTimeCompare(d[:], own[:]) == 1
}

// seal hides the successor of a secret so that only who knows the old secret can read it: it is XORed with a pad derived
// from the old secret and the successor's digest. Sealing is its own inverse.
func seal(old, successor secret, successorDigest digest) secret {
	mac := hmac.New(sha256.New, old[:])
	mac.Write([]byte("cloakroom successor v1"))
	mac.Write(successorDigest[:])
	var pad secret
	mac.Sum(pad[:0])
	subtle.XORBytes(pad[:], pad[:], successor[:])
	return pad
}

// appendToken appends the cookie value of t.
func (t *ticket) appendToken(dst []byte) []byte {
	var raw [48]byte
	copy(raw[:16], t.id[:])
	copy(raw[16:], t.secret[:])
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// token returns the cookie value of t.
func (t *ticket) token() string { return string(t.appendToken(nil)) }

// parseToken reads a cookie value. It refuses anything but the one spelling of a ticket, before decoding anything.
func parseToken(value string) (t ticket, ok bool) {
	if len(value) != tokenLength {
		return ticket{}, false
	}
	for i := range len(value) {
		if !isBase64URL(value[i]) {
			return ticket{}, false
		}
	}
	var raw [48]byte
	if _, err := base64.RawURLEncoding.Decode(raw[:], []byte(value)); err != nil {
		return ticket{}, false
	}
	copy(t.id[:], raw[:16])
	copy(t.secret[:], raw[16:])
	return t, t.id.Version() == 7 && t.id.Variant() == uuid.RFC4122
}

func isBase64URL(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}

// key returns the store key of a session: prefix and canonical id.
func key(prefix string, id uuid.UUID) string {
	var room [maxPrefix + 36]byte // on the stack, so that the string is all there is to allocate
	n := copy(room[:], prefix)
	encodeUUID(room[n:], id)
	return string(room[:n+36])
}

// encodeUUID writes the canonical form of id, 36 bytes, into dst.
func encodeUUID(dst []byte, id uuid.UUID) {
	const digits = "0123456789abcdef"
	at := 0
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst[at] = '-'
			at++
		}
		dst[at], dst[at+1] = digits[b>>4], digits[b&15]
		at += 2
	}
}
