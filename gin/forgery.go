package sessions

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// RefuseCrossOrigin returns middleware that refuses requests which another origin has caused and
// which may change something, by the rules of [http.CrossOriginProtection]: the status is 403 and
// the error [ErrCrossOrigin]. The protection holds the trusted origins and the bypass patterns;
// nil is one without any. Its deny handler is not used.
//
// It does not need a session, and may be mounted inside or outside the session middleware.
func RefuseCrossOrigin(protection *http.CrossOriginProtection) gin.HandlerFunc {
	if protection == nil {
		protection = http.NewCrossOriginProtection()
	}
	return func(c *gin.Context) {
		if v := core.JudgeOrigin(protection.Check(c.Request)); !v.Passes() {
			answer(c, v)
		}
	}
}

// RequireCSRFToken returns middleware that lets a request pass only if its method is GET, HEAD or
// OPTIONS, or if it has the token of its session: see [core.Session.CSRFToken]. The token is
// expected in the header field [CSRFHeader], or else in the field [CSRFField] of a form. Otherwise
// the status is 403 and the error [ErrCSRFToken]. Mount it inside the session middleware.
//
// A form is parsed as the handler would parse it, so a handler that reads an upload by itself,
// with http.Request.MultipartReader, needs the token in the header. No other body is touched.
func RequireCSRFToken() gin.HandlerFunc {
	return func(c *gin.Context) {
		if adapter.Safe(c.Request.Method) {
			return
		}
		s, err := Load(c)
		v := adapter.Verdict{Err: err}
		if err == nil {
			v = core.JudgeCSRFToken(s, csrfTokenOf(c))
		}
		if !v.Passes() {
			answer(c, v)
		}
	}
}

// csrfTokenOf returns the token of a request, or "".
func csrfTokenOf(c *gin.Context) string {
	token := c.GetHeader(CSRFHeader)
	if token == "" && core.HasForm(c.ContentType()) {
		token = c.PostForm(CSRFField)
	}
	return token
}
