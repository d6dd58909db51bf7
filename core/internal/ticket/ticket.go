// Package ticket defines what a session cookie carries: the session's id and a secret. It also
// keeps the history of secrets that were replaced, so that a request with a recently replaced
// secret is still accepted, and the use of an older one is detected.
package ticket

import (
	"encoding/base64"

	"github.com/google/uuid"
)

// TextLength is the length of a ticket's text: 48 bytes in base64url without padding. The
// length leaves no spare bits, so each ticket has exactly one spelling.
const TextLength = 64

// A Ticket identifies a session and proves that its bearer may use it.
type Ticket struct {
	ID     uuid.UUID
	Secret Secret
}

// AppendText appends the cookie value of t to dst.
func (t *Ticket) AppendText(dst []byte) []byte {
	var raw [48]byte
	copy(raw[:16], t.ID[:])
	copy(raw[16:], t.Secret[:])
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// Parse sets t from a cookie value and reports whether the value is the text of a ticket whose
// id is a UUIDv7. If it returns false, the contents of t are undefined.
//
// Parse decodes base64url itself because the standard decoder, which handles any length, line
// breaks and padding, takes twice as long.
func (t *Ticket) Parse(value string) bool {
	if len(value) != TextLength {
		return false
	}
	var raw [48]byte
	var all byte // all digits, ORed together
	for from, to := 0, 0; from < TextLength; from, to = from+4, to+3 {
		four, three := value[from:from+4], raw[to:to+3]
		a, b, c, d := digits[four[0]], digits[four[1]], digits[four[2]], digits[four[3]]
		all |= a | b | c | d
		three[0], three[1], three[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
	}
	if all >= invalidDigit {
		return false
	}
	t.ID, t.Secret = uuid.UUID(raw[:16]), Secret(raw[16:])
	return t.ID.Version() == 7 && t.ID.Variant() == uuid.RFC4122
}

// invalidDigit marks characters outside of the alphabet. Valid digits are below it, also when
// they are ORed together.
const invalidDigit = 64

// digits maps each character of base64url (RFC 4648, section 5) to its value.
var digits = func() (all [256]byte) { //nolint:gochecknoglobals // A constant table.
	for c := range all {
		all[c] = invalidDigit
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for value, c := range []byte(alphabet) {
		all[c] = byte(value)
	}
	return all
}()
