package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
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

// matches reports, in constant time, whether d is the digest of s: each word counts, whatever those before it say. Words rather
// than bytes, as crypto/subtle has them, save a thirtieth of a request that reads.
func (d *digest) matches(s *secret) bool {
	own := s.digest()
	var differ uint64
	for i := 0; i < len(own); i += 8 {
		differ |= binary.NativeEndian.Uint64(own[i:]) ^ binary.NativeEndian.Uint64(d[i:])
	}
	return differ == 0
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

// parse makes t the ticket that a cookie value stands for. It refuses anything but the one spelling of a ticket. It decodes
// by itself because that is half as dear as a decoder which has to expect any length, line breaks and padding.
func (t *ticket) parse(value string) bool {
	if len(value) != tokenLength {
		return false
	}
	var raw [48]byte
	var all byte // bits of every digit
	for from, to := 0, 0; from < tokenLength; from, to = from+4, to+3 {
		four, three := value[from:from+4], raw[to:to+3]
		a, b, c, d := digits[four[0]], digits[four[1]], digits[four[2]], digits[four[3]]
		all |= a | b | c | d
		three[0], three[1], three[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
	}
	if all >= noDigit {
		return false
	}
	t.id, t.secret = uuid.UUID(raw[:16]), secret(raw[16:])
	return t.id.Version() == 7 && t.id.Variant() == uuid.RFC4122
}

// noDigit stands for what is no digit of base64url. All digits together stay below it.
const noDigit = 64

// digits are the values of the characters of base64url (RFC 4648 section 5).
var digits = func() (all [256]byte) { //nolint:gochecknoglobals // a table
	for c := range all {
		all[c] = noDigit
	}
	for value, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		all[c] = byte(value)
	}
	return all
}()

// newID draws a UUIDv7 (RFC 9562): the milliseconds of now, then random bits. The library's own way allocates, since it hands
// a variable of its own to random.
func newID(random io.Reader, now time.Time, id *uuid.UUID) error {
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return err
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return nil
}

// key returns the store key of a session: prefix and canonical id.
func key(prefix string, id uuid.UUID) string {
	var room [maxPrefix + 36]byte // on the stack, so that the string is all there is to allocate
	n := copy(room[:], prefix)
	canonical.Put(room[n:], (*canonical.ID)(&id))
	return string(room[:n+canonical.Length])
}
