package migrate

import (
	"slices"
	"strings"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// Request is what a [Bridge] has to know of a request. It implements [adapter.Client].
type Request struct {
	// Cookies are the values of the Cookie fields.
	Cookies []string
	// IP is the client's address, as the framework sees it, and UserAgent its User-Agent field.
	// They are recorded as those of the login, unless Options.NoDevice is set.
	IP, UserAgent string
	// Why says why the browser sends the request.
	Why adapter.Fetch
}

// NewRequest returns the Request for a method, the client's address, and a header in the form of
// http.Header.
func NewRequest(method, ip string, header map[string][]string) *Request {
	r := &Request{
		Cookies: header["Cookie"], IP: ip, Why: adapter.FetchOf(method, header),
	}
	if agent := header["User-Agent"]; len(agent) > 0 {
		r.UserAgent = agent[0]
	}
	return r
}

// Client implements [adapter.Client].
func (r *Request) Client() (ip, userAgent string) { return r.IP, r.UserAgent }

// Fetch implements [adapter.Client].
func (r *Request) Fetch() adapter.Fetch { return r.Why }

// foreign reports whether another site may have caused the request, so that the browser may have
// kept cookies back.
func (r *Request) foreign() bool {
	return !slices.Contains([]string{"", "same-origin", "none"}, r.Why.Site)
}

// pairs calls yield with each cookie of the request, a name and a value.
func (r *Request) pairs(yield func(pair string) bool) {
	for _, field := range r.Cookies {
		for pair := range strings.SplitSeq(field, ";") {
			if pair = strings.Trim(pair, " \t"); pair != "" && !yield(pair) {
				return
			}
		}
	}
}

// has reports whether the request has a cookie of that name that is not empty.
func (r *Request) has(name string) bool {
	for pair := range r.pairs {
		if len(pair) > len(name)+1 && strings.HasPrefix(pair, name+"=") {
			return true
		}
	}
	return false
}

// with returns the Cookie field of the request with the value in place of all cookies of that
// name.
func (r *Request) with(name, value string) string {
	pairs := []string{name + "=" + value}
	for pair := range r.pairs {
		if !strings.HasPrefix(pair, name+"=") {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "; ")
}
