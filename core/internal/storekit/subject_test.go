package storekit_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

func TestSubjectCursor(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"a", "a b", "session:1"} {
		for _, key := range []string{"", "a", "session:1", "\xff"} {
			cursor := storekit.EncodeSubjectCursor(subject, key)
			if got, ok := storekit.DecodeSubjectCursor(cursor, subject); got != key || !ok {
				t.Errorf("DecodeSubjectCursor of the cursor of %q after %q = %q, %v", subject, key, got, ok)
			}
		}
	}
	for name, c := range map[string]struct{ cursor, subject string }{
		"another subject":  {storekit.EncodeSubjectCursor("a", "k"), "b"},
		"a longer subject": {storekit.EncodeSubjectCursor("a b", "k"), "a"},
		"a shorter one":    {storekit.EncodeSubjectCursor("a", "b k"), "a b"},
		"of a list":        {storekit.EncodeCursor("ak"), "a"},
		"cut short":        {storekit.EncodeSubjectCursor("a", "k")[:4], "a"},
		"not base64":       {"a\nk", "a"},
		"empty":            {"", "a"},
	} {
		if key, ok := storekit.DecodeSubjectCursor(c.cursor, c.subject); key != "" || ok {
			t.Errorf("%s: DecodeSubjectCursor(%q, %q) = %q, %v, want false", name, c.cursor, c.subject, key, ok)
		}
	}
}
