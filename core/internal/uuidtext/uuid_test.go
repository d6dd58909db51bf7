package uuidtext_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
)

func TestPutAndParse(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := uuid.New()
		text := make([]byte, uuidtext.Length+1)
		uuidtext.Put(text, (*uuidtext.ID)(&id))
		if want := id.String() + "\x00"; string(text) != want {
			t.Fatalf("%q, want %q", text, want)
		}
		var back uuidtext.ID
		if !uuidtext.Parse(id.String(), &back) || uuid.UUID(back) != id {
			t.Fatalf("%v comes back as %v", id, uuid.UUID(back))
		}
	}
}

// TestParseTakesOneSpelling puts every byte into each position of a UUID.
func TestParseTakesOneSpelling(t *testing.T) {
	t.Parallel()
	const form = "0198a2b4-c6d8-7e0f-9123-456789abcdef"
	for at := range form {
		for b := range 256 {
			text := form[:at] + string([]byte{byte(b)}) + form[at+1:]
			id, err := uuid.Parse(text)
			want := err == nil && id.String() == text
			if got := uuidtext.Parse(text, new(uuidtext.ID)); got != want {
				t.Errorf("%q parses: %v, want %v", text, got, want)
			}
		}
	}
	for _, text := range []string{"", form[:35], form + "0", strings.ReplaceAll(form, "-", ""), "{" + form + "}"} {
		if uuidtext.Parse(text, new(uuidtext.ID)) {
			t.Errorf("%q parses", text)
		}
	}
}
