package migrate

import (
	"context"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// Entry is what [Bridge.Enter] has found out about a request. The zero value changes nothing.
type Entry struct {
	// Cookie is the value of the Cookie field that the request has to have for the middleware of
	// the sessions, in place of all that it has. If it is "", the fields stay as they are.
	Cookie string
	// SetCookie are values of Set-Cookie fields that the response has to have. They remove
	// cookies, so caches do no harm with them.
	SetCookie []string

	manager *core.Manager
	sends   bool // the browser may not have the cookie of the session
	end     func(context.Context) error
}

// SendCookie makes the response set the cookie of the session, if the browser may not have it.
// Middleware inside that of the sessions calls it, before the handler, with the context of the
// request.
func (e *Entry) SendCookie(ctx context.Context) {
	if !e.sends {
		return
	}
	if scope := core.ScopeOf(ctx).Of(e.manager); scope != nil {
		scope.SendCookie()
	}
}

// Leave ends the old session if the response signs the user out: if one of its Set-Cookie values
// removes the new cookie. The middleware around the sessions calls it after the handler, also
// when the header has been sent. It does nothing without [Options.Shared]. An error is that of
// [Old.End]; the next request of the browser then tries again.
func (e *Entry) Leave(ctx context.Context, setCookie []string) error {
	if e.end == nil {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	for _, value := range setCookie {
		if strings.HasPrefix(value, e.manager.CookieName()+"=;") {
			return e.end(ctx)
		}
	}
	return nil
}
