package core

import "github.com/cloakroom-go/sessions/core/adapter"

// What the browser says about why it sends a request, in the fields of Fetch Metadata.

// navigates reports whether the response becomes the page that the user sees, as far as can be
// told. A cookie that only extends a session, or renews its secret, is sent with such responses,
// because few of them come late: one that left before a login and arrives after it would sign the
// user out.
func navigates(f adapter.Fetch) bool { return f.Mode == "" || f.Mode == "navigate" }

// keptBack reports whether the browser has not sent the cookie because another site has caused
// the request. A new session's cookie would then replace that of the session that there is.
func keptBack(f adapter.Fetch, sameSite SameSite) bool {
	switch sameSite {
	case SameSiteNone:
		return false
	case SameSiteStrict:
		return f.Site == "cross-site"
	case SameSiteLax, SameSiteUnset:
	}
	return f.WithoutLax()
}
