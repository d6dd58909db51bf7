package core

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// newTestTicket draws a ticket from the real source.
func newTestTicket(tb testing.TB, m *Manager) ticket.Ticket {
	tb.Helper()
	return m.executor.entropy.newTicket(time.Now())
}

// present makes a request with this Cookie field and returns the session after its load.
func present(tb testing.TB, m *Manager, field string) *Session {
	tb.Helper()
	s := attach(m, field)
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

// Every byte value in every position of a token: whatever is not of the alphabet costs no store call, and whatever is asks
// for the very token that was sent.
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
	token := strings.Repeat(textOf(&tk), 160)
	for n := range 10001 {
		if n == ticket.TextLength {
			continue
		}
		s := present(t, m, "session="+token[:n])
		if !s.IsNew() {
			t.Fatalf("a token of %d bytes opens a session", n)
		}
		want(t, s.load(t.Context()), nil)
	}
	equal(t, "store calls", store.count(""), 0)
	present(t, m, "session="+token[:ticket.TextLength])
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

func TestR5IDCollision(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	victim := newClient(t, m)
	victim.visit(set(t, 1))
	taken := victim.ticketOf().ID
	before := store.stored(t, m.keyspace.key(taken))

	var draws int
	drawn := m.executor.entropy.newID
	m.executor.entropy.newID = func(now time.Time) uuid.UUID {
		if draws++; draws == 1 {
			return taken
		}
		return drawn(now)
	}
	other := newClient(t, m)
	other.visit(set(t, 2))
	equal(t, "ids drawn", draws, 2)
	if other.ticketOf().ID == taken {
		t.Fatal("the new session joined the existing one")
	}
	after := store.stored(t, m.keyspace.key(taken))
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
	taken := victim.ticketOf().ID
	m.executor.entropy.newID = func(time.Time) uuid.UUID { return taken }
	s := newClient(t, m).arrive()
	want(t, visits.Set(s, 2), nil)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "cookie", reply.SetCookie, "")
	victim.visit(func(s *Session) { equal(t, "the victim's visits", visits.Get(s), 1) })
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
		if ok != reachesStore(value) {
			t.Fatalf("accepted is %v, by the book %v", ok, !ok)
		}
		if !ok {
			return
		}
		if textOf(&tk) != value {
			t.Fatal("an accepted token has a second spelling")
		}
		store.forget()
		s := attach(m, "session="+value)
		if err := s.load(context.WithoutCancel(t.Context())); err != nil || !s.IsNew() {
			t.Fatalf("an unknown token is adopted, or fails: %v", err)
		}
		equal(t, "calls", strings.Join(store.calls, ","), "load session:"+tk.ID.String())
	})
}
