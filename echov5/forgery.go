package sessions

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// RefuseCrossOrigin returns middleware that refuses requests which another origin has caused and
// which may change something, by the rules of [http.CrossOriginProtection]: the status is 403 and
// the error wraps [ErrCrossOrigin]. The protection holds the trusted origins and the bypass
// patterns; nil is one without any. Its deny handler is not used.
//
// It does not need a session, and may be mounted inside or outside the session middleware.
func RefuseCrossOrigin(protection *http.CrossOriginProtection) echo.MiddlewareFunc {
	if protection == nil {
		protection = http.NewCrossOriginProtection()
	}
	return guarding(func(c *echo.Context) adapter.Verdict {
		return core.JudgeOrigin(protection.Check(c.Request()))
	})
}

// RequireCSRFToken returns middleware that lets a request pass only if its method is GET, HEAD or
// OPTIONS, or if it has the token of its session: see [core.Session.CSRFToken]. The token is
// expected in the header field [CSRFHeader], or else in the field [CSRFField] of a form. Otherwise
// the status is 403 and the error wraps [ErrCSRFToken]. Mount it inside the session middleware.
//
// A form is parsed as the handler would parse it, so a handler that reads an upload by itself,
// with http.Request.MultipartReader, needs the token in the header. No other body is touched.
func RequireCSRFToken() echo.MiddlewareFunc {
	return guarding(func(c *echo.Context) adapter.Verdict {
		if adapter.Safe(c.Request().Method) {
			return adapter.Verdict{}
		}
		s, err := scopeOf(c).Load()
		if err != nil {
			return adapter.Verdict{Err: err}
		}
		return core.JudgeCSRFToken(s, csrfTokenOf(c))
	})
}

// csrfTokenOf returns the token of a request, or "". A token in the URL does not count, because
// addresses are logged.
func csrfTokenOf(c *echo.Context) string {
	header := c.Request().Header
	if token := header.Get(CSRFHeader); token != "" || !core.HasForm(header.Get("Content-Type")) {
		return token
	}
	if _, err := c.FormValues(); err != nil {
		return ""
	}
	return c.Request().PostForm.Get(CSRFField)
}
