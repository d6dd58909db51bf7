package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// newTestTicket draws a ticket from the real source.
func newTestTicket(tb testing.TB, m *Manager) ticket {
	tb.Helper()
	out, err := m.newTicket(time.Now())
	if err != nil {
		tb.Fatalf("newTicket: %v", err)
	}
	return out
}

// present makes a request with this Cookie field and returns the session after its load.
func present(tb testing.TB, m *Manager, field string) *Session {
	tb.Helper()
	s := new(Session)
	m.Attach(s, field)
	want(tb, s.Load(tb.Context()), nil)
	return s
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	for range 100 {
		in := newTestTicket(t, m)
		token := in.token()
		equal(t, "token length", len(token), 64)
		out, ok := parseToken(token)
		if !ok || out != in {
			t.Fatalf("%d-byte token does not come back as the ticket it was made of", len(token))
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !bytes.Equal(raw[:16], in.id[:]) || !bytes.Equal(raw[16:], in.secret[:]) {
			t.Fatal("token is not base64url of id and secret")
		}
	}
}

// Every byte value in every position of a token: whatever is not of the alphabet costs no store call, and whatever is asks
// for the very token that was sent.
func TestK1EveryByteEverywhere(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	tk := newTestTicket(t, m)
	good := tk.token()
	loads := 0
	for at := range len(good) {
		for b := range 256 {
			value := good[:at] + string([]byte{byte(b)}) + good[at+1:]
			present(t, m, "session="+value)
			if reachesStore(value) {
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

// reachesStore is the rule by the book, written apart from the code under test: base64url that decodes to a version 7 UUID
// of the standard variant and 32 bytes more.
func reachesStore(value string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil && len(raw) == 48 && raw[6]>>4 == 7 && raw[8]>>6 == 0b10 && !strings.ContainsAny(value, "\r\n")
}

func TestK1EveryLength(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	tk := newTestTicket(t, m)
	token := strings.Repeat(tk.token(), 160)
	for n := range 10001 {
		if n == tokenLength {
			continue
		}
		s := present(t, m, "session="+token[:n])
		if !s.IsNew() {
			t.Fatalf("a token of %d bytes opens a session", n)
		}
		want(t, s.Load(t.Context()), nil)
	}
	equal(t, "store calls", store.count(""), 0)
	present(t, m, "session="+token[:tokenLength])
	equal(t, "store calls for the right length", store.count("load"), 1)
}

func TestK2OneSpelling(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(set(t, 1))
	_, good, _ := strings.Cut(c.cookie, "=")
	// A secret with both of the characters in which the alphabets differ.
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	copy(raw[42:], "\xfb\xff\xfe\xfb\xff\xfe")
	store.forget()
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
		present(t, m, "session="+value)
		if n := store.count(""); n != 0 {
			t.Errorf("%s: %d store calls, want none", name, n)
			store.forget()
		}
	}
	equal(t, "visits", visits.Get(present(t, m, "session="+good)), 1)
}

// An id that parses but is of another version or variant names no session of ours.
func TestK2ForeignUUID(t *testing.T) {
	t.Parallel()
	for version := range 16 {
		for variant := range 4 {
			tk := ticket{id: uuid.UUID{6: byte(version << 4), 8: byte(variant << 6)}}
			_, ok := parseToken(tk.token())
			if wanted := version == 7 && variant == 2; ok != wanted {
				t.Errorf("version %d, variant %d: accepted is %v, want %v", version, variant, ok, wanted)
			}
		}
	}
}

func TestK3KeyIsPrefixAndID(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Prefix: "app:"})
	c := newClient(t, m)
	c.visit(set(t, 1))
	id, err := uuid.Parse(c.id())
	if err != nil || id.Version() != 7 {
		t.Fatalf("id %q is not a UUIDv7", c.id())
	}
	equal(t, "key", store.saved[0].Key, "app:"+id.String())
}

// failing is a random source that runs dry after some bytes.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if f.left < len(p) {
		return 0, errors.New("entropy pool is empty")
	}
	f.left -= len(p)
	return rand.Read(p)
}

func TestT2FailingRandomSource(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]int{"no id": 0, "an id but no secret": 16} {
		store := newSpy()
		m := newTestManager(t, Options{Store: store})
		m.random = &failing{left: left}
		s := newClient(t, m).arrive()
		want(t, visits.Set(s, 1), nil)
		reply, err := s.Finish(t.Context())
		if err == nil {
			t.Errorf("%s: Finish succeeds", name)
		}
		nothing(t, name, reply)
		equal(t, name+": status", StatusCode(err), 500)
		equal(t, name+": store calls", store.count(""), 0)
	}
}

func TestT2IDWithoutRandomness(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	m.random = &failing{}
	equal(t, "ID", newClient(t, m).arrive().ID(), "")
}

// Without randomness there is no new secret, so Login and Renew fail, and the old session stays as it was.
func TestT2RenewalNeedsRandomness(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Session) error{
		"Renew": (*Session).Renew,
		"Login": func(s *Session) error { return s.Login("ann") },
	} {
		store := newSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.visit(set(t, 1))
		store.forget()
		m.random = &failing{}
		s := c.arrive()
		want(t, change(s), nil)
		if _, err := s.Finish(t.Context()); err == nil {
			t.Errorf("%s without randomness succeeds", name)
		}
		equal(t, name+": saves", store.count("save"), 0)
		m.random = rand.Reader
		c.visit(func(s *Session) {
			equal(t, name+": visits", visits.Get(s), 1)
			equal(t, name+": subject", s.Subject(), "")
		})
	}
}

func TestR5IDCollision(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	victim := newClient(t, m)
	victim.visit(set(t, 1))
	taken := victim.ticketOf().id
	before := store.stored(t, key(m.prefix, taken))

	var draws int
	drawn := m.newID
	m.newID = func(r io.Reader, now time.Time, id *uuid.UUID) error {
		if draws++; draws == 1 {
			*id = taken
			return nil
		}
		return drawn(r, now, id)
	}
	other := newClient(t, m)
	other.visit(set(t, 2))
	equal(t, "ids drawn", draws, 2)
	if other.ticketOf().id == taken {
		t.Fatal("the new session joined the existing one")
	}
	after := store.stored(t, key(m.prefix, taken))
	if !bytes.Equal(before.Data, after.Data) || before.Version != after.Version {
		t.Error("the existing session was written")
	}
	victim.visit(func(s *Session) { equal(t, "the victim's visits", visits.Get(s), 1) })
	other.visit(func(s *Session) { equal(t, "the other's visits", visits.Get(s), 2) })
	equal(t, "records", store.records(), 2)
}

// A generator that gives nothing but ids that are taken is an error, not an endless loop, and still joins nothing.
func TestR5NothingButCollisions(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	victim := newClient(t, m)
	victim.visit(set(t, 1))
	taken := victim.ticketOf().id
	m.newID = func(_ io.Reader, _ time.Time, id *uuid.UUID) error { *id = taken; return nil }
	s := newClient(t, m).arrive()
	want(t, visits.Set(s, 2), nil)
	reply, err := s.Finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "cookie", reply.SetCookie, "")
	victim.visit(func(s *Session) { equal(t, "the victim's visits", visits.Get(s), 1) })
}

// The random source may give out between a collision and the id in its place.
func TestR5CollisionWithoutRandomness(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	m.random = &failing{left: 48}
	store.fail("save", ErrConflict)
	s := newClient(t, m).arrive()
	want(t, visits.Set(s, 2), nil)
	reply, err := s.Finish(t.Context())
	if err == nil || reply.SetCookie != "" {
		t.Errorf("Finish returns %v and %v, want an error and no cookie", reply, err)
	}
}

func TestSealHidesTheSuccessor(t *testing.T) {
	t.Parallel()
	old, next := secret{1}, secret{2}
	sealed := seal(old, next, next.digest())
	if sealed == next || sealed == old {
		t.Error("the seal shows a secret")
	}
	equal(t, "opened", seal(old, next, next.digest()) == sealed, true)
	if seal(sealed, old, next.digest()) == next || seal(secret{3}, sealed, next.digest()) == next {
		t.Error("another secret opens the seal")
	}
	if seal(old, sealed, next.digest()) != next {
		t.Error("the old secret does not open the seal")
	}
}

func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", 64))
	store := newSpy()
	m := newTestManager(f, Options{Store: store})
	for range 3 {
		tk := newTestTicket(f, m)
		f.Add(tk.token())
	}
	f.Fuzz(func(t *testing.T, value string) {
		tk, ok := parseToken(value)
		if ok != reachesStore(value) {
			t.Fatalf("accepted is %v, by the book %v", ok, !ok)
		}
		if !ok {
			return
		}
		if tk.token() != value {
			t.Fatal("an accepted token has a second spelling")
		}
		store.forget()
		s := new(Session)
		m.Attach(s, "session="+value)
		if err := s.Load(context.WithoutCancel(t.Context())); err != nil || !s.IsNew() {
			t.Fatalf("an unknown token is adopted, or fails: %v", err)
		}
		equal(t, "calls", strings.Join(store.calls, ","), "load session:"+tk.id.String())
	})
}

func TestEachByteOfADigestCounts(t *testing.T) {
	t.Parallel()
	s := secret{1}
	d := s.digest()
	equal(t, "its own matches", d.matches(&s), true)
	for i := range d {
		other := d
		other[i] ^= 0x80
		equal(t, fmt.Sprintf("with another byte %d it matches", i), other.matches(&s), false)
	}
}
