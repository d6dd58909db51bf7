package storekit_test

import (
	"encoding/base64"
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

func TestPageSize(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{-1: 100, 0: 100, 1: 1, 999: 999, 1000: 1000, 1001: 1000} {
		if got := storekit.PageSize(limit); got != want {
			t.Errorf("PageSize(%d) = %d, want %d", limit, got, want)
		}
	}
}

func TestPrefixRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, within, outside string }{
		{"", " ", "\x7f"},
		{"", "~~~", "\x7f"},
		{"a", "a", "b"},
		{"a", "a~~~", "b"},
		{"a", "a", "`~"},
		{"session:", "session:1", "session;"},
		{"session:", "session:~", "session9"},
		{"~", "~~", "}~"},
		{"a~", "a~~", "b"},
		{"a ", "a  ", "a"},
	} {
		from, to := storekit.PrefixRange(c.prefix)
		if c.within < from || c.within >= to {
			t.Errorf("PrefixRange(%q) = %q, %q, want %q within it", c.prefix, from, to, c.within)
		}
		if c.outside >= from && c.outside < to {
			t.Errorf("PrefixRange(%q) = %q, %q, want %q outside it", c.prefix, from, to, c.outside)
		}
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "a", "session:1", "\xff"} {
		for _, prefix := range []string{"", key} {
			got, ok := storekit.DecodeCursor(storekit.EncodeCursor(key), prefix)
			if got != key || !ok {
				t.Errorf("DecodeCursor of the cursor after %q = %q, %v", key, got, ok)
			}
		}
	}
	encode := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct{ cursor, prefix string }{
		"another prefix": {storekit.EncodeCursor("a:1"), "b:"},
		"longer prefix":  {storekit.EncodeCursor("a"), "a:"},
		"no mark":        {encode([]byte("a:1")), ""},
		"another mark":   {encode([]byte("k2:a:1")), ""},
		"not base64":     {"a:1", ""},
		"with padding":   {base64.URLEncoding.EncodeToString([]byte("k1:a")) + "=", ""},
		"cut short":      {storekit.EncodeCursor("a:1")[:3], ""},
		"empty":          {"", ""},
	} {
		if key, ok := storekit.DecodeCursor(c.cursor, c.prefix); key != "" || ok {
			t.Errorf("%s: DecodeCursor(%q, %q) = %q, %v, want false", name, c.cursor, c.prefix, key, ok)
		}
	}
}
