package canonical_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
)

func TestPut(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := uuid.New()
		text := make([]byte, canonical.Length+1)
		canonical.Put(text, (*[16]byte)(&id))
		if want := id.String() + "\x00"; string(text) != want {
			t.Fatalf("%q, want %q", text, want)
		}
	}
}
