package core

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
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
	c.request(func(s *Session) {
		want(t, text.Set(s, "quoted \"text\" <&> \u2028 é \x7f"), nil)
		want(t, number.Set(s, math.MinInt), nil)
		want(t, large.Set(s, math.MaxInt64), nil)
		want(t, flag.Set(s, true), nil)
		want(t, ratio.Set(s, 0.1), nil)
		want(t, raw.Set(s, []byte{0, 255}), nil)
		want(t, person.Set(s, in), nil)
		want(t, anyway.Set(s, "x"), nil)
		want(t, s.Set("", nil), nil) // An empty key is a key, and nil is a value.
	})
	c.request(func(s *Session) {
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

// Values are copied when they are stored and when they are read.
func TestValuesAreCopies(t *testing.T) {
	t.Parallel()
	const list = Key[[]int]("list")
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
		in := []int{1, 2}
		want(t, list.Set(s, in), nil)
		in[0] = 9
		out := list.Get(s)
		out[1] = 9
		equal(t, "first", list.Get(s)[0], 1)
		equal(t, "second", list.Get(s)[1], 2)
	})
	c.request(func(s *Session) { list.Get(s)[0] = 9 })
	c.request(func(s *Session) { equal(t, "first", list.Get(s)[0], 1) })
}

// A1: keys and subjects are copied, because the framework may reuse their memory.
func TestA1KeysAreCopied(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
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
	c.request(func(s *Session) {
		equal(t, "Keys", strings.Join(s.Keys(), ","), "abc,xyz")
		equal(t, "Subject", s.Subject(), "ann")
	})
}

func TestEqualValueIsNoChange(t *testing.T) {
	t.Parallel()
	store := newTouchSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	store.reset()
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
		r := c.request(handler)
		equal(t, name+": Set-Cookie", r.SetCookie, "")
		equal(t, name+": Private", r.Private, true)
		equal(t, name+": loads", store.count("load"), 1)
		equal(t, name+": calls", store.count(""), 1)
		store.reset()
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
		want(t, s.Login("ann"), nil)
		want(t, visits.Set(s, 1), nil)
		want(t, note.Set(s, "a"), nil)
	})
	id := c.id()
	c.request(func(s *Session) {
		increment(s)
		want(t, s.Clear(), nil)
		equal(t, "Len", s.Len(), 0)
		equal(t, "visits", visits.Get(s), 0)
		increment(s)
		equal(t, "Keys", strings.Join(s.Keys(), ","), "visits")
	})
	c.request(func(s *Session) {
		equal(t, "ID", s.ID(), id)
		equal(t, "Subject", s.Subject(), "ann")
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "note", note.Get(s), "")
	})
}

func TestS1SizeCap(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, MaxSize: 1000}))
	c.request(set(t, 1))
	store.reset()
	s := c.load()
	want(t, note.Set(s, strings.Repeat("x", 1000)), ErrTooLarge)
	want(t, note.Set(s, strings.Repeat("x", 600)), nil)
	want(t, s.Set("second", strings.Repeat("x", 600)), nil) // Each fits alone.
	reply, err := s.finish(t.Context())
	want(t, err, ErrTooLarge)
	wantNoReply(t, "reply", reply)
	equal(t, "status", StatusCode(err), 500)
	equal(t, "saves", store.count("save"), 0)
	c.request(func(s *Session) { equal(t, "Keys", strings.Join(s.Keys(), ","), "visits") })

	s = c.load()
	note.Update(s, func(string) string { return strings.Repeat("x", 1000) })
	want(t, s.Save(t.Context()), ErrTooLarge)
}

// S1: the store refuses the record.
func TestS1StoreRefuses(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{ErrTooLarge, ErrFull} {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		store.failOn("save", refusal)
		s := c.load()
		want(t, visits.Set(s, 1), nil)
		reply, err := s.finish(t.Context())
		want(t, err, refusal)
		equal(t, "cookie", reply.SetCookie, "")
		equal(t, "status", StatusCode(err), map[error]int{ErrTooLarge: 500, ErrFull: 503}[refusal])
	}
}

// TestKeysOfManyKeys takes too long if the time of Keys grows with the square of their number.
func TestKeysOfManyKeys(t *testing.T) {
	t.Parallel()
	const n = 150_000
	entries := make([]record.Entry, n)
	for i := range entries {
		entries[i] = record.Entry{Key: []byte(strconv.FormatInt(int64(i), 36)), Value: []byte("1")}
	}
	s := newClient(t, newTestManager(t, Options{})).load()
	s.status, s.snap = statusLive, encodeRecord(&Record{Version: 1}, &record.Header{}, entries)
	s.saving = &delta{keys: []change{{key: []byte("0")}, setTo("1", ""), setTo("2", ""), setTo("saved", "")}}
	s.pending = &delta{keys: []change{{key: []byte("2")}, {key: []byte("saved")}, setTo("added", "")}}
	equal(t, "number of keys", s.Len(), n-1)
	equal(t, "first key", s.Keys()[0], "1")
	s.saving.cleared = true
	equal(t, "keys after Clear", strings.Join(s.Keys(), " "), "1 added")
	s.pending.cleared = true
	equal(t, "keys after another Clear", strings.Join(s.Keys(), " "), "added")
}
