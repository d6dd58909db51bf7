package core

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// setTo returns the change that sets a key.
func setTo(key, value string) change {
	return change{key: []byte(key), value: []byte(value)}
}

// deletionOf returns the change that deletes a key.
func deletionOf(key string) change { return change{key: []byte(key)} }

// appending returns an update that appends a suffix to the value, or to "new" if there is none.
func appending(suffix string) update {
	return func(old []byte, present bool) ([]byte, error) {
		if !present {
			old = []byte("new")
		}
		return []byte(string(old) + suffix), nil
	}
}

// updateOf returns the change that appends a suffix to a value by an update.
func updateOf(key, old, suffix string) change {
	return change{key: []byte(key), value: []byte(old + suffix), update: appending(suffix)}
}

// deltaOf returns a delta with these changes.
func deltaOf(changes ...change) *delta {
	d := &delta{}
	for _, c := range changes {
		d.put(c)
	}
	return d
}

// changesOf returns the changes of a delta as text. An update is shown by its result for "old".
func changesOf(d *delta) string {
	var out []string
	if d.cleared {
		out = append(out, "clear")
	}
	for _, c := range d.keys {
		text := string(c.key)
		if c.sets() {
			text += "=" + string(c.value)
		}
		if c.update != nil {
			again, err := c.update([]byte("old"), true)
			text += fmt.Sprintf("(old->%s %v)", again, err)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestPut(t *testing.T) {
	t.Parallel()
	d := &delta{}
	d.put(setTo("a", "1"))
	equal(t, "memory of the first change", &d.keys[0] == &d.inline[0], true)
	d.put(setTo("b", "2"))
	d.put(deletionOf("a"))
	d.put(updateOf("c", "old", "+"))
	equal(t, "changes", changesOf(d), "a b=2 c=old+(old->old+ <nil>)")
	d.put(setTo("c", "3"))
	equal(t, "after an update", changesOf(d), "a b=2 c=3")
	d.clear()
	equal(t, "after clear", changesOf(d), "clear")
	d.put(setTo("b", "4"))
	equal(t, "after clear and put", changesOf(d), "clear b=4")
}

func TestPutUpdate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before *delta
		wanted string
	}{
		"first change":    {&delta{}, "a=result(old->old! <nil>)"},
		"another key":     {deltaOf(setTo("b", "1")), "b=1 a=result(old->old! <nil>)"},
		"after a set":     {deltaOf(setTo("a", "1")), "a=result"},
		"after a delete":  {deltaOf(deletionOf("a")), "a=result"},
		"after an update": {deltaOf(updateOf("a", "1", "+")), "a=result(old->old+! <nil>)"},
		"after clear":     {&delta{cleared: true}, "clear a=result"},
	} {
		tc.before.putUpdate([]byte("a"), appending("!"), []byte("result"))
		equal(t, name, changesOf(tc.before), tc.wanted)
	}
}

func TestUpdateThen(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	fail := update(func([]byte, bool) ([]byte, error) { return nil, failed })
	both := appending("+").then(appending("!"))
	value, err := both(nil, false)
	want(t, err, nil)
	equal(t, "both, without a value", string(value), "new+!")
	_, err = fail.then(func([]byte, bool) ([]byte, error) {
		t.Error("the second update runs although the first has failed")
		return nil, nil
	})(nil, true)
	want(t, err, failed)
	_, err = appending("+").then(fail)(nil, true)
	want(t, err, failed)
}

func TestAddChange(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before *delta
		next   change
		wanted string
	}{
		"set":                      {&delta{}, setTo("a", "1"), "a=1"},
		"delete":                   {&delta{}, deletionOf("a"), "a"},
		"update":                   {&delta{}, updateOf("a", "1", "!"), "a=1!(old->old! <nil>)"},
		"set after set":            {deltaOf(setTo("a", "1")), setTo("a", "2"), "a=2"},
		"delete after set":         {deltaOf(setTo("a", "1")), deletionOf("a"), "a"},
		"update after set":         {deltaOf(setTo("a", "1")), updateOf("a", "1", "!"), "a=1!"},
		"update after delete":      {deltaOf(deletionOf("a")), updateOf("a", "new", "!"), "a=new!"},
		"update after update":      {deltaOf(updateOf("a", "1", "+")), updateOf("a", "1+", "!"), "a=1+!(old->old+! <nil>)"},
		"set after update":         {deltaOf(updateOf("a", "1", "+")), setTo("a", "2"), "a=2"},
		"delete after update":      {deltaOf(updateOf("a", "1", "+")), deletionOf("a"), "a"},
		"update after clear":       {&delta{cleared: true}, updateOf("a", "new", "!"), "clear a=new!"},
		"set after clear":          {&delta{cleared: true}, setTo("a", "1"), "clear a=1"},
		"change of another key":    {deltaOf(setTo("a", "1")), setTo("b", "2"), "a=1 b=2"},
		"update after clear, set ": {&delta{cleared: true, keys: []change{setTo("a", "1")}}, updateOf("a", "1", "!"), "clear a=1!"},
	} {
		tc.before.addChange(tc.next)
		equal(t, name, changesOf(tc.before), tc.wanted)
	}
}

func TestAddClear(t *testing.T) {
	t.Parallel()
	d := deltaOf(setTo("a", "1"), setTo("b", "2"))
	d.add(nil)
	equal(t, "after nil", changesOf(d), "a=1 b=2")
	next := deltaOf(setTo("c", "3"))
	d.add(next)
	equal(t, "after another key", changesOf(d), "a=1 b=2 c=3")
	d.add(&delta{cleared: true, keys: []change{setTo("b", "4")}})
	equal(t, "after clear", changesOf(d), "clear b=4")
	d.add(next)
	equal(t, "what was cleared stays cleared", changesOf(d), "clear b=4 c=3")
	equal(t, "what was added", changesOf(next), "c=3")
}

func TestAddDuration(t *testing.T) {
	t.Parallel()
	hour, permanent := ms(time.Hour), int64(0)
	d := &delta{}
	d.add(&delta{expiry: &hour, cookie: record.CookieRemember, secret: secretRenew})
	d.add(deltaOf(setTo("a", "1")))
	equal(t, "expiry", *d.expiry, hour)
	equal(t, "cookie", d.cookie, record.CookieRemember)
	equal(t, "secret", d.secret, secretRenew)
	d.add(&delta{expiry: &permanent, cookie: record.CookieForget, secret: secretLogin})
	d.add(&delta{secret: secretRenew})
	equal(t, "expiry of the later", *d.expiry, permanent)
	equal(t, "cookie of the later", d.cookie, record.CookieForget)
	equal(t, "a renewal after a login", d.secret, secretLogin)
}

// describeLogin returns a login as text.
func describeLogin(l *login) string {
	if l == nil {
		return "none"
	}
	return fmt.Sprintf("%s %v at %d, step-up %v", l.subject, l.proof, l.at, l.stepUp)
}

func TestLoginThen(t *testing.T) {
	t.Parallel()
	pwd := record.Proof{Methods: []string{"pwd"}, Levels: atLevel(1)}
	otp := record.Proof{Methods: []string{"otp"}, Levels: atLevel(2)}
	annLogin := &login{subject: "ann", proof: pwd, at: 10}
	annStepUp := &login{subject: "ann", proof: otp, at: 20, stepUp: true}
	bobLogin := &login{subject: "bob", proof: otp, at: 30}
	for name, tc := range map[string]struct {
		first, next *login
		wanted      string
	}{
		"login":                   {nil, annLogin, "ann {[pwd] [{1 1767225600000}]} at 10, step-up false"},
		"step-up":                 {nil, annStepUp, "ann {[otp] [{2 1767225600000}]} at 20, step-up true"},
		"step-up after login":     {annLogin, annStepUp, "ann {[pwd otp] [{2 1767225600000}]} at 20, step-up false"},
		"login after step-up":     {annStepUp, bobLogin, "bob {[otp] [{2 1767225600000}]} at 30, step-up false"},
		"login after login":       {annLogin, bobLogin, "bob {[otp] [{2 1767225600000}]} at 30, step-up false"},
		"login of the same again": {annStepUp, annLogin, "ann {[pwd] [{1 1767225600000}]} at 10, step-up false"},
		"step-up after step-up": {
			&login{subject: "ann", proof: pwd, at: 10, stepUp: true}, annStepUp,
			"ann {[pwd otp] [{2 1767225600000}]} at 20, step-up true",
		},
	} {
		equal(t, name, describeLogin(tc.first.then(tc.next)), tc.wanted)
		d := &delta{login: tc.first}
		d.add(&delta{login: tc.next})
		d.add(&delta{})
		equal(t, name+", as deltas", describeLogin(d.login), tc.wanted)
	}
	equal(t, "the first stays as it was", describeLogin(annLogin), "ann {[pwd] [{1 1767225600000}]} at 10, step-up false")
}

func TestLoginAfter(t *testing.T) {
	t.Parallel()
	before := record.Proof{Methods: []string{"pwd"}, Levels: atLevel(3)}
	l := login{proof: record.Proof{Methods: []string{"otp"}, Levels: atLevel(2)}}
	equal(t, "login", fmt.Sprint(l.proofAfter(&before)), "{[otp] [{2 1767225600000}]}")
	l.stepUp = true
	equal(t, "step-up", fmt.Sprint(l.proofAfter(&before)), "{[pwd otp] [{3 1767225600000}]}")
	equal(t, "the proof before", fmt.Sprint(before), "{[pwd] [{3 1767225600000}]}")
}

func TestReapply(t *testing.T) {
	t.Parallel()
	base := storedSnapshot(&record.Header{}, entry("a", "base"))
	d := deltaOf(updateOf("a", "1", "+"), updateOf("b", "1", "+"), setTo("c", "3"), deletionOf("d"))
	d.secret = secretRenew
	before := changesOf(d)
	got, err := d.reapply(&base)
	want(t, err, nil)
	equal(t, "changes", changesOf(got), "a=base+(old->old+ <nil>) b=new+(old->old+ <nil>) c=3 d")
	equal(t, "secret", got.secret, secretRenew)
	equal(t, "the delta itself", changesOf(d), before)

	failed := errors.New("failed")
	d.put(change{key: []byte("e"), update: func([]byte, bool) ([]byte, error) { return nil, failed }})
	_, err = d.reapply(&base)
	want(t, err, failed)

	// The memory of the first change is not shared either.
	one := deltaOf(updateOf("a", "1", "+"))
	_, err = one.reapply(&base)
	want(t, err, nil)
	equal(t, "the delta of one change", string(one.keys[0].value), "1+")
}

func TestAppendEntries(t *testing.T) {
	t.Parallel()
	base := storedSnapshot(&record.Header{}, entry("a", "1"), entry("b", "2"), entry("c", "3"))
	for name, tc := range map[string]struct {
		d      *delta
		wanted string
	}{
		"no change":        {&delta{}, "a=1 b=2 c=3 "},
		"existing key":     {deltaOf(setTo("b", "x")), "a=1 b=x c=3 "},
		"new keys":         {deltaOf(setTo("e", "5"), setTo("d", "4")), "a=1 b=2 c=3 e=5 d=4 "},
		"deleted key":      {deltaOf(deletionOf("a")), "b=2 c=3 "},
		"absent key":       {deltaOf(deletionOf("x")), "a=1 b=2 c=3 "},
		"result of update": {deltaOf(updateOf("c", "3", "+")), "a=1 b=2 c=3+ "},
		"cleared":          {&delta{cleared: true}, ""},
		"cleared and set": {
			&delta{cleared: true, keys: []change{setTo("c", "x"), deletionOf("a"), setTo("d", "4")}}, "c=x d=4 ",
		},
		"everything": {
			deltaOf(deletionOf("b"), setTo("d", "4"), setTo("a", "x")), "a=x c=3 d=4 ",
		},
	} {
		out := encodeRecord(&Record{}, &record.Header{}, tc.d.appendEntries(nil, &base))
		equal(t, name, entriesOf(&out), tc.wanted)
	}
	equal(t, "the base", entriesOf(&base), "a=1 b=2 c=3 ")
}

func TestAppendKeys(t *testing.T) {
	t.Parallel()
	d := deltaOf(setTo("a", "1"), deletionOf("b"), setTo("c", "3"), setTo("d", "4"))
	later := deltaOf(setTo("c", "x"), deletionOf("d"))
	equal(t, "keys", fmt.Sprint(d.appendKeys([]string{"before"}, later)), "[before a]")
	equal(t, "without a later delta", fmt.Sprint(d.appendKeys(nil, nil)), "[a c d]")
	equal(t, "of nil", fmt.Sprint((*delta)(nil).appendKeys([]string{"before"}, later)), "[before]")
}

// S2: in a record of another program's making that has a key twice, a new key is still added.
func TestS2DuplicateKey(t *testing.T) {
	t.Parallel()
	h := record.Header{Identity: record.Identity{CookieName: []byte("session")}}
	twice := encodeRecord(&Record{}, &h, []record.Entry{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}})
	base := record.Snapshot{Record: twice.Record}
	want(t, base.Decode(), nil)
	d := &delta{}
	d.put(change{key: []byte("a"), value: []byte("3")})
	d.put(change{key: []byte("b"), value: []byte("4")})
	if out := d.appendEntries(nil, &base); len(out) != 3 || string(out[2].Key) != "b" {
		t.Errorf("the new key is not there: %q", out)
	}
}

func TestDeltaQuestions(t *testing.T) {
	t.Parallel()
	hour := ms(time.Hour)
	type answers struct{ empty, duration, needsCookie, starts, clears bool }
	for name, tc := range map[string]struct {
		d      *delta
		wanted answers
	}{
		"nothing":   {&delta{}, answers{empty: true}},
		"a set":     {deltaOf(setTo("a", "1")), answers{starts: true}},
		"a delete":  {deltaOf(deletionOf("a")), answers{}},
		"both":      {deltaOf(deletionOf("a"), setTo("b", "1")), answers{starts: true}},
		"clear":     {&delta{cleared: true}, answers{clears: true}},
		"renewal":   {&delta{secret: secretRenew}, answers{needsCookie: true}},
		"login":     {&delta{secret: secretLogin}, answers{needsCookie: true, starts: true}},
		"expiry":    {&delta{expiry: &hour}, answers{duration: true, needsCookie: true}},
		"remember":  {&delta{cookie: record.CookieRemember}, answers{duration: true, needsCookie: true}},
		"forgotten": {&delta{cookie: record.CookieForget}, answers{duration: true, needsCookie: true}},
	} {
		d := tc.d
		got := answers{d.empty(), d.changesDuration(), d.needsCookie(), d.startsSession(), d.clearsAll()}
		equal(t, name, got, tc.wanted)
	}
	var none *delta
	equal(t, "nil is empty", none.empty(), true)
	equal(t, "nil changes the duration", none.changesDuration(), false)
	equal(t, "nil starts a session", none.startsSession(), false)
	equal(t, "nil clears all", none.clearsAll(), false)
	equal(t, "login of nil", none.getLogin() == nil, true)
	equal(t, "find in nil", none.find("a") == nil && none.findBytes([]byte("a")) == nil, true)
	l := &login{}
	equal(t, "login", (&delta{login: l}).getLogin() == l, true)
	d := deltaOf(setTo("a", "1"), setTo("b", "2"))
	equal(t, "find", d.find("b") == &d.keys[1] && d.findBytes([]byte("b")) == &d.keys[1], true)
	equal(t, "find an absent key", d.find("c") == nil && d.findBytes([]byte("c")) == nil, true)
}
