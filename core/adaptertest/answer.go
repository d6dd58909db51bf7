package adaptertest

import (
	"net/http"
	"strings"
)

// answer is a response that has been read completely.
type answer struct {
	status int
	header http.Header
	body   string
}

// cookies returns the Set-Cookie lines of one cookie.
func (a *answer) cookies(name string) (lines []string) {
	for _, line := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, name+"=") {
			lines = append(lines, line)
		}
	}
	return lines
}

// field returns all lines of a header field.
func (a *answer) field(name string) string {
	return strings.Join(a.header.Values(name), ", ")
}

// leaks reports whether the answer contains the secret of the token outside Set-Cookie.
func (a *answer) leaks(token string) bool {
	if len(token) != tokenLength {
		return false
	}
	secret := secretOf(token)
	for name, values := range a.header {
		if name != "Set-Cookie" && strings.Contains(strings.Join(values, " "), secret) {
			return true
		}
	}
	return strings.Contains(a.body, secret)
}

// hasToken reports whether a comma-separated field value contains a token in the sense of
// HTTP.
func hasToken(value, token string) bool {
	for item := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return true
		}
	}
	return false
}
