package adapter

import (
	"slices"
	"strings"
	"time"
)

// ContentFields returns the names of the header fields that describe a body or redirect, in
// canonical form. An adapter removes them when an error replaces the handler's response.
func ContentFields() []string {
	return []string{
		"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding",
		"Content-Language", "Content-Length", "Content-Location", "Content-Range",
		"Content-Type", "Etag", "Expires", "Last-Modified", "Location", "Trailer",
		"Transfer-Encoding",
	}
}

// ClearContent removes the ContentFields from a header in the form of http.Header, and makes
// the response one that no cache stores.
func ClearContent(header map[string][]string) {
	for _, field := range ContentFields() {
		delete(header, field)
	}
	header["Cache-Control"] = []string{"no-store"}
}

// TargetedFields returns the names of the header fields, in canonical form, that tell particular
// shared caches how long they may store a response, whatever Cache-Control says (RFC 9213, and
// older fields of content delivery networks and reverse proxies). [Reply.Apply] removes them from
// a response that is private.
func TargetedFields() []string {
	fields := targetedFields
	return fields[:]
}

var targetedFields = [...]string{ //nolint:gochecknoglobals // A constant: nothing changes it.
	"Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control",
	"Netlify-Cdn-Cache-Control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires",
	"X-Litespeed-Cache-Control",
}

// Targeted reports whether a name, in canonical form, is one of the [TargetedFields]. To ask it
// for each field of a header takes less time than to look for each of those in the header.
func Targeted(name string) bool {
	switch name[:min(len(name), 4)] {
	case "Cdn-", "Clou", "Verc", "Netl", "Surr", "Edge", "X-Ac", "X-Li":
		return slices.Contains(targetedFields[:], name)
	}
	return false
}

// clearTargeted removes the targeted fields. Cache-Control then counts for their caches, too.
func clearTargeted(header map[string][]string) {
	for name := range header {
		if Targeted(name) {
			delete(header, name)
		}
	}
}

// Cacheable reports whether a header in the form of http.Header tells shared caches that they may
// store the response and use it without asking again.
func Cacheable(header map[string][]string) (cacheable bool) {
	for name, values := range header {
		switch {
		case name == "Cache-Control":
			for _, value := range values {
				if hasDirective(value, "no-store") || hasDirective(value, "no-cache") ||
					hasBareDirective(value, "private") {
					return false
				}
				cacheable = cacheable || hasDirective(value, "public") || hasAge(value)
			}
		case name == "Expires":
			cacheable = cacheable || slices.ContainsFunc(values, isLater)
		case Targeted(name):
			cacheable = true
		}
	}
	return cacheable
}

// hasAge reports whether a Cache-Control value allows any age.
func hasAge(value string) bool {
	for directive := range strings.SplitSeq(value, ",") {
		name, age, ok := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		age = strings.Trim(age, `"0`)
		if ok && age != "" && (name == "max-age" || name == "s-maxage") {
			return true
		}
	}
	return false
}

// isLater reports whether the value of an Expires field is not in the past. One that is not a
// time is (RFC 9111, section 5.3).
func isLater(value string) bool {
	t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value)
	return err == nil && t.After(time.Now())
}

// forbidsStorage reports whether a Cache-Control value forbids every cache to store the response.
// With must-understand it does not: most caches then ignore no-store (RFC 9111, section 5.2.2.3).
func forbidsStorage(value string) bool {
	return hasDirective(value, "no-store") && !hasDirective(value, "must-understand")
}

// hasDirective reports whether a comma-separated field value contains the directive, with or
// without an argument.
func hasDirective(value, name string) bool {
	for value != "" {
		var directive string
		directive, value, _ = strings.Cut(value, ",")
		if isDirective(strings.TrimSpace(directive), name) {
			return true
		}
	}
	return false
}

// isDirective reports whether a directive has the name, whatever its argument.
func isDirective(directive, name string) bool {
	got, _, _ := strings.Cut(directive, "=")
	return strings.EqualFold(strings.TrimSpace(got), name)
}

// hasBareDirective reports whether a comma-separated field value contains the directive without
// an argument.
func hasBareDirective(value, name string) bool {
	for directive := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(directive), name) {
			return true
		}
	}
	return false
}
