package ticket

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// K2: a UUID of another version or variant is not an id of a session.
func TestK2ForeignUUID(t *testing.T) {
	t.Parallel()
	for version := range 16 {
		for variant := range 4 {
			tk := Ticket{ID: uuid.UUID{6: byte(version << 4), 8: byte(variant << 6)}}
			_, ok := parse(textOf(&tk))
			if wanted := version == 7 && variant == 2; ok != wanted {
				t.Errorf("version %d, variant %d: accepted is %v, want %v", version, variant, ok, wanted)
			}
		}
	}
}

func TestTextOfATicket(t *testing.T) {
	t.Parallel()
	for range 100 {
		in := random()
		text := string(in.AppendText([]byte("before ")))
		raw := append(append([]byte{}, in.ID[:]...), in.Secret[:]...)
		equal(t, "text", text, "before "+base64.RawURLEncoding.EncodeToString(raw))
		out, ok := parse(text[len("before "):])
		equal(t, "parsed", ok && out == in, true)
	}
}

// A value of another length, or with a character that is not in the alphabet, is not a ticket.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tk := random()
	text := textOf(&tk)
	for at := range text {
		for _, b := range []byte("+/= \n\x00\x7f\x80\xff.") {
			value := text[:at] + string([]byte{b}) + text[at+1:]
			_, ok := parse(value)
			equal(t, fmt.Sprintf("%q at %d is accepted", b, at), ok, false)
		}
	}
	for _, value := range []string{"", text[:63], text + "A", text + text} {
		_, ok := parse(value)
		equal(t, fmt.Sprintf("a value of %d bytes is accepted", len(value)), ok, false)
	}
}

func TestSealHidesTheNextSecret(t *testing.T) {
	t.Parallel()
	old, next := Secret{1}, Secret{2}
	sealed := seal(old, next, next.Digest())
	if sealed == next || sealed == old {
		t.Error("the seal shows a secret")
	}
	equal(t, "opened", seal(old, next, next.Digest()) == sealed, true)
	if seal(sealed, old, next.Digest()) == next || seal(Secret{3}, sealed, next.Digest()) == next {
		t.Error("another secret opens the seal")
	}
	if seal(old, sealed, next.Digest()) != next {
		t.Error("the old secret does not open the seal")
	}
}

func TestEachByteOfADigestCounts(t *testing.T) {
	t.Parallel()
	s := Secret{1}
	d := s.Digest()
	equal(t, "its own matches", d.Matches(&s), true)
	for i := range d {
		other := d
		other[i] ^= 0x80
		equal(t, fmt.Sprintf("with another byte %d it matches", i), other.Matches(&s), false)
	}
}

// wellFormed is the definition of a token, written independently of the code under test:
// base64url of a version 7 UUID and 32 more bytes.
func wellFormed(value string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil && len(raw) == 48 && raw[6]>>4 == 7 && raw[8]>>6 == 0b10 && !strings.ContainsAny(value, "\r\n")
}

func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", TextLength))
	for range 3 {
		tk := random()
		f.Add(textOf(&tk))
	}
	f.Fuzz(func(t *testing.T, value string) {
		tk, ok := parse(value)
		if ok != wellFormed(value) {
			t.Fatalf("accepted is %v, by the book %v", ok, !ok)
		}
		if ok && textOf(&tk) != value {
			t.Fatal("an accepted token has a second spelling")
		}
	})
}

// random returns a random ticket.
func random() Ticket { return Ticket{ID: uuid.Must(uuid.NewV7()), Secret: NewSecret()} }

// textOf returns the cookie value of t.
func textOf(t *Ticket) string { return string(t.AppendText(nil)) }

func parse(value string) (t Ticket, ok bool) {
	ok = t.Parse(value)
	return t, ok
}

// equal fails the test unless got equals wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}
