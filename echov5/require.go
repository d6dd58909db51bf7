package sessions

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// Require returns middleware that lets a request pass only if its session meets the requirement;
// see [Requirement] for the answer to others. Mount it inside the session middleware. It panics if
// the requirement makes no sense; the message says what to change.
//
// Echo's error handler gets errors as an [echo.HTTPError], like those of the session middleware.
func Require(r Requirement) echo.MiddlewareFunc {
	guard := core.NewGuard(r)
	return guarding(func(c *echo.Context) adapter.Verdict {
		s, err := scopeOf(c).Load()
		if err != nil || guard.Met(s) {
			return adapter.Verdict{Err: err}
		}
		visit := httpwriter.VisitOf(c.Request())
		return guard.Refuse(s, &visit)
	})
}

// ReturnPath returns where the user wanted to go when [Require] sent them to this page: the query
// parameter [ReturnParam], if it is a [LocalPath], and otherwise the given path. Call it after the
// login. The form of a login page keeps the parameter if it is sent to the address of the page, as
// it is without an action attribute.
func ReturnPath(c *echo.Context, otherwise string) string {
	return core.ReturnPath(httpwriter.TargetOf(c.Request()), otherwise)
}

// guarding returns middleware that answers the requests that judge does not let pass.
func guarding(judge func(*echo.Context) adapter.Verdict) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if v := judge(c); !v.Passes() {
				return answer(c, v)
			}
			return next(c)
		}
	}
}

// answer answers a request in place of its handler, or returns the error for Echo to answer.
func answer(c *echo.Context, v adapter.Verdict) error {
	header := c.Response().Header()
	if v.Location != "" {
		header.Set("Location", v.Location)
		return c.NoContent(http.StatusSeeOther)
	}
	adapter.ClearContent(header)
	if v.Field != "" {
		header.Set(v.Field, v.Value)
	}
	return httpError(v.Err)
}
