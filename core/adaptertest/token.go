package adaptertest

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// tokenLength is the length of a session token, the value of the cookie.
const tokenLength = 64

// secretOf returns the part of a token that consists of its secret alone.
func secretOf(token string) string { return token[22:] }

// idOf returns the part of a token that consists of its session ID alone.
func idOf(token string) string { return token[:20] }

// uuidOf returns the session ID of a token in its canonical form.
func uuidOf(token string) string {
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	if len(raw) < 16 {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16])
}

// unknownTokens returns n well-formed tokens that no store knows.
func unknownTokens(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		// The letters in the middle encode the version and the variant of a UUIDv7.
		tokens[i] = fmt.Sprintf("AZcW%04ddAC", i) + strings.Repeat("A", 53)
	}
	return tokens
}
