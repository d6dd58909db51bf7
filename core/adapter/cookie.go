package adapter

import (
	"bytes"
	"strings"
)

// SameCookie reports whether a Set-Cookie value that the application has set is for the same
// cookie as one of ours. Browsers tell cookies apart by name, domain and path, and by whether they
// are partitioned, so an application may remove a cookie of the same name that it used before. A
// value without a path counts as one for any path, because its path depends on the request.
func SameCookie(value, ours string) bool {
	name, _, _ := strings.Cut(ours, "=")
	if !strings.HasPrefix(value, name) || !strings.HasPrefix(value[len(name):], "=") {
		return false
	}
	a, b := jarOf(value), jarOf(ours)
	if a.path == "" || b.path == "" {
		a.path, b.path = "", ""
	}
	return a == b
}

// jar is where a browser keeps a cookie, apart from its name.
type jar struct {
	domain, path string
	partitioned  bool
}

// jarOf returns where a Set-Cookie value is kept. The domain has no leading dot, and the path is
// "" if it depends on the request. The last of several attributes counts (RFC 6265bis, section
// 5.7).
func jarOf(value string) (j jar) {
	_, attributes, _ := strings.Cut(value, ";")
	for attribute := range strings.SplitSeq(attributes, ";") {
		key, v, _ := strings.Cut(attribute, "=")
		key, v = strings.TrimSpace(key), strings.TrimSpace(v)
		switch {
		case strings.EqualFold(key, "Domain"):
			j.domain = strings.ToLower(strings.TrimPrefix(v, "."))
		case strings.EqualFold(key, "Path"):
			if j.path = v; !strings.HasPrefix(v, "/") {
				j.path = ""
			}
		case strings.EqualFold(key, "Partitioned"):
			j.partitioned = true
		}
	}
	return j
}

// IsCookieField reports whether value is that of a Cookie field among the raw header lines of a
// request. A framework may parse the fields in place; the value that it returns from then on is
// none. IsCookieField may miss a field, but takes nothing else for one. An empty value is one.
func IsCookieField(raw, value []byte) bool {
	const field = "cookie:"
	if len(value) == 0 {
		return true
	}
	start := bytes.Index(raw, value)
	if start < 0 {
		return false
	}
	end := start + len(value)
	for start > 0 && isBlank(raw[start-1]) {
		start--
	}
	for end < len(raw) && isBlank(raw[end]) {
		end++
	}
	name := start - len(field)
	return name >= 0 && (name == 0 || raw[name-1] == '\n') &&
		bytes.EqualFold(raw[name:start], []byte(field)) &&
		end < len(raw) && (raw[end] == '\r' || raw[end] == '\n')
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }
