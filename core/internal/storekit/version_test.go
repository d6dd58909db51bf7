package storekit_test

import (
	"math"
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

func TestNewVersion(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{0: true}
	previous := uint64(0)
	for range 1000 {
		v := storekit.NewVersion(previous)
		if seen[v] || v > math.MaxInt64 {
			t.Fatalf("NewVersion(%d) = %d, want a new version of 63 bits", previous, v)
		}
		seen[v], previous = true, v
	}
}

func TestSignedVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version uint64
		want    int64
	}{
		{0, 0},
		{1, 1},
		{math.MaxInt64, math.MaxInt64},
		{math.MaxInt64 + 1, -1},
		{math.MaxUint64, -1},
	} {
		if got := storekit.SignedVersion(c.version); got != c.want {
			t.Errorf("SignedVersion(%d) = %d, want %d", c.version, got, c.want)
		}
	}
}
