package core

import (
	"net/url"
	"strings"
)

// ReturnParam is the name of the query parameter with which [Requirement] tells a page where the
// user wanted to go.
const ReturnParam = "return_to"

// maxLocalPath limits the length of a local path. Longer addresses are rare, and the parameter of
// a redirect needs up to three times as much.
const maxLocalPath = 2048

// LocalPath reports whether a redirect to path stays on the same origin in every browser: whether
// it is an absolute path with an optional query, of at most 2048 bytes, all of them visible ASCII
// characters. It refuses what browsers take for another host, such as "//host" and "/\host", and
// a fragment. Check with it whatever a request says about where to redirect to (OWASP ASVS 5.0,
// 3.7.2).
func LocalPath(path string) bool {
	if path == "" || len(path) > maxLocalPath || path[0] != '/' ||
		strings.HasPrefix(path, "//") {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c > '~' || c == '\\' || c == '#' {
			return false
		}
	}
	u, err := url.Parse(path)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

// ReturnPath returns where the user wanted to go, given the target of a request: the value of its
// query parameter [ReturnParam] if that is a [LocalPath], and otherwise the given path. It is for
// adapters.
func ReturnPath(target, otherwise string) string {
	if path := returnParamOf(target); LocalPath(path) {
		return path
	}
	return otherwise
}

// returnParamOf returns the first value of the parameter in a request target, or "". It is a copy.
func returnParamOf(target string) string {
	_, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return strings.Clone(values.Get(ReturnParam))
}

// localTarget returns the path and the query of a request target, which may name the host as well,
// or "" if that is no [LocalPath].
func localTarget(target string) string {
	if !strings.HasPrefix(target, "/") {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return ""
		}
		target = u.RequestURI()
	}
	if !LocalPath(target) {
		return ""
	}
	return target
}

// withReturnTo returns the address of a page with the parameter that says where to return to.
func withReturnTo(page, path string) string {
	if path == "" {
		return page
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	return page + separator + ReturnParam + "=" + url.QueryEscape(path)
}
