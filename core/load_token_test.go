package core

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// loadCookie loads the session of a request with this Cookie field.
func loadCookie(tb testing.TB, m *Manager, field string) *Session {
	tb.Helper()
	s := unloadedSession(m, field)
	want(tb, s.load(tb.Context()), nil)
	return s
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	for range 100 {
		in := newTestTicket(t, m)
		token := textOf(&in)
		equal(t, "token length", len(token), 64)
		out, ok := parseTicket(token)
		if !ok || out != in {
			t.Fatalf("%d-byte token does not come back as the ticket it was made of", len(token))
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !bytes.Equal(raw[:16], in.ID[:]) || !bytes.Equal(raw[16:], in.Secret[:]) {
			t.Fatal("token is not base64url of id and secret")
		}
	}
}

// K1: each byte in each position of a token. A malformed token costs no call of the store.
func TestK1EveryByteEverywhere(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	tk := newTestTicket(t, m)
	good := textOf(&tk)
	loads := 0
	for at := range len(good) {
		for b := range 256 {
			value := good[:at] + string([]byte{byte(b)}) + good[at+1:]
			loadCookie(t, m, "session="+value)
			if wellFormed(value) {
				loads++
			}
			if n := store.count(""); n != loads {
				t.Fatalf("byte %#02x at %d: %d store calls, want %d", b, at, n, loads)
			}
		}
	}
	if loads < 60*64 {
		t.Fatalf("only %d of the variants were well formed; the test is not testing", loads)
	}
}

// wellFormed is the definition of a token, written independently of the code under test:
// base64url of a version 7 UUID and 32 more bytes.
func wellFormed(value string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil && len(raw) == 48 && raw[6]>>4 == 7 && raw[8]>>6 == 0b10 && !strings.ContainsAny(value, "\r\n")
}

func TestK1EveryLength(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	tk := newTestTicket(t, m)
	token := strings.Repeat(textOf(&tk), 160)
	for n := range 10001 {
		if n == ticket.TextLength {
			continue
		}
		s := loadCookie(t, m, "session="+token[:n])
		if !s.IsNew() {
			t.Fatalf("a token of %d bytes opens a session", n)
		}
		want(t, s.load(t.Context()), nil)
	}
	equal(t, "store calls", store.count(""), 0)
	loadCookie(t, m, "session="+token[:ticket.TextLength])
	equal(t, "store calls for the right length", store.count("load"), 1)
}

func TestK2OneSpelling(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	_, good, _ := strings.Cut(c.cookie, "=")
	// A token with both characters in which the alphabets of base64 differ.
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	copy(raw[42:], "\xfb\xff\xfe\xfb\xff\xfe")
	store.reset()
	for name, value := range map[string]string{
		"padding":            good + "=",
		"padding inside":     good[:63] + "=",
		"double padding":     good[:62] + "==",
		"line feed":          good + "\n",
		"line feed inside":   good[:30] + "\n" + good[30:],
		"line feed in place": good[:30] + "\n" + good[31:],
		"carriage return":    good[:30] + "\r\n" + good[32:],
		"standard":           base64.RawStdEncoding.EncodeToString(raw),
		"quoted":             `"` + good + `"`,
		"percent":            good[:61] + "%41",
		"space in front":     " " + good,
		"hex":                strings.Repeat("0", 96),
		"uuid":               uuid.UUID(raw[:16]).String(),
		"nil uuid":           strings.Repeat("A", 64),
		"twice":              good + good,
	} {
		loadCookie(t, m, "session="+value)
		if n := store.count(""); n != 0 {
			t.Errorf("%s: %d store calls, want none", name, n)
			store.reset()
		}
	}
	equal(t, "visits", visits.Get(loadCookie(t, m, "session="+good)), 1)
}

func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", 64))
	store := newSpy()
	m := newTestManager(f, Options{Store: store})
	for range 3 {
		tk := newTestTicket(f, m)
		f.Add(textOf(&tk))
	}
	f.Fuzz(func(t *testing.T, value string) {
		tk, ok := parseTicket(value)
		if ok != wellFormed(value) {
			t.Fatalf("accepted is %v, by the book %v", ok, !ok)
		}
		if !ok {
			return
		}
		if textOf(&tk) != value {
			t.Fatal("an accepted token has a second spelling")
		}
		store.reset()
		s := unloadedSession(m, "session="+value)
		if err := s.load(context.WithoutCancel(t.Context())); err != nil || !s.IsNew() {
			t.Fatalf("an unknown token is adopted, or fails: %v", err)
		}
		equal(t, "calls", strings.Join(store.calls, ","), "load session:"+tk.ID.String())
	})
}
