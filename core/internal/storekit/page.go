package storekit

import (
	"encoding/base64"
	"strings"
)

// The sizes of a page.
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// PageSize returns the number of records in a page of List with that limit: the limit, at most
// MaxPageSize, and DefaultPageSize if it is zero or less.
func PageSize(limit int) int {
	if limit <= 0 {
		return DefaultPageSize
	}
	return min(limit, MaxPageSize)
}

// PrefixRange returns the range of the keys that start with prefix: from is the first such key,
// and to is the first key after all of them. Prefix and keys must be [Printable].
func PrefixRange(prefix string) (from, to string) {
	if prefix == "" {
		return "", "\x7f"
	}
	last := len(prefix) - 1
	return prefix, prefix[:last] + string(rune(prefix[last]+1))
}

// cursorMark tells a cursor from other text in the same encoding.
const cursorMark = "k1:"

// EncodeCursor returns the cursor of the page that begins after key. The cursor contains the
// key, so that the store has to remember nothing between pages.
func EncodeCursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorMark + key))
}

// DecodeCursor returns the key in a cursor. It reports false if EncodeCursor cannot have
// returned the cursor for a key that starts with prefix. It does not check the bytes of the key
// otherwise.
func DecodeCursor(cursor, prefix string) (key string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", false
	}
	key, ok = strings.CutPrefix(string(text), cursorMark)
	if !ok || !strings.HasPrefix(key, prefix) {
		return "", false
	}
	return key, true
}
