package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a manager whose events and log a test looks at.
type watched struct {
	*Manager
	events recorder
	log    *buffer
}

func newWatched(tb testing.TB, o Options) *watched {
	tb.Helper()
	w := new(watched)
	o.Logger, w.log = debugLog()
	o.OnEvent = w.events.add
	w.Manager = newTestManager(tb, o)
	return w
}

// wantOnce fails the test unless there is one event of the kind, for the key, and one line in the
// log, with the text in both, and no other event of a loss.
func (w *watched) wantOnce(tb testing.TB, what string, kind EventKind, key, text string) {
	tb.Helper()
	n := 0
	events := w.events.closeAndList(tb, w.Manager)
	for i := range events {
		switch e := &events[i]; e.Kind {
		case kind:
			n++
			equal(tb, what+": key", e.Key, key)
			equal(tb, what+": has an error", e.Err != nil, true)
			if e.Err != nil && !strings.Contains(e.Err.Error(), text) {
				tb.Errorf("%s: the event has %q, want %q", what, e.Err, text)
			}
		case EventBadValue, EventValueRefused, EventLost, EventLate, EventStoreFailed:
			tb.Errorf("%s: also the event %v", what, e.Kind)
		default:
		}
	}
	equal(tb, what+": events", n, 1)
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	equal(tb, what+": lines", len(lines), 1)
	line := strings.ReplaceAll(lines[0], `\"`, `"`)
	if !strings.Contains(line, "sessions: "+kind.String()) || !strings.Contains(line, text) {
		tb.Errorf("%s: the log has %q, want %q", what, w.log, text)
	}
}

// A value that another version of the program has stored under the key stays, whatever reads it
// with another type.
func TestValueOfAnotherTypeStays(t *testing.T) {
	t.Parallel()
	const lease = Key[Lease]("visits")
	for name, handler := range map[string]func(s *Session) error{
		"Update": func(s *Session) error {
			equal(t, "Update returns", visits.Update(s, func(int) int { t.Error("fn runs"); return 7 }), 0)
			return s.Save(t.Context())
		},
		"Update, then others": func(s *Session) error {
			visits.Update(s, func(n int) int { return n + 1 })
			want(t, note.Set(s, "lost"), ErrBadValue)
			return s.Save(t.Context())
		},
		"TakeOnce": func(s *Session) error { _, _, err := visits.TakeOnce(t.Context(), s); return err },
		"Take": func(s *Session) error {
			_, ok := visits.Take(s)
			equal(t, "Take", ok, false)
			return ErrBadValue
		},
		"Once": func(s *Session) error {
			return Once(t.Context(), s, lease, time.Minute, func() error { t.Error("work runs"); return nil })
		},
	} {
		w := newWatched(t, Options{})
		c := newClient(t, w.Manager)
		c.request(func(s *Session) { want(t, s.Set("visits", "the new version's"), nil) })
		s := c.load()
		want(t, handler(s), ErrBadValue)
		_, err := s.finish(t.Context())
		if strings.HasPrefix(name, "Update") {
			want(t, err, ErrBadValue)
			equal(t, name+": status", StatusCode(err), 500)
		} else {
			want(t, err, nil)
		}
		equal(t, name+": values", contents(c.load()), "visits=the new version's")
		w.wantOnce(t, name, EventBadValue, "visits", `"visits" into `)
		if strings.Contains(w.log.String(), "new version's") {
			t.Errorf("%s: the log quotes the value", name)
		}
	}
}

// The same holds if the other version stores its value while this request runs.
func TestValueOfAnotherTypeStaysInTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	w := newWatched(t, Options{Store: store})
	c := newClient(t, w.Manager)
	c.request(set(t, 1))
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		c.clone().request(func(s *Session) { want(t, s.Set("visits", "newer"), nil) })
	})
	want(t, s.Save(t.Context()), ErrBadValue)
	_, err := s.finish(t.Context()) // It tries again, which is no second failure to report.
	want(t, err, ErrBadValue)
	equal(t, "values", contents(c.load()), "visits=newer")
	w.wantOnce(t, "merge", EventBadValue, "visits", "into int")
}

// An application that wants to begin again says so.
func TestUpdateAfterDeleteBeginsAgain(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) { want(t, s.Set("visits", "old"), nil) })
	c.request(func(s *Session) {
		want(t, visits.Delete(s), nil)
		increment(s)
	})
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

// What cannot be stored is one event and one line in the log, however often the error is returned
// and even if nobody looks at it.
func TestWhatCannotBeStoredIsReportedOnce(t *testing.T) {
	t.Parallel()
	const ratio = Key[float64]("ratio")
	infinite := func(s *Session) { ratio.Update(s, func(float64) float64 { return math.Inf(1) }) }
	big := strings.Repeat("x", 600)
	for name, tc := range map[string]struct {
		handler   func(s *Session)
		key, text string
		fails     bool // the response is an error
	}{
		"Set ignored":       {func(s *Session) { _ = s.Set("note", "\xff") }, "note", "UTF-8", false},
		"Key.Set ignored":   {func(s *Session) { _ = ratio.Set(s, math.NaN()) }, "ratio", "NaN", false},
		"too large":         {func(s *Session) { _ = note.Set(s, big+big) }, "note", `the value of "note" takes`, false},
		"Update":            {infinite, "ratio", "Inf", true},
		"Update, committed": {func(s *Session) { infinite(s); _, _ = s.commit(t.Context()) }, "ratio", "Inf", true},
		"Update, too large": {func(s *Session) { note.Update(s, func(string) string { return big + big }) }, "note", `the value of "note"`, true},
		"session too large": {func(s *Session) { _ = note.Set(s, big); _ = s.Set("b", big) }, "", "the session takes", true},
		"late Update":       {func(s *Session) { s.sendHeaders(); infinite(s) }, "ratio", "Inf", true},
		"several saves": {func(s *Session) {
			_ = note.Set(s, big)
			_ = s.Set("b", big)
			_ = s.Save(t.Context())
			_ = s.Save(t.Context())
		}, "", "the session takes", true},
		"late save too large": {func(s *Session) { s.sendHeaders(); _ = note.Set(s, big); _ = s.Set("b", big); _ = s.Save(t.Context()) }, "", "the session takes", true},
	} {
		w := newWatched(t, Options{MaxSize: 1000})
		c := newClient(t, w.Manager)
		c.request(set(t, 1))
		s := c.load()
		tc.handler(s)
		_, err := s.finish(t.Context())
		if (err != nil) != tc.fails {
			t.Errorf("%s: error is %v", name, err)
		}
		equal(t, name+": values", contents(c.load()), "visits=1")
		w.wantOnce(t, name, EventValueRefused, tc.key, tc.text)
	}
}

// A new session that is too large is dropped by an explicit Save, so the response succeeds.
func TestDroppedSessionIsReported(t *testing.T) {
	t.Parallel()
	w := newWatched(t, Options{MaxSize: 1000})
	c := newClient(t, w.Manager)
	c.request(func(s *Session) {
		_ = note.Set(s, strings.Repeat("x", 600))
		_ = s.Set("b", strings.Repeat("x", 600))
		_ = s.Save(t.Context())
	})
	equal(t, "cookie", c.cookie, "")
	w.wantOnce(t, "dropped", EventValueRefused, "", "the session takes")
}

// An update that cannot be stored on the value of another request fails the commit, whatever the
// codec's error wraps.
func TestUpdateThatFailsInTheMergeIsNoEnd(t *testing.T) {
	t.Parallel()
	store := newSpy()
	n := 0
	w := newWatched(t, Options{Store: store, Codec: refCodec{n: &n}})
	c := newClient(t, w.Manager)
	c.request(set(t, 1))
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		c.clone().request(increment)
		n = 1
	})
	_, err := s.finish(t.Context())
	if err == nil || errors.Is(err, ErrGone) {
		t.Errorf("error is %v, want the codec's", err)
	}
	w.wantOnce(t, "merge", EventValueRefused, "visits", "the codec returned an error of type *errors.errorString")
}

// quoting is a type whose method fails with the value in its error.
type quoting string

func (q quoting) MarshalText() ([]byte, error) { return nil, fmt.Errorf("cannot encode %s", string(q)) }
func (q *quoting) UnmarshalText([]byte) error  { return nil }

// The error that the caller gets has the text of the codec, which may quote the value. The log and
// the hook do not get that.
func TestErrorsOfValuesDoNotQuoteThem(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"text": quoting("hunter2"), "number": json.Number("hunter2"), "strings": []string{"hunter2\xff"},
		"map key": map[string]string{"hunter2\xff": "x"}, "map value": map[string]any{"hunter2": []any{"hunter2\xff"}},
		"in an interface": []any{quoting("hunter2")}, "unexported": struct{ A, b string }{"hunter2", "hunter2"},
	} {
		w := newWatched(t, Options{})
		newClient(t, w.Manager).request(func(s *Session) {
			if err := s.Set("k", v); err == nil {
				t.Errorf("%s is stored", name)
			}
		})
		w.wantOnce(t, name, EventValueRefused, "k", `encoding "k": `)
		if strings.Contains(w.log.String(), "hunter2") {
			t.Errorf("%s: the log has the value: %s", name, w.log)
		}
	}
}

// The errors say what is wrong and what to do.
func TestTextsOfValues(t *testing.T) {
	t.Parallel()
	var n *int
	for name, tc := range map[string]struct {
		handler func(s *Session)
		wanted  string
	}{
		"no pointer": {
			func(s *Session) { equal(t, "Get", s.Get("visits", 1), false) },
			`sessions: Get("visits", v) needs a pointer to decode into, and got a value of type int: declare a variable and pass &variable`,
		},
		"nil":         {func(s *Session) { equal(t, "Get", s.Get("visits", nil), false) }, "and got nil: "},
		"nil pointer": {func(s *Session) { equal(t, "Get", s.Get("visits", n), false) }, "and got a nil *int: "},
		"absent":      {func(s *Session) { equal(t, "Get", s.Get("absent", 1), false) }, "needs a pointer"},
		"another type": {
			func(s *Session) { var p []string; equal(t, "Get", s.Get("visits", &p), false) },
			`does not decode into the type of the key: "visits" into []string; the stored value stays: use another key for another type, or Delete the value first`,
		},
	} {
		w := newWatched(t, Options{})
		c := newClient(t, w.Manager)
		c.request(set(t, 1))
		c.request(tc.handler)
		equal(t, name+": events", hasKind(w.events.closeAndList(t, w.Manager), EventBadValue), true)
		line := strings.ReplaceAll(w.log.String(), `\"`, `"`)
		if !strings.Contains(line, tc.wanted) {
			t.Errorf("%s: the log has %s", name, line)
		}
	}
	c := newClient(t, newTestManager(t, Options{MaxSize: 100}))
	s := c.load()
	want(t, s.Set("k", strings.Repeat("x", 90)), nil)
	err := s.Save(t.Context())
	want(t, err, ErrTooLarge)
	wanted := "sessions: session is too large: the session takes "
	if !strings.HasPrefix(err.Error(), wanted) || !strings.HasSuffix(err.Error(), "raise MaxSize") {
		t.Errorf("too large: %v", err)
	}
}

// What fails after a save that succeeded is reported again.
func TestNextFailureIsReported(t *testing.T) {
	t.Parallel()
	w := newWatched(t, Options{MaxSize: 1000})
	c := newClient(t, w.Manager)
	c.request(set(t, 1))
	s := c.load()
	for range 2 {
		want(t, note.Set(s, strings.Repeat("x", 600)), nil)
		want(t, s.Set("b", strings.Repeat("x", 600)), nil)
		want(t, s.Save(t.Context()), ErrTooLarge)
		want(t, s.Clear(), nil)
		want(t, s.Save(t.Context()), nil)
	}
	n := 0
	events := w.events.closeAndList(t, w.Manager)
	for i := range events {
		if events[i].Kind == EventValueRefused {
			n++
		}
	}
	equal(t, "events", n, 2)
}

// The text of an error stays short, however deeply the value is nested.
func TestPlaceOfADeepProblemIsShort(t *testing.T) {
	t.Parallel()
	value := any("\xff")
	for range 5000 {
		value = []any{value}
	}
	err := newClient(t, newTestManager(t, Options{})).load().Set("k", value)
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "at [0][0]") {
		t.Errorf("error is %.1000v", err)
	}
}

// A value has nothing behind it, also where numbers are decoded as json.Number.
func TestTrailingDataDoesNotDecode(t *testing.T) {
	t.Parallel()
	var v any
	for data, good := range map[string]bool{"1": true, "1 ": true, "1 2": false, "[]]": false, "": false} {
		if err := (JSON{}).Decode([]byte(data), &v); (err == nil) != good {
			t.Errorf("%q decodes to %v with the error %v", data, v, err)
		}
	}
}

// A request that waits for another one's work does not take what it cannot read for the end of it.
func TestOnceDoesNotWaitForAnotherType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newRefresher(t, newSpy())
		c.request(func(s *Session) {
			want(t, refresh.Set(s, Lease{"another", time.Now().Add(time.Hour)}), nil)
		})
		done := make(chan error)
		go func() {
			done <- Once(t.Context(), c.load(), refresh, onceTime, func() error { t.Error("work runs"); return nil })
		}()
		time.Sleep(time.Second)
		c.clone().request(func(s *Session) { want(t, s.Set(string(refresh), "of another type"), nil) })
		want(t, <-done, ErrBadValue)
	})
}
