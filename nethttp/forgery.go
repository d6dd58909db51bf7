package sessions

import (
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// RefuseCrossOrigin returns middleware that refuses requests which another origin has caused and
// which may change something, by the rules of [http.CrossOriginProtection]: the status is 403. The
// protection holds the trusted origins and the bypass patterns; nil is one without any. Its deny
// handler is not used: for that, mount its Handler method instead.
//
// It does not need a session, and may be mounted inside or outside the session middleware.
func RefuseCrossOrigin(protection *http.CrossOriginProtection) func(http.Handler) http.Handler {
	if protection == nil {
		protection = http.NewCrossOriginProtection()
	}
	return guarding(func(r *http.Request) adapter.Verdict {
		return core.JudgeOrigin(protection.Check(r))
	})
}

// RequireCSRFToken returns middleware that lets a request pass only if its method is GET, HEAD or
// OPTIONS, or if it has the token of its session: see [core.Session.CSRFToken]. The token is
// expected in the header field [CSRFHeader], or else in the field [CSRFField] of a form. Otherwise
// the status is 403. Mount it inside the session middleware.
//
// A form is parsed as the handler would parse it, so a handler that reads an upload by itself,
// with http.Request.MultipartReader, needs the token in the header. No other body is touched.
func RequireCSRFToken() func(http.Handler) http.Handler {
	return guarding(func(r *http.Request) adapter.Verdict {
		if adapter.Safe(r.Method) {
			return adapter.Verdict{}
		}
		s, err := Load(r)
		if err != nil {
			return adapter.Verdict{Err: err}
		}
		return core.JudgeCSRFToken(s, csrfTokenOf(r))
	})
}

// csrfTokenOf returns the token of a request, or "".
func csrfTokenOf(r *http.Request) string {
	token := r.Header.Get(CSRFHeader)
	if token == "" && core.HasForm(r.Header.Get("Content-Type")) {
		token = r.PostFormValue(CSRFField)
	}
	return token
}
