package core

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// composeOK composes a record, which must succeed, and checks that it decodes into the same.
func composeOK(t *testing.T, c *composer, base *verified, d *delta, at *moment) composed {
	t.Helper()
	var out composed
	if err := c.compose(base, d, at, &out); err != nil {
		t.Fatalf("compose: %v", err)
	}
	decoded := record.Snapshot{Record: out.snap.Record}
	want(t, decoded.Decode(), nil)
	if !reflect.DeepEqual(decoded, out.snap) {
		t.Errorf("the record decodes into %+v, want %+v", decoded, out.snap)
	}
	equal(t, "digest is that of the ticket", out.snap.Digest(), out.ticket.Secret.Digest())
	return out
}

func TestComposeNewSession(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	for name, how := range map[string]secretChange{"": secretKeep, "renewed": secretRenew, "signed in": secretLogin} {
		d := deltaOf(setTo("a", "1"))
		d.secret = how
		if how == secretLogin {
			d.login = &login{subject: "ann", at: testTime + 5}
		}
		base := newBase(secret)
		out := composeOK(t, newComposer(policy{expiry: time.Hour, remember: true}), base, d, momentAt(time.Minute))
		now := testTime + ms(time.Minute)
		wanted := record.Times{Created: now, Seen: now, Extended: now, Idle: ms(time.Hour)}
		wantedSubject, wantedKey := "", ""
		if how == secretLogin {
			wanted.Authenticated = testTime + 5
			wantedSubject, wantedKey = "ann", testKeyspace().subjectKey("ann")
		}
		equal(t, name+": times", out.snap.Times, wanted)
		equal(t, name+": entries", entriesOf(&out.snap), "a=1 ")
		equal(t, name+": cookie name", string(out.snap.CookieName()), "session")
		equal(t, name+": subject", out.snap.Subject(), wantedSubject)
		equal(t, name+": index key", out.snap.Record.Subject, wantedKey)
		equal(t, name+": key", out.snap.Record.Key, base.snap.Record.Key)
		equal(t, name+": version", out.snap.Record.Version, 0)
		equal(t, name+": expires", out.snap.Record.Expires.UnixMilli(), now+ms(time.Hour))
		equal(t, name+": ticket", out.ticket, testTicket(secret)) // No browser has it yet.
		equal(t, name+": history", out.snap.Identity().History.Len(), 0)
		equal(t, name+": login", out.login, how == secretLogin)
		equal(t, name+": renewal", out.renewal, false)
		equal(t, name+": cookie", out.sendCookie, true)
	}
}

func TestComposeChange(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := signedIn(secret)
	base := storedBase(secret, &h, entry("a", "1"), entry("b", "2"))
	at := momentAt(5 * time.Minute) // No touch is due.
	out := composeOK(t, newComposer(policy{expiry: time.Hour, remember: true}), base, deltaOf(setTo("b", "x")), at)
	wanted := h.Times
	wanted.Seen = at.now.UnixMilli()
	equal(t, "times", out.snap.Times, wanted)
	equal(t, "entries", entriesOf(&out.snap), "a=1 b=x ")
	equal(t, "subject", out.snap.Subject(), "ann")
	equal(t, "account", string(out.snap.Identity().Account), string(h.Account))
	equal(t, "key", out.snap.Record.Key, base.snap.Record.Key)
	equal(t, "version", out.snap.Record.Version, base.snap.Record.Version)
	equal(t, "index key", out.snap.Record.Subject, base.snap.Record.Subject)
	equal(t, "expires", out.snap.Record.Expires.UnixMilli(), wanted.Seen+ms(time.Hour))
	equal(t, "ticket", out.ticket, base.ticket)
	equal(t, "login, renewal or cookie", out.login || out.renewal || out.sendCookie, false)
}

// A change extends the cookie when a touch is due, and whenever the duration changes.
func TestComposeCookie(t *testing.T) {
	t.Parallel()
	tenMinutes := ms(10 * time.Minute)
	for name, tc := range map[string]struct {
		at          time.Duration // after testTime; a touch is due after six minutes
		delta       *delta
		cookie      record.CookiePersistence
		headersSent bool
		issued      bool // the session and its cookie are extended
		sendCookie  bool
	}{
		"no touch due":                     {at: 6*time.Minute - time.Millisecond, delta: &delta{}},
		"touch due":                        {at: 6 * time.Minute, delta: &delta{}, issued: true, sendCookie: true},
		"touch due, headers sent":          {at: 6 * time.Minute, delta: &delta{}, headersSent: true},
		"touch due, browser session":       {at: 6 * time.Minute, delta: &delta{}, cookie: record.CookieForget, issued: true},
		"new timeout":                      {delta: &delta{expiry: &tenMinutes}, issued: true, sendCookie: true},
		"new timeout of a browser session": {delta: &delta{expiry: &tenMinutes}, cookie: record.CookieForget, issued: true, sendCookie: true},
		"remembered":                       {delta: &delta{cookie: record.CookieRemember}, cookie: record.CookieForget, issued: true, sendCookie: true},
		"forgotten":                        {delta: &delta{cookie: record.CookieForget}, issued: true, sendCookie: true},
		"touch due, forgotten":             {at: 6 * time.Minute, delta: &delta{cookie: record.CookieForget}, issued: true, sendCookie: true},
		"new shorter timeout makes it due": {at: 5 * time.Minute, delta: &delta{expiry: &tenMinutes}, issued: true, sendCookie: true},
		"renewal":                          {at: time.Minute, delta: &delta{secret: secretRenew}, sendCookie: true},
	} {
		secret := counting(0)
		h := headerOf(secret)
		h.Cookie = tc.cookie
		at := momentAt(tc.at)
		at.headersSent = tc.headersSent
		c := newComposer(policy{expiry: time.Hour, remember: true})
		out := composeOK(t, c, storedBase(secret, &h), tc.delta, at)
		issued := testTime
		if tc.issued {
			issued += ms(tc.at)
		}
		equal(t, name+": issued", out.snap.Extended, issued)
		equal(t, name+": cookie", out.sendCookie, tc.sendCookie)
	}
}

// A clock that is behind moves no time back.
func TestComposeClockBehind(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := headerOf(secret)
	out := composeOK(t, newComposer(policy{expiry: time.Hour}), storedBase(secret, &h), &delta{}, momentAt(-time.Minute))
	equal(t, "times", out.snap.Times, h.Times)
	equal(t, "expires", out.snap.Record.Expires.UnixMilli(), testTime+ms(time.Hour))
}

// The idle timeout and the persistence of the cookie are the session's choice. The login of another
// subject drops the choice of the one before.
func TestComposeDuration(t *testing.T) {
	t.Parallel()
	hour, twoHours, permanent, follow := ms(time.Hour), ms(2*time.Hour), int64(0), int64(followPolicy)
	type choice struct {
		own    bool
		idle   time.Duration
		cookie record.CookiePersistence
	}
	chosen := choice{true, 2 * time.Hour, record.CookieRemember}
	byPolicy := choice{false, 30 * time.Minute, record.CookiePolicy}
	signIn := func(subject string, stepUp bool) *delta {
		return &delta{secret: secretLogin, login: &login{subject: subject, at: testTime, stepUp: stepUp}}
	}
	for name, tc := range map[string]struct {
		subject string // "" for an anonymous session
		before  choice
		limit   time.Duration
		delta   *delta
		wanted  choice
	}{
		"policy":                    {"", byPolicy, 0, &delta{}, byPolicy},
		"older policy":              {"", choice{idle: time.Hour}, 0, &delta{}, byPolicy},
		"own timeout":               {"", byPolicy, 0, &delta{expiry: &twoHours}, choice{own: true, idle: 2 * time.Hour}},
		"permanent":                 {"", byPolicy, 0, &delta{expiry: &permanent}, choice{own: true}},
		"kept":                      {"ann", chosen, 0, &delta{}, chosen},
		"back to the policy":        {"", chosen, 0, &delta{expiry: &follow}, choice{false, 30 * time.Minute, record.CookieRemember}},
		"forgotten":                 {"", chosen, 0, &delta{cookie: record.CookieForget}, choice{true, 2 * time.Hour, record.CookieForget}},
		"limited by a preset":       {"", byPolicy, time.Hour, &delta{expiry: &twoHours}, choice{own: true, idle: time.Hour}},
		"permanent, limited":        {"", byPolicy, time.Hour, &delta{expiry: &permanent}, choice{own: true, idle: time.Hour}},
		"limited by a later preset": {"", chosen, time.Hour, &delta{}, choice{true, time.Hour, record.CookieRemember}},
		"login":                     {"", chosen, 0, signIn("ann", false), byPolicy},
		"login, by choice": {
			"", chosen, 0,
			&delta{
				secret: secretLogin, login: &login{subject: "ann", at: testTime},
				expiry: &hour, cookie: record.CookieForget,
			},
			choice{true, time.Hour, record.CookieForget},
		},
		"login of the same": {"ann", chosen, 0, signIn("ann", false), chosen},
		"step-up":           {"ann", chosen, 0, signIn("ann", true), chosen},
		"login of another":  {"ann", chosen, 0, signIn("bob", false), byPolicy},
		"login of another, by choice": {
			"ann", chosen, 0,
			&delta{
				secret: secretLogin, login: &login{subject: "bob", at: testTime},
				expiry: &hour, cookie: record.CookieForget,
			},
			choice{true, time.Hour, record.CookieForget},
		},
	} {
		secret := counting(0)
		h := headerOf(secret)
		h.Subject = []byte(tc.subject)
		h.OwnIdle, h.Idle, h.Cookie = tc.before.own, ms(tc.before.idle), tc.before.cookie
		c := newComposer(policy{expiry: 30 * time.Minute, maxExpiry: tc.limit})
		out := composeOK(t, c, storedBase(secret, &h), tc.delta, momentAt(0))
		got := choice{out.snap.OwnIdle, time.Duration(out.snap.Idle) * time.Millisecond, out.snap.Cookie}
		equal(t, name, got, tc.wanted)
		wanted := int64(0)
		if tc.wanted.idle != 0 {
			wanted = testTime + ms(tc.wanted.idle)
		}
		expires := out.snap.Record.Expires
		equal(t, name+": expires", !expires.IsZero() && expires.UnixMilli() == wanted || expires.IsZero() && wanted == 0, true)
	}
}

// A lifetime limits the record, and no choice extends it.
func TestComposeLifetime(t *testing.T) {
	t.Parallel()
	secret, permanent := counting(0), int64(0)
	h := headerOf(secret)
	c := newComposer(policy{expiry: time.Hour, lifetime: 90 * time.Minute})
	out := composeOK(t, c, storedBase(secret, &h), &delta{expiry: &permanent}, momentAt(time.Hour))
	equal(t, "expires", out.snap.Record.Expires.UnixMilli(), testTime+ms(90*time.Minute))
}

// MaxSize is for what the handler has written, not for what a renewal adds to a session that fits.
func TestComposeMaxSize(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := headerOf(secret)
	stored := storedBase(secret, &h, entry("a", strings.Repeat("x", 500)))
	size := len(stored.snap.Record.Data)
	login := &delta{secret: secretLogin, login: &login{subject: strings.Repeat("s", 1000)}}
	for name, tc := range map[string]struct {
		base *verified
		d    *delta
		over bool // one byte less than the base is refused
	}{
		"write":    {stored, deltaOf(setTo("a", strings.Repeat("y", 500))), true},
		"new":      {newBase(secret), deltaOf(setTo("a", strings.Repeat("x", 500))), true},
		"touch":    {stored, &delta{}, false},
		"renewal":  {stored, &delta{secret: secretRenew}, false},
		"clear":    {stored, &delta{cleared: true}, false},
		"login":    {stored, login, false},
		"new user": {newBase(secret), login, true},
	} {
		c := newComposer(policy{expiry: time.Hour, grace: testGrace})
		out := composeOK(t, c, tc.base, tc.d, momentAt(0))
		c.maxSize = len(out.snap.Record.Data)
		composeOK(t, c, tc.base, tc.d, momentAt(0))
		c.maxSize--
		err := c.compose(tc.base, tc.d, momentAt(0), new(composed))
		equal(t, name+": refused", errors.Is(err, ErrTooLarge), tc.over)
	}
	equal(t, "size of the session", size > 500, true)
}

// compose leaves the base and the delta as they are, because others may be reading them.
func TestComposeLeavesTheBase(t *testing.T) {
	t.Parallel()
	hour := ms(time.Hour)
	for name, d := range map[string]*delta{
		"write":   deltaOf(setTo("a", "x"), setTo("c", "3"), deletionOf("b")),
		"update":  deltaOf(updateOf("a", "1", "+")),
		"clear":   {cleared: true},
		"renewal": {secret: secretRenew},
		"login":   {secret: secretLogin, login: &login{subject: "bob", at: testTime}},
		"step-up": {secret: secretLogin, login: &login{subject: "ann", at: testTime, stepUp: true}},
		"expiry":  {expiry: &hour, cookie: record.CookieRemember},
	} {
		s := newRotatedSession()
		h := signedIn(s.current)
		h.History = s.header.History
		base := storedBase(s.current, &h, entry("a", "1"), entry("b", "2"))
		before := *base
		data := bytes.Clone(base.snap.Record.Data)
		changes := changesOf(d)
		at := momentAt(45 * time.Second)
		at.device = &record.Device{IP: "192.0.2.9"}
		composeOK(t, newComposer(policy{expiry: time.Hour, grace: testGrace}), base, d, at)
		equal(t, name+": the base is as it was", reflect.DeepEqual(*base, before), true)
		equal(t, name+": its data are as they were", bytes.Equal(base.snap.Record.Data, data), true)
		equal(t, name+": changes", changesOf(d), changes)
	}
}
