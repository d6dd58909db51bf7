package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/memstore"
)

func TestValuesOfEveryKind(t *testing.T) {
	t.Parallel()
	type profile struct {
		Name string         `json:"name"`
		Tags []string       `json:"tags"`
		More map[string]int `json:"more"`
		When time.Time      `json:"when"`
	}
	const (
		text   = Key[string]("text")
		number = Key[int]("number")
		large  = Key[int64]("large")
		flag   = Key[bool]("flag")
		ratio  = Key[float64]("ratio")
		raw    = Key[[]byte]("raw")
		person = Key[profile]("person")
		anyway = Key[any]("anyway")
	)
	c := newClient(t, newTestManager(t, Options{}))
	in := profile{"ann", []string{"a", "b"}, map[string]int{"x": 1}, time.UnixMilli(1234).UTC()}
	c.visit(func(s *Session) {
		want(t, text.Set(s, "quoted \"text\" <&> \u2028 é \x7f"), nil)
		want(t, number.Set(s, math.MinInt), nil)
		want(t, large.Set(s, math.MaxInt64), nil)
		want(t, flag.Set(s, true), nil)
		want(t, ratio.Set(s, 0.1), nil)
		want(t, raw.Set(s, []byte{0, 255}), nil)
		want(t, person.Set(s, in), nil)
		want(t, anyway.Set(s, "x"), nil)
		want(t, s.Set("", nil), nil) // an empty key and a nil value are a key and a value
	})
	c.visit(func(s *Session) {
		equal(t, "text", text.Get(s), "quoted \"text\" <&> \u2028 é \x7f")
		equal(t, "number", number.Get(s), math.MinInt)
		equal(t, "large", large.Get(s), math.MaxInt64)
		equal(t, "flag", flag.Get(s), true)
		equal(t, "ratio", ratio.Get(s), 0.1)
		equal(t, "raw", string(raw.Get(s)), "\x00\xff")
		equal(t, "anyway", anyway.Get(s), any("x"))
		got := person.Get(s)
		if got.Name != in.Name || !slices.Equal(got.Tags, in.Tags) || got.More["x"] != 1 || !got.When.Equal(in.When) {
			t.Errorf("person is %+v", got)
		}
		equal(t, "Len", s.Len(), 9)
		equal(t, "Keys", strings.Join(s.Keys(), ","), ",anyway,flag,large,number,person,ratio,raw,text")
		var v any = 1
		equal(t, "has the empty key", s.Get("", &v), true)
	})
}

// The short ways of the commonest types give the very bytes that JSON gives, and read what JSON reads.
func TestPlainIsJSON(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		"", "a", "\"", "\\", "<b>&", "é", "\x00", "\x7f", "\n", "a\xffb", "\u2028", 0, -1, math.MaxInt, math.MinInt,
		int64(math.MinInt64), true, false,
	} {
		wanted, err := json.Marshal(v)
		got, ok := encodePlain(v)
		if err != nil || (ok && !bytes.Equal(got, wanted)) {
			t.Errorf("%#v: %s, JSON says %s", v, got, wanted)
		}
	}
	for _, data := range []string{
		"0", "-0", "1", "-1", "01", "-01", "1.0", "1e3", "", "-", "+1", " 1", "9223372036854775807", "9223372036854775808",
		"999999999999999999", "-999999999999999999", "true", "false", "null", "True", `""`, `"a"`, `"`, `"\""`, `"é"`, `"a`, `"<"`, "[]",
	} {
		samePlain[string](t, data)
		samePlain[int](t, data)
		samePlain[int64](t, data)
		samePlain[bool](t, data)
	}
}

func samePlain[T comparable](t *testing.T, data string) {
	t.Helper()
	var wanted, got T
	err := json.Unmarshal([]byte(data), &wanted)
	if !decodePlain([]byte(data), &got) {
		return // then JSON is asked
	}
	if err != nil || got != wanted {
		t.Errorf("%q: %v, JSON says %v and %v", data, got, wanted, err)
	}
}

func TestReadsOfANewSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "Subject", s.Subject(), "")
		equal(t, "Len", s.Len(), 0)
		equal(t, "visits", visits.Get(s), 0)
		if _, ok := visits.Lookup(s); ok {
			t.Error("a value that nobody set")
		}
		if _, ok := visits.Take(s); ok {
			t.Error("a value to take that nobody set")
		}
		want(t, visits.Delete(s), nil)
		want(t, s.Clear(), nil)
		want(t, s.Renew(), nil)
		for what, at := range map[string]time.Time{"Created": s.Created(), "LastSeen": s.LastSeen(), "Expires": s.Expires()} {
			if !at.IsZero() {
				t.Errorf("%s is %v, want the zero time", what, at)
			}
		}
	})
	equal(t, "cookie", c.cookie, "")
}

// Values are copies, on the way in and on the way out.
func TestValuesAreCopies(t *testing.T) {
	t.Parallel()
	const list = Key[[]int]("list")
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		in := []int{1, 2}
		want(t, list.Set(s, in), nil)
		in[0] = 9
		out := list.Get(s)
		out[1] = 9
		equal(t, "first", list.Get(s)[0], 1)
		equal(t, "second", list.Get(s)[1], 2)
	})
	c.visit(func(s *Session) { list.Get(s)[0] = 9 })
	c.visit(func(s *Session) { equal(t, "first", list.Get(s)[0], 1) })
}

// A key that stands in a buffer which the framework uses again is copied.
func TestA1KeysAreCopied(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		buf := []byte("abc")
		name := unsafeString(buf)
		want(t, s.Set(name, 1), nil)
		Key[int](name).Update(s, func(n int) int { return n + 1 })
		other := []byte("xyz")
		Key[int](unsafeString(other)).Update(s, func(n int) int { return n + 1 })
		subject := []byte("ann")
		want(t, s.Login(unsafeString(subject)), nil)
		copy(buf, "???")
		copy(other, "???")
		copy(subject, "???")
	})
	c.visit(func(s *Session) {
		equal(t, "Keys", strings.Join(s.Keys(), ","), "abc,xyz")
		equal(t, "Subject", s.Subject(), "ann")
	})
}

func TestEqualValueIsNoChange(t *testing.T) {
	t.Parallel()
	store := newTouchSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	store.forget()
	for name, handler := range map[string]func(s *Session){
		"Set":           set(t, 1),
		"Session.Set":   func(s *Session) { want(t, s.Set("visits", 1), nil) },
		"Update":        func(s *Session) { visits.Update(s, func(n int) int { return n }) },
		"Delete absent": func(s *Session) { want(t, note.Delete(s), nil) },
		"Take absent":   func(s *Session) { note.Take(s) },
		"reading all": func(s *Session) {
			_, _, _, _, _, _ = s.ID(), s.IsNew(), s.Created(), s.LastSeen(), s.Expires(), s.Keys()
		},
	} {
		r := c.visit(handler)
		equal(t, name+": Set-Cookie", r.SetCookie, "")
		equal(t, name+": Private", r.Private, true)
		equal(t, name+": loads", store.count("load"), 1)
		equal(t, name+": calls", store.count(""), 1)
		store.forget()
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(func(s *Session) { want(t, note.Set(s, "saved"), nil) })
	c.visit(func(s *Session) {
		got, ok := note.Take(s)
		if got != "saved" || !ok {
			t.Errorf("Take gives %q, %v", got, ok)
		}
		if _, again := note.Take(s); again {
			t.Error("a second Take gives it again")
		}
	})
	c.visit(func(s *Session) {
		if _, again := note.Take(s); again {
			t.Error("Take of the next request gives it again")
		}
	})
	equal(t, "saves", store.count("save"), 2)
}

// meddling is a codec that lets a test come in while a value is decoded.
type meddling struct {
	JSON
	during func()
}

func (m *meddling) Decode(data []byte, v any) error {
	if during := m.during; during != nil {
		m.during = nil
		during()
	}
	return m.JSON.Decode(data, v)
}

// Of two goroutines of a request that take a value at once, one gets it.
func TestTakeOnce(t *testing.T) {
	t.Parallel()
	codec := new(meddling)
	c := newClient(t, newTestManager(t, Options{Codec: codec}))
	c.visit(func(s *Session) { want(t, note.Set(s, "once"), nil) })
	s := c.arrive()
	codec.during = func() {
		got, ok := note.Take(s)
		if got != "once" || !ok {
			t.Errorf("the faster one gets %q, %v", got, ok)
		}
	}
	if got, ok := note.Take(s); ok {
		t.Errorf("the slower one gets %q too", got)
	}
	c.leave(s)
	equal(t, "Len", c.arrive().Len(), 0)
}

// What cannot be removed is not handed out, or it would be read twice.
func TestTakeFromAnEndedSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) { want(t, note.Set(s, "saved"), nil) })
	s := c.arrive()
	c.with().visit((*Session).Destroy)
	want(t, visits.Set(s, 1), nil)
	want(t, s.Save(t.Context()), ErrGone)
	if got, ok := note.Take(s); ok || got != "" {
		t.Errorf("Take gives %q, %v", got, ok)
	}
	want(t, note.Delete(s), ErrGone)
	want(t, s.Clear(), ErrGone)
	want(t, s.Renew(), ErrGone)
	want(t, s.Login("ann"), ErrGone)
	want(t, s.SetExpiry(time.Hour), ErrGone)
}

func TestClear(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		want(t, s.Login("ann"), nil)
		want(t, visits.Set(s, 1), nil)
		want(t, note.Set(s, "a"), nil)
	})
	id := c.id()
	c.visit(func(s *Session) {
		increment(s)
		want(t, s.Clear(), nil)
		equal(t, "Len", s.Len(), 0)
		equal(t, "visits", visits.Get(s), 0)
		increment(s)
		equal(t, "Keys", strings.Join(s.Keys(), ","), "visits")
	})
	c.visit(func(s *Session) {
		equal(t, "ID", s.ID(), id)
		equal(t, "Subject", s.Subject(), "ann")
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "note", note.Get(s), "")
	})
}

// A value of another type reads as absent and raises an event, and can be replaced.
func TestUndecodableValue(t *testing.T) {
	t.Parallel()
	log, out := debugLog()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add, Logger: log})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, s.Set("visits", "not-a-number"), nil) })
	c.visit(func(s *Session) {
		if n, ok := visits.Lookup(s); n != 0 || ok {
			t.Errorf("Lookup gives %d, %v", n, ok)
		}
		var n int
		equal(t, "Value", s.Get("visits", &n), false)
		equal(t, "Value of an absent key", s.Get("nothing", &n), false)
		if _, ok := visits.Take(s); ok {
			t.Error("Take gives something")
		}
		equal(t, "Update starts over", visits.Update(s, func(n int) int { return n + 1 }), 1)
	})
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	bad := 0
	for _, e := range events.after(t, m) {
		if e.Kind == EventBadValue {
			bad++
			equal(t, "key", e.Key, "visits")
			equal(t, "id", e.SessionID, c.id())
			if e.Err == nil {
				t.Error("no reason")
			}
		}
	}
	equal(t, "events", bad, 4)
	if strings.Contains(out.String(), "not-a-number") {
		t.Error("the log repeats the value")
	}
}

// A value that cannot be encoded is an error of Set that leaves the session as it was.
func TestUnencodableSet(t *testing.T) {
	t.Parallel()
	const odd = Key[func()]("odd")
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		want(t, visits.Set(s, 1), nil)
		for name, err := range map[string]error{
			"channel": s.Set("visits", make(chan int)), "NaN": s.Set("visits", math.NaN()), "func": odd.Set(s, func() {}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "sessions: encoding ") {
				t.Errorf("%s: error is %v", name, err)
			}
		}
		equal(t, "visits", visits.Get(s), 1)
	})
	c.visit(func(s *Session) { equal(t, "Keys", strings.Join(s.Keys(), ","), "visits") })
}

// Update cannot return the error, so the commit does, and nothing of the request is stored.
func TestUnencodableUpdateFailsTheCommit(t *testing.T) {
	t.Parallel()
	const ratio = Key[float64]("ratio")
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	store.forget()
	s := c.arrive()
	want(t, visits.Set(s, 2), nil)
	ratio.Update(s, func(float64) float64 { return math.Inf(1) })
	if err := visits.Set(s, 3); err == nil {
		t.Error("Set after the failure succeeds")
	}
	if err := visits.Delete(s); err == nil {
		t.Error("Delete after the failure succeeds")
	}
	reply, err := s.finish(t.Context())
	if err == nil {
		t.Error("Finish succeeds")
	}
	nothing(t, "reply", reply)
	equal(t, "status", StatusCode(err), 500)
	equal(t, "saves", store.count("save"), 0)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

func TestS1SizeCap(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, MaxSize: 1000}))
	c.visit(set(t, 1))
	store.forget()
	s := c.arrive()
	want(t, note.Set(s, strings.Repeat("x", 1000)), ErrTooLarge)
	want(t, note.Set(s, strings.Repeat("x", 600)), nil)
	want(t, s.Set("second", strings.Repeat("x", 600)), nil) // each fits, both do not
	reply, err := s.finish(t.Context())
	want(t, err, ErrTooLarge)
	nothing(t, "reply", reply)
	equal(t, "status", StatusCode(err), 500)
	equal(t, "saves", store.count("save"), 0)
	c.visit(func(s *Session) { equal(t, "Keys", strings.Join(s.Keys(), ","), "visits") })

	s = c.arrive()
	note.Update(s, func(string) string { return strings.Repeat("x", 1000) })
	want(t, s.Save(t.Context()), ErrTooLarge)
}

// S1 where the store is the one that refuses.
func TestS1StoreRefuses(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{ErrTooLarge, ErrFull} {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		store.fail("save", refusal)
		s := c.arrive()
		want(t, visits.Set(s, 1), nil)
		reply, err := s.finish(t.Context())
		want(t, err, refusal)
		equal(t, "cookie", reply.SetCookie, "")
		equal(t, "status", StatusCode(err), map[error]int{ErrTooLarge: 500, ErrFull: 503}[refusal])
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		for _, subject := range []string{"", strings.Repeat("a", 1025), strings.Repeat("a", 1<<20)} {
			if err := s.Login(subject); err == nil || len(err.Error()) > 200 {
				t.Errorf("Login with %d bytes: %v", len(subject), err)
			}
		}
	})
	equal(t, "cookie", c.cookie, "")
	for _, subject := range []string{"a", strings.Repeat("a", 1024), "\x00\n:*?[]", "é\xff"} {
		c.visit(func(s *Session) { want(t, s.Login(subject), nil) })
		c.visit(func(s *Session) { equal(t, "Subject", s.Subject(), subject) })
	}
}

// K5 and the hostile subjects of K3: the index key is short, printable, and tells all of them apart.
func TestK5SubjectKeys(t *testing.T) {
	t.Parallel()
	managers := []*Manager{
		newTestManager(t, Options{}),
		newTestManager(t, Options{Prefix: "session"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "sessions"}, Prefix: ":"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "a"}, Prefix: "b"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "ab"}, Prefix: "c"}),
	}
	seen := make(map[string]string)
	for i, m := range managers {
		for _, subject := range []string{"a", "a:b", ":b", "a:", "b", ":a", "\x00", "a\x00", "\n", "*", strings.Repeat("a", 1<<20), "bc", "c"} {
			k := m.keyspace.subjectKey(subject)
			if old, taken := seen[k]; taken {
				t.Errorf("manager %d: %.20q has the key of %s", i, subject, old)
			}
			seen[k] = subject
			if len(k) != 43 || strings.Trim(k, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
				t.Errorf("key of %.20q is %q", subject, k)
			}
		}
	}
}

func TestSubjectReachesTheRecord(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(set(t, 1))
	equal(t, "anonymous", store.stored(t, m.keyspace.prefix+c.id()).Subject, "")
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	equal(t, "signed in", store.stored(t, m.keyspace.prefix+c.id()).Subject, m.keyspace.subjectKey("ann"))
	c.visit(increment)
	equal(t, "after a write", store.stored(t, m.keyspace.prefix+c.id()).Subject, m.keyspace.subjectKey("ann"))
}

func TestSetExpiryLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(func(s *Session) {
		for _, d := range []time.Duration{-2, -time.Hour, 1, 3600, time.Second - 1} {
			if err := s.SetExpiry(d); err == nil || !strings.Contains(err.Error(), "SetExpiry") {
				t.Errorf("SetExpiry(%v): %v", d, err)
			}
		}
		want(t, s.SetExpiry(time.Hour), nil) // alone it starts no session
	})
	equal(t, "cookie", c.cookie, "")
}

func TestDestroyThenSet(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
	old, before := c.id(), c.with()
	var next string
	reply := c.visit(func(s *Session) {
		s.Destroy()
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "Subject", s.Subject(), "")
		equal(t, "visits", visits.Get(s), 0)
		equal(t, "Len", s.Len(), 0)
		want(t, note.Set(s, "goodbye"), nil)
		next = s.ID()
	})
	if next == old || next == "" {
		t.Errorf("the new session's id is %q, the old one's %q", next, old)
	}
	equal(t, "cookie is a live one", strings.Contains(reply.SetCookie, "Max-Age=0"), false)
	equal(t, "records", store.records(), 1)
	equal(t, "id", c.id(), next)
	c.visit(func(s *Session) {
		equal(t, "note", note.Get(s), "goodbye")
		equal(t, "Subject", s.Subject(), "")
	})
	before.visit(func(s *Session) { equal(t, "the old token is new", s.IsNew(), true) })
}

func TestDestroyTwiceAndAlone(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	reply := c.visit(func(s *Session) { s.Destroy(); s.Destroy() })
	if !strings.HasPrefix(reply.SetCookie, "session=; ") {
		t.Errorf("Set-Cookie is %q", reply.SetCookie)
	}
	equal(t, "deletes", store.count("delete"), 1)
	equal(t, "records", store.records(), 0)
	// What was created and destroyed again between two saves of one request leaves nothing.
	c.visit(func(s *Session) {
		want(t, visits.Set(s, 1), nil)
		want(t, s.Save(t.Context()), nil)
		s.Destroy()
	})
	equal(t, "records", store.records(), 0)
	equal(t, "cookie", c.cookie, "")
	// And what was never saved costs nothing.
	store.forget()
	c.visit(func(s *Session) { want(t, visits.Set(s, 1), nil); s.Destroy() })
	equal(t, "calls", store.count(""), 0)
}

func TestD1D2AnonymousVisitorsAreFree(t *testing.T) {
	t.Parallel()
	store := newTouchSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	for i := range 10_000 {
		r := c.visit(func(s *Session) {
			read(s)
			if i%2 == 0 {
				s.Destroy()
			}
		})
		if r.SetCookie != "" {
			t.Fatal("a cookie for a visitor without a session")
		}
	}
	equal(t, "store calls", store.count(""), 0)
}

func TestF1UnknownToken(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	planted := newTestTicket(t, m)
	c := newClient(t, m)
	c.cookie = "session=" + textOf(&planted)
	reply := c.visit(read)
	equal(t, "Set-Cookie after a read", reply.SetCookie, "")
	equal(t, "records after a read", store.records(), 0)
	c.visit(set(t, 1))
	if got := c.ticketOf(); got.ID == planted.ID || got.Secret == planted.Secret {
		t.Error("the planted token was adopted")
	}
	equal(t, "records", store.records(), 1)
}

// An id that is known opens nothing without its secret.
func TestF1WrongSecret(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.visit(set(t, 1))
	thief := newClient(t, m)
	for bit := range 256 {
		tk := c.ticketOf()
		tk.Secret[bit/8] ^= 1 << (bit % 8)
		thief.cookie = "session=" + textOf(&tk)
		thief.visit(func(s *Session) {
			equal(t, "IsNew", s.IsNew(), true)
			equal(t, "visits", visits.Get(s), 0)
		})
	}
	thief.visit(set(t, 2))
	if thief.id() == c.id() {
		t.Error("the thief's session has the victim's id")
	}
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	equal(t, "refused", has(events.after(t, m), EventRefused), true)
}

func TestF2LoginKillsTheOldToken(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	old, before := c.with(), c.ticketOf()
	reply := c.visit(func(s *Session) {
		want(t, s.Login("ann"), nil)
		equal(t, "Subject at once", s.Subject(), "ann")
	})
	if reply.SetCookie == "" || c.ticketOf().Secret == before.Secret {
		t.Fatal("Login keeps the secret")
	}
	equal(t, "id", c.ticketOf().ID, before.ID)
	old.visit(func(s *Session) { equal(t, "the old token is new", s.IsNew(), true) })
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Subject", s.Subject(), "ann")
	})
	equal(t, "records", store.records(), 1)
	// Again, as somebody else: the secret changes again.
	before = c.ticketOf()
	c.visit(func(s *Session) { want(t, s.Login("bob"), nil) })
	equal(t, "secret is the old one", c.ticketOf().Secret == before.Secret, false)
	c.visit(func(s *Session) { equal(t, "Subject", s.Subject(), "bob") })
}

func TestLoginOnANewSession(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	c.visit(func(s *Session) {
		equal(t, "Subject", s.Subject(), "ann")
		equal(t, "IsNew", s.IsNew(), false)
	})
	equal(t, "events", kinds(events.after(t, m)), "created login loaded")
}

// F5: an attacker plants a live anonymous token of his own, the victim signs in with it, the attacker is outside.
func TestF5PlantedLiveToken(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	attacker := c.with()
	attacker.visit(set(t, 1))
	victim := attacker.with()
	inFlight := attacker.arrive()
	victim.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	attacker.visit(func(s *Session) {
		equal(t, "the attacker's subject", s.Subject(), "")
		equal(t, "the attacker's IsNew", s.IsNew(), true)
	})
	// A request that the attacker had under way gets nothing either.
	increment(inFlight)
	equal(t, "the attacker's cookie", attacker.leave(inFlight).SetCookie, "")
	victim.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

func TestF6EndedTokenMeansNewID(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(set(t, 1))
	old, stale := c.ticketOf(), c.with()
	c.visit((*Session).Destroy)
	reply := stale.visit(read)
	equal(t, "Set-Cookie", reply.SetCookie, "")
	stale.visit(set(t, 2))
	if stale.ticketOf().ID == old.ID {
		t.Error("the ended session's id lives again")
	}
	if _, err := store.store.Load(t.Context(), m.keyspace.key(old.ID)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the ended session's record: %v", err)
	}
}

// K4: managers that share a store keep apart, by prefix and by name.
func TestK4TwoManagersOneStore(t *testing.T) {
	t.Parallel()
	store := newSpy()
	first := newTestManager(t, Options{Store: store})
	c := newClient(t, first)
	c.visit(set(t, 1))
	token := strings.TrimPrefix(c.cookie, "session=")
	for name, o := range map[string]Options{
		"another name, same prefix":  {Cookie: Cookie{Name: "other"}},
		"another prefix, same name":  {Prefix: "other:"},
		"both":                       {Prefix: "other:", Cookie: Cookie{Name: "other"}},
		"a prefix of the prefix":     {Prefix: "session"},
		"a name that begins as ours": {Cookie: Cookie{Name: "sessions"}},
	} {
		o.Store = store
		m := newTestManager(t, o)
		other := newClient(t, m)
		other.cookie = m.CookieName() + "=" + token
		other.visit(func(s *Session) {
			equal(t, name+": IsNew", s.IsNew(), true)
			s.Destroy()
		})
	}
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	same := newClient(t, newTestManager(t, Options{Store: store}))
	same.cookie = c.cookie
	same.visit(func(s *Session) { equal(t, "visits on another machine", visits.Get(s), 1) })
}

// wrapped is the memory store in another, whose Load is its own.
type wrapped struct{ *memstore.Store }

func (wrapped) Load(context.Context, string) (Record, error) { return Record{}, errDown }

// What wraps the memory store is asked, although it has the store's other ways to load a record as well.
func TestWrappedMemoryStoreIsAsked(t *testing.T) {
	t.Parallel()
	inner := memstore.New(memstore.Options{})
	c := newClient(t, newTestManager(t, Options{Store: inner}))
	c.visit(set(t, 1))
	s := attach(newTestManager(t, Options{Store: wrapped{inner}}), c.cookie)
	want(t, s.load(t.Context()), ErrStore)
}

// T3: nothing that the store holds is, or leads to, what the cookie holds.
func TestT3StoreAuthenticatesNobody(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	var secrets []ticket.Secret
	c.visit(set(t, 1))
	secrets = append(secrets, c.ticketOf().Secret)
	c.visit(func(s *Session) { want(t, s.Renew(), nil) })
	secrets = append(secrets, c.ticketOf().Secret)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	secrets = append(secrets, c.ticketOf().Secret)
	for i, rec := range store.saved {
		for _, secret := range secrets {
			if strings.Contains(string(rec.Data)+rec.Key+rec.Subject, string(secret[:])) {
				t.Errorf("save %d holds a secret", i)
			}
		}
		snap, err := decodeRecord(rec)
		want(t, err, nil)
		stored := map[string][32]byte{"digest": snap.Digest()}
		history := snap.Identity().History
		for i := range history.Len() {
			retired := history[24+i*72+8:] // as docs/record-format.md has it
			stored["former digest"], stored["seal"] = [32]byte(retired), [32]byte(retired[32:])
		}
		for what, raw := range stored {
			forged := ticket.Ticket{ID: c.ticketOf().ID, Secret: raw}
			thief := newClient(t, c.m)
			thief.cookie = "session=" + textOf(&forged)
			thief.visit(func(s *Session) {
				if !s.IsNew() {
					t.Errorf("save %d: the %s opens the session", i, what)
				}
			})
		}
	}
}

// A3: goroutines of one request share its session. The race detector watches.
func TestA3SharedByGoroutines(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 0))
	s := c.arrive()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			mine := Key[int](strings.Repeat("k", i+1))
			for n := range 50 {
				increment(s)
				want(t, mine.Set(s, n), nil)
				if got := mine.Get(s); got != n {
					t.Errorf("read %d, wrote %d", got, n)
				}
				_, _, _, _ = s.Keys(), s.Subject(), s.String(), s.Expires()
				if n%10 == 9 {
					want(t, s.Save(t.Context()), nil)
				}
			}
		})
	}
	group.Wait()
	c.leave(s)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 400)
		equal(t, "Len", s.Len(), 9)
	})
}

// A2: a session that is used after its request shows what it last knew, and harms nobody.
func TestA2UseAfterReturn(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	var kept *Session
	c.visit(func(s *Session) { kept = s; want(t, visits.Set(s, 1), nil) })
	equal(t, "visits", visits.Get(kept), 1)
	c.visit(set(t, 2))
	equal(t, "visits of the kept one", visits.Get(kept), 1)
	store.forget()
	want(t, note.Set(kept, "late"), nil)
	equal(t, "calls", store.count(""), 0)
	want(t, kept.Save(t.Context()), nil)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 2)
		equal(t, "note", note.Get(s), "late")
	})
	c.visit((*Session).Destroy)
	want(t, note.Set(kept, "too late"), nil)
	want(t, kept.Save(t.Context()), ErrGone)
	want(t, note.Set(kept, "far too late"), ErrGone)
	equal(t, "records", store.records(), 0)
}

func TestLazyUntouchedCostsNothing(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.visit(set(t, 1))
	store.forget()
	s := attach(m, c.cookie)
	equal(t, "printed", s.String(), "session()")
	r, err := s.finish(t.Context())
	want(t, err, nil)
	nothing(t, "reply", r)
	equal(t, "calls", store.count(""), 0)
}

func TestLazyFailedLoad(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.visit(set(t, 1))
	attach := func() *Session {
		s := attach(m, c.cookie)
		store.fail("load", errDown)
		want(t, s.load(t.Context()), ErrStore)
		return s
	}
	// Without use it is nobody's business.
	s := attach()
	r, err := s.finish(t.Context())
	want(t, err, nil)
	nothing(t, "reply", r)
	// With use, the response must not pretend that there was no session.
	for name, use := range map[string]func(s *Session){
		"read":    read,
		"keys":    func(s *Session) { s.Keys() },
		"subject": func(s *Session) { equal(t, "Subject", s.Subject(), "") },
		"write":   func(s *Session) { want(t, visits.Set(s, 9), ErrStore) },
		"update":  increment,
		"destroy": (*Session).Destroy,
		"login":   func(s *Session) { want(t, s.Login("ann"), ErrStore) },
	} {
		s := attach()
		use(s)
		r, err := s.finish(t.Context())
		want(t, err, ErrStore)
		want(t, err, errDown)
		equal(t, name+": status", StatusCode(err), 503)
		nothing(t, name+": reply", r)
	}
	// A load that succeeds later is as good as one that succeeded at once.
	s = attach()
	store.hook(nil)
	want(t, s.load(t.Context()), nil)
	equal(t, "visits", visits.Get(s), 1)
	c.leave(s)
}

func TestUseWithoutLoad(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	tk := newTestTicket(t, m)
	s := attach(m, "session="+textOf(&tk))
	equal(t, "ID", s.ID(), "")
	want(t, visits.Set(s, 1), errNotLoaded)
	_, err := s.finish(t.Context())
	want(t, err, errNotLoaded)
	equal(t, "status", StatusCode(err), 500)
}

// A second Load costs nothing, whatever the first one found.
func TestLoadOnce(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	want(t, c.arrive().load(t.Context()), nil)
	c.visit(set(t, 1))
	store.forget()
	s := c.arrive()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { want(t, s.load(t.Context()), nil) })
	}
	group.Wait()
	equal(t, "loads", store.count("load"), 1)
}

// TestKeysOfManyKeys ends soon only where the time that Keys takes grows with the number of keys, and not with its square.
func TestKeysOfManyKeys(t *testing.T) {
	t.Parallel()
	const n = 150_000
	entries := make([]record.Entry, n)
	for i := range entries {
		entries[i] = record.Entry{Key: []byte(strconv.FormatInt(int64(i), 36)), Value: []byte("1")}
	}
	s := newClient(t, newTestManager(t, Options{})).arrive()
	s.status, s.snap = statusLive, encodeRecord(&Record{Version: 1}, &record.Header{}, entries)
	s.saving = &delta{keys: []change{{key: []byte("0")}, {key: []byte("1"), present: true}, {key: []byte("2"), present: true}, {key: []byte("saved"), present: true}}}
	s.pending = &delta{keys: []change{{key: []byte("2")}, {key: []byte("saved")}, {key: []byte("added"), present: true}}}
	equal(t, "number of keys", s.Len(), n-1)
	equal(t, "first key", s.Keys()[0], "1")
	s.saving.cleared = true
	equal(t, "keys after Clear", strings.Join(s.Keys(), " "), "1 added")
	s.pending.cleared = true
	equal(t, "keys after another Clear", strings.Join(s.Keys(), " "), "added")
}
