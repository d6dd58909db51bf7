package core

import (
	"context"
	"testing"
)

// Bob signs in with ann's session while all sessions of ann are being revoked: his session stays.
func TestRevokeAllSparesWhoHasSignedInSince(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "save" {
			store.onCall(nil)
			c.request(signInAs(t, "bob")) //nolint:contextcheck // It is another request.
		}
		return nil
	})
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	equal(t, "subject", c.load().Subject(), "bob")
}
