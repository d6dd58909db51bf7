package adapter

import "strings"

// Visit is what the guards of package core have to know of a request. Core does not keep the
// strings.
type Visit struct {
	Fetch         // why the browser sends the request
	Target string // the request target, as the client has sent it: a path with its query
	Accept string // the Accept field
}

// Navigates reports whether the response becomes a page that the user sees, so that a redirect
// leads the user somewhere. A browser that does not say so by Sec-Fetch-Mode does it by Accept.
func (v *Visit) Navigates() bool {
	if v.Method != "GET" && v.Method != "HEAD" { //nolint:usestdlibvars // Core knows no net/http.
		return false
	}
	if v.Mode != "" {
		return v.Mode == "navigate"
	}
	for kind := range strings.SplitSeq(v.Accept, ",") {
		kind, _, _ = strings.Cut(kind, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/html") {
			return true
		}
	}
	return false
}

// Safe reports whether requests with the method are not to change anything, so that they need no
// protection against forgery. The methods are those of http.CrossOriginProtection.
func Safe(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// Verdict is what a guard says of a request. The zero Verdict lets it pass. Any other is answered
// in place of the handler: with the status 303 if there is a Location, and otherwise with the
// error, whose status core.StatusCode returns, and the header field.
type Verdict struct {
	Location     string // the value of the Location field
	Field, Value string // a field of the response beside the error; "" if there is none
	Err          error
}

// Passes reports whether the handler is to run.
func (v *Verdict) Passes() bool { return v.Location == "" && v.Err == nil }
