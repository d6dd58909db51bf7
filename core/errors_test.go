package core

import (
	"fmt"
	"testing"
)

func TestStatusCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		wanted int
	}{
		{ErrStore, 503},
		{ErrFull, 503},
		{ErrConflict, 503},
		{wrapStoreError("load", errDown), 503},
		{fmt.Errorf("x: %w", ErrFull), 503},
		{ErrTooLarge, 500},
		{ErrGone, 409},
		{errRevokedMeanwhile, 409},
		{ErrLimit, 409},
		{ErrStaleProof, 409},
		{ErrLate, 500},
		{ErrCrossSite, 403},
		{ErrSignInRequired, 401},
		{ErrProofRequired, 403},
		{ErrCrossOrigin, 403},
		{ErrCSRFToken, 403},
		{ErrMethod, 405},
		{ErrPageGuarded, 500},
		{errDown, 500},
		{nil, 500},
	} {
		equal(t, fmt.Sprint(tc.err), StatusCode(tc.err), tc.wanted)
	}
}
