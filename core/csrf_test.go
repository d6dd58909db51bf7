package core

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// csrfTokenOf returns a token of the client's session, in a request of its own.
func csrfTokenOf(c *client) (token string) {
	c.t.Helper()
	c.request(func(s *Session) {
		var err error
		token, err = s.CSRFToken()
		want(c.t, err, nil)
	})
	return token
}

// wantCSRF checks whether the token is one of the client's session.
func wantCSRF(c *client, what, token string, wanted bool) {
	c.t.Helper()
	equal(c.t, what, c.load().CheckCSRFToken(token), wanted)
}

// A token counts until its session gets a secret by a login or step-up. A renewal, which may come at any time, leaves it.
func TestCSRFToken(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, RenewEvery: 15 * time.Minute}))
		visitor := csrfTokenOf(c)
		wantCSRF(c, "a visitor's token", visitor, true)
		old := c.clone()
		c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
		wantCSRF(c, "the token from before the login", visitor, false)
		wantCSRF(old, "the same of a request from before the login", visitor, true)
		signedIn := csrfTokenOf(c)
		wantCSRF(old, "a token of another secret", signedIn, false)
		for range 3 {
			time.Sleep(20 * time.Minute)
			cookie := c.cookie
			c.request(func(s *Session) { visits.Update(s, func(n int) int { return n + 1 }) })
			equal(t, "the secret was renewed", c.cookie != cookie, true)
			wantCSRF(c, "a token from before a renewal", signedIn, true)
		}
		c.request(renew)
		wantCSRF(c, "a token from before Renew", signedIn, true)
		c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
		wantCSRF(c, "a token from before a step-up", signedIn, false)
		steppedUp := csrfTokenOf(c)
		c.request(func(s *Session) { s.Destroy() })
		wantCSRF(c, "a token of a session that has ended", steppedUp, false)
	})
}

// TestCSRFTokenOfOthers has what somebody else could send.
func TestCSRFTokenOfOthers(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	ann, bob := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
	token := csrfTokenOf(ann)
	wantCSRF(ann, "ann's token", token, true)
	var none ticket.Secret
	forged := maskCSRF(none.Derive(csrfPurpose))
	for name, other := range map[string]string{
		"bob's": csrfTokenOf(bob), "none": "", "of no secret": forged, "longer": token + "A", "shorter": token[:85],
		"with a blank": token[:85] + " ", "padded": token + "==", "of zeros": strings.Repeat("A", len(token)),
		"in another spelling": token[:85] + "\n", "the cookie": strings.TrimPrefix(ann.cookie, "session="),
		"of another purpose": maskCSRF(none.Derive("")),
	} {
		wantCSRF(ann, name, other, false)
		wantCSRF(newClient(t, m), name+", for a visitor", other, false)
	}
	wantCSRF(newClient(t, m), "ann's, for a visitor", token, false)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	want(t, err, nil)
	for i := range raw {
		raw[i] ^= 1
		wantCSRF(ann, "with another bit", base64.RawURLEncoding.EncodeToString(raw), false)
		raw[i] ^= 1
	}
}

// Each call returns other bytes, none of which is the cookie's or stays the same.
func TestCSRFTokenIsMasked(t *testing.T) {
	t.Parallel()
	c := newSignedIn(t, newTestManager(t, Options{}), "ann")
	a, b := csrfTokenOf(c), csrfTokenOf(c)
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	if same > len(a)/2 {
		t.Errorf("%d of %d characters of two tokens are the same", same, len(a))
	}
	if len(a) != 86 || strings.Contains(a, c.cookie[len(c.cookie)-16:]) {
		t.Errorf("token %q of the cookie %q", a, c.cookie)
	}
}

// A token costs a signed-in user no call of the store, and a visitor a session.
func TestCSRFTokenCosts(t *testing.T) {
	t.Parallel()
	spy := newSpy()
	m := newTestManager(t, Options{Store: spy})
	c := newClient(t, m)
	csrfTokenOf(c)
	equal(t, "cookie of a visitor", c.cookie != "", true)
	before, cookie := spy.count("save"), c.cookie
	csrfTokenOf(c)
	equal(t, "saves", spy.count("save")-before, 0)
	equal(t, "cookie", c.cookie, cookie)
}

// CSRFToken returns an error where its token would not count.
func TestCSRFTokenFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestManager(t, Options{})
		late := newClient(t, m).load()
		late.sendHeaders()
		_, err := late.CSRFToken()
		want(t, err, ErrLate)

		c := newSignedIn(t, m, "ann")
		s := c.load()
		want(t, s.StepUp(Auth{Level: 2}), nil)
		_, err = s.CSRFToken()
		want(t, err, errLoginUnsaved)
		want(t, s.Save(t.Context()), nil)
		token, err := s.CSRFToken()
		want(t, err, nil)
		c.respond(s)
		wantCSRF(c, "after Save", token, true)

		// The session of a visitor who signs in at once gets its secret at once.
		c = newClient(t, m)
		s = c.load()
		want(t, s.Login("ann"), nil)
		token, err = s.CSRFToken()
		want(t, err, nil)
		c.respond(s)
		wantCSRF(c, "beside the first login", token, true)
	})
}

// The store holds nothing of which the token could be made.
func TestCSRFTokenIsNotStored(t *testing.T) {
	t.Parallel()
	var s, other ticket.Secret
	s = ticket.NewSecret()
	other = s.Rotate()
	equal(t, "derived after a renewal", other.Derive(csrfPurpose), s.Derive(csrfPurpose))
	other = ticket.NewSecret()
	equal(t, "derived after a login", other.Derive(csrfPurpose) == s.Derive(csrfPurpose), false)
	equal(t, "derived is the digest", s.Derive(csrfPurpose) == s.Digest(), false)
}
