package sessions

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// RefuseCrossOrigin returns middleware that refuses requests which another origin has caused and
// which may change something, by the rules of [http.CrossOriginProtection]: the status is 403 and
// the error wraps [ErrCrossOrigin]. The protection holds the trusted origins and the bypass
// patterns, which are those of [http.ServeMux]; nil is one without any. Its deny handler is not
// used.
//
// It does not need a session, and may be mounted inside or outside the session middleware.
func RefuseCrossOrigin(protection *http.CrossOriginProtection) fiber.Handler {
	if protection == nil {
		protection = http.NewCrossOriginProtection()
	}
	return guarding(func(c fiber.Ctx) adapter.Verdict {
		if adapter.Safe(c.Method()) {
			return adapter.Verdict{}
		}
		r, err := originOf(c)
		if err == nil {
			err = protection.Check(r)
		}
		return core.JudgeOrigin(err)
	})
}

// originOf returns what [http.CrossOriginProtection.Check] reads of a request, as a server of
// net/http would have read it.
func originOf(c fiber.Ctx) (*http.Request, error) {
	target, err := url.ParseRequestURI(targetOf(c))
	if err != nil {
		return nil, err
	}
	return &http.Request{
		Method: string(c.Request().Header.Method()), URL: target,
		Host: cmp.Or(target.Host, string(c.Request().Header.Host())),
		Header: http.Header{
			"Sec-Fetch-Site": {sentField(c, "Sec-Fetch-Site")},
			"Origin":         {sentField(c, fiber.HeaderOrigin)},
		},
	}, nil
}

// RequireCSRFToken returns middleware that lets a request pass only if its method is GET, HEAD or
// OPTIONS, or if it has the token of its session: see [core.Session.CSRFToken]. The token is
// expected in the header field [CSRFHeader], or else in the field [CSRFField] of a form. Otherwise
// the status is 403 and the error wraps [ErrCSRFToken]. Mount it inside the session middleware.
//
// A form is parsed as the handler would parse it, so with fiber.Config.StreamRequestBody a handler
// that reads an upload by itself needs the token in the header. No other body is touched.
func RequireCSRFToken() fiber.Handler {
	return guarding(func(c fiber.Ctx) adapter.Verdict {
		if adapter.Safe(c.Method()) {
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
func csrfTokenOf(c fiber.Ctx) string {
	kind := string(c.Request().Header.ContentType())
	if token := sentField(c, CSRFHeader); token != "" || !core.HasForm(kind) {
		return token
	}
	if token := c.Request().PostArgs().Peek(CSRFField); len(token) != 0 {
		return string(token)
	}
	form, err := c.MultipartForm()
	if err != nil || len(form.Value[CSRFField]) == 0 {
		return ""
	}
	return form.Value[CSRFField][0]
}
