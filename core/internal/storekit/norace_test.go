//go:build !race

package storekit_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

func TestNewVersionAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { storekit.NewVersion(7) }); n != 0 {
		t.Errorf("NewVersion allocates %v times, want 0", n)
	}
}
