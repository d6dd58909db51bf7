package core

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// The encoding without reflection equals that of JSON, byte for byte, and it decodes what JSON
// decodes.
func TestPlainEncodingIsJSON(t *testing.T) {
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
		wantLikeJSON[string](t, data)
		wantLikeJSON[int](t, data)
		wantLikeJSON[int64](t, data)
		wantLikeJSON[bool](t, data)
	}
}

func wantLikeJSON[T comparable](t *testing.T, data string) {
	t.Helper()
	var wanted, got T
	err := json.Unmarshal([]byte(data), &wanted)
	if !decodePlain([]byte(data), &got) {
		return // The caller falls back to JSON.
	}
	if err != nil || got != wanted {
		t.Errorf("%q: %v, JSON says %v and %v", data, got, wanted, err)
	}
}

// A value of another type is treated as absent, raises an event, and can be replaced by Set.
func TestUndecodableValue(t *testing.T) {
	t.Parallel()
	log, out := debugLog()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add, Logger: log})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Set("visits", "not-a-number"), nil) })
	c.request(func(s *Session) {
		if n, ok := visits.Lookup(s); n != 0 || ok {
			t.Errorf("Lookup gives %d, %v", n, ok)
		}
		var n int
		equal(t, "Value", s.Get("visits", &n), false)
		equal(t, "Value of an absent key", s.Get("nothing", &n), false)
		if _, ok := visits.Take(s); ok {
			t.Error("Take gives something")
		}
		want(t, visits.Set(s, 1), nil)
	})
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	bad := 0
	for _, e := range events.closeAndList(t, m) {
		if e.Kind == EventBadValue {
			bad++
			equal(t, "key", e.Key, "visits")
			equal(t, "id", e.SessionID, c.id())
			if e.Err == nil {
				t.Error("no reason")
			}
		}
	}
	equal(t, "events", bad, 3)
	if strings.Contains(out.String(), "not-a-number") {
		t.Error("the log repeats the value")
	}
}

// Set returns an error for a value that cannot be encoded, and leaves the session as it was.
func TestUnencodableSet(t *testing.T) {
	t.Parallel()
	const odd = Key[func()]("odd")
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
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
	c.request(func(s *Session) { equal(t, "Keys", strings.Join(s.Keys(), ","), "visits") })
}

// Update has no error to return, so the commit fails and nothing of the request is stored.
func TestUnencodableUpdateFailsTheCommit(t *testing.T) {
	t.Parallel()
	const ratio = Key[float64]("ratio")
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	store.reset()
	s := c.load()
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
	wantNoReply(t, "reply", reply)
	equal(t, "status", StatusCode(err), 500)
	equal(t, "saves", store.count("save"), 0)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}
