package adapter

import "strings"

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
