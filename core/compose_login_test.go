package core

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// presenting returns the base of a request that presents the secret of what was composed.
func presenting(out *composed) *verified {
	return &verified{snap: out.snap, ticket: out.ticket, standing: standingCurrent}
}

func TestComposeRenewal(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := signedIn(secret)
	base := storedBase(secret, &h, entry("a", "1"))
	c := newComposer(policy{expiry: time.Hour, grace: testGrace})
	out := composeOK(t, c, base, &delta{secret: secretRenew}, momentAt(time.Minute))
	equal(t, "renewal", out.renewal, true)
	equal(t, "login", out.login, false)
	equal(t, "cookie", out.sendCookie, true)
	equal(t, "id", out.ticket.ID, testID)
	equal(t, "the secret is another", out.ticket.Secret == secret, false)
	equal(t, "subject", out.snap.Subject(), "ann")
	equal(t, "entries", entriesOf(&out.snap), "a=1 ")
	now := testTime + ms(time.Minute)
	equal(t, "rotated", out.snap.Identity().History.Rotated(), now)
	accepts := func(out *composed, at int64) bool {
		got, ok := out.snap.Identity().History.Current(secret, out.snap.Digest(), at)
		return ok && got == out.ticket.Secret
	}
	for _, after := range []time.Duration{0, testGrace, 5 * time.Hour, 365 * 24 * time.Hour} {
		equal(t, "the old secret is accepted until the new one is delivered", accepts(&out, now+ms(after)), true)
	}

	// The first request that presents the new secret begins the grace, and no later one.
	out.snap.Record.Version = 4
	next := composeOK(t, c, presenting(&out), &delta{}, momentAt(time.Hour))
	equal(t, "delivery is a renewal", next.renewal, false)
	equal(t, "secret after the delivery", next.ticket.Secret, out.ticket.Secret)
	next.snap.Record.Version = 5
	again := composeOK(t, c, presenting(&next), &delta{}, momentAt(time.Hour+10*time.Second))
	delivered := testTime + ms(time.Hour)
	for _, out := range []*composed{&next, &again} {
		for after, wanted := range map[time.Duration]bool{
			0: true, testGrace - time.Millisecond: true, testGrace: false, 5 * time.Hour: false,
		} {
			equal(t, "the old secret is accepted "+after.String()+" after the delivery", accepts(out, delivered+ms(after)), wanted)
		}
	}

	// A request that has presented the old secret does not begin it.
	old := presenting(&out)
	old.standing = standingRetired
	next = composeOK(t, c, old, &delta{}, momentAt(time.Hour))
	equal(t, "delivered by the old secret", next.snap.Undelivered(), true)

	c = newComposer(policy{expiry: time.Hour})
	out = composeOK(t, c, base, &delta{secret: secretRenew}, momentAt(time.Minute))
	equal(t, "retired secrets without a grace period", out.snap.Identity().History.Len(), 0)
	equal(t, "rotated, without a grace period", out.snap.Identity().History.Rotated(), now)
}

// Each save drops the retired secrets whose grace period has been over for a minute, and no other.
func TestComposeDropsExpiredSecrets(t *testing.T) {
	t.Parallel()
	s := newRotatedSession()
	c := newComposer(policy{expiry: time.Hour, grace: testGrace})
	for at, wanted := range map[time.Duration]int{
		50 * time.Second:                   2,
		100*time.Second - time.Millisecond: 2,
		100 * time.Second:                  1,
		110*time.Second - time.Millisecond: 1,
		110 * time.Second:                  0,
	} {
		base := storedBase(s.current, &s.header)
		out := composeOK(t, c, base, deltaOf(setTo("a", "1")), momentAt(at))
		history := out.snap.Identity().History
		equal(t, "retired secrets after "+at.String(), history.Len(), wanted)
		equal(t, "rotated", history.Rotated(), secondRotation)
		equal(t, "secret", out.ticket.Secret, s.current)
		for _, secret := range []ticket.Secret{s.oldest, s.older} {
			_, ok := history.Current(secret, out.snap.Digest(), testTime+ms(at))
			equal(t, "a remembered secret is accepted after "+at.String(), ok, false)
		}
		out = composeOK(t, c, base, &delta{secret: secretRenew}, momentAt(at))
		equal(t, "retired secrets after a renewal after "+at.String(), out.snap.Identity().History.Len(), wanted+1)
	}
}

func TestComposeLogin(t *testing.T) {
	t.Parallel()
	otp := record.Proof{Methods: []string{"otp"}, Levels: atLevel(2)}
	for name, tc := range map[string]struct {
		anonymous bool
		login     login
		proof     string
		ip        string // of the device; the request's is not to be recorded
	}{
		"first login":      {true, login{subject: "ann", proof: otp}, "{[otp] [{2 1767225600000}]}", ""},
		"login again":      {false, login{subject: "ann", proof: otp}, "{[otp] [{2 1767225600000}]}", ""},
		"step-up":          {false, login{subject: "ann", proof: otp, stepUp: true}, "{[pwd otp] [{2 1767225600000}]}", "192.0.2.1"},
		"login of another": {false, login{subject: "bob"}, "{[] []}", ""},
	} {
		s := newRotatedSession()
		h := signedIn(s.current)
		if tc.anonymous {
			h = headerOf(s.current)
		}
		h.History = s.header.History
		tc.login.at = testTime + 7
		base := storedBase(s.current, &h, entry("a", "1"))
		c := newComposer(policy{expiry: time.Hour, grace: testGrace})
		out := composeOK(t, c, base, &delta{secret: secretLogin, login: &tc.login}, momentAt(21*time.Second))
		equal(t, name+": login", out.login, true)
		equal(t, name+": cookie", out.sendCookie, true)
		equal(t, name+": id", out.ticket.ID, testID)
		equal(t, name+": the secret shares nothing", bytes.Equal(out.ticket.Secret[:16], s.current[:16]), false)
		equal(t, name+": length of the history", len(out.snap.Identity().History), 0)
		equal(t, name+": subject", out.snap.Subject(), tc.login.subject)
		equal(t, name+": index key", out.snap.Record.Subject, testKeyspace().subjectKey(tc.login.subject))
		equal(t, name+": authenticated", out.snap.Authenticated, testTime+7)
		equal(t, name+": created", out.snap.Created, testTime)
		equal(t, name+": proof", fmt.Sprint(out.snap.Identity().Account.Proof()), tc.proof)
		equal(t, name+": device", out.snap.Identity().Account.Device().IP, tc.ip)
		equal(t, name+": entries", entriesOf(&out.snap), "a=1 ")
	}
}

// A step-up whose proof is older than that in the record leaves the time of that one.
func TestComposeOlderStepUp(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := signedIn(secret)
	c := newComposer(policy{expiry: time.Hour, grace: testGrace})
	for at, wanted := range map[int64]int64{testTime - 1: testTime, testTime + 1: testTime + 1} {
		d := &delta{secret: secretLogin, login: &login{subject: "ann", at: at, stepUp: true}}
		out := composeOK(t, c, storedBase(secret, &h), d, momentAt(time.Minute))
		equal(t, "time of the proof", out.snap.Authenticated, wanted)
	}
}

func TestComposeDevice(t *testing.T) {
	t.Parallel()
	moved := &record.Device{IP: "192.0.2.2", UserAgent: "new"}
	for name, tc := range map[string]struct {
		subject  string // "" for an anonymous session
		device   *record.Device
		noDevice bool
		login    *login
		wanted   string
	}{
		"not to be recorded":     {subject: "ann", wanted: "192.0.2.1"},
		"recorded":               {subject: "ann", device: moved, wanted: "192.0.2.2"},
		"anonymous":              {device: moved},
		"NoDevice":               {subject: "ann", noDevice: true},
		"NoDevice at a login":    {subject: "ann", noDevice: true, login: &login{subject: "ann"}},
		"NoDevice and a device":  {subject: "ann", noDevice: true, device: moved},
		"login":                  {device: moved, login: &login{subject: "ann"}, wanted: "192.0.2.2"},
		"login without a device": {subject: "ann", login: &login{subject: "bob"}},
		"step-up":                {subject: "ann", login: &login{subject: "ann", stepUp: true}, wanted: "192.0.2.1"},
		"step-up elsewhere":      {subject: "ann", device: moved, login: &login{subject: "ann", stepUp: true}, wanted: "192.0.2.2"},
	} {
		secret := counting(0)
		h := headerOf(secret)
		if tc.subject != "" {
			h = signedIn(secret)
		}
		d := &delta{login: tc.login}
		if d.login != nil {
			d.secret = secretLogin
		}
		c := newComposer(policy{expiry: time.Hour})
		c.noDevice = tc.noDevice
		at := momentAt(0)
		at.device = tc.device
		out := composeOK(t, c, storedBase(secret, &h), d, at)
		equal(t, name+": IP", out.snap.Identity().Account.Device().IP, tc.wanted)
		if tc.login == nil && tc.subject != "" {
			equal(t, name+": proof", fmt.Sprint(out.snap.Identity().Account.Proof()), "{[pwd] [{1 1767225600000}]}")
		}
	}
}

func TestDeviceChanged(t *testing.T) {
	t.Parallel()
	recorded := signedIn(counting(0))
	unknown := signedIn(counting(0))
	unknown.Account = nil
	same := &record.Device{IP: "192.0.2.1", UserAgent: "old"}
	for name, tc := range map[string]struct {
		header   *record.Header
		device   *record.Device
		noDevice bool
		wanted   bool
	}{
		"not to be recorded":     {&recorded, nil, false, false},
		"the same":               {&recorded, same, false, false},
		"another address":        {&recorded, &record.Device{IP: "192.0.2.2", UserAgent: "old"}, false, true},
		"another agent":          {&recorded, &record.Device{IP: "192.0.2.1", UserAgent: "new"}, false, true},
		"the first":              {&unknown, same, false, true},
		"NoDevice, one recorded": {&recorded, nil, true, true},
		"NoDevice, none":         {&unknown, nil, true, false},
	} {
		c := newComposer(policy{})
		c.noDevice = tc.noDevice
		snap := storedSnapshot(tc.header)
		equal(t, name, c.deviceChanged(&snap, tc.device), tc.wanted)
	}
}
