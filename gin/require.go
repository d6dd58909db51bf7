package sessions

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// Require returns middleware that lets a request pass only if its session meets the requirement;
// see [Requirement] for the answer to others. Mount it inside the session middleware. It panics if
// the requirement makes no sense; the message says what to change.
//
// Errors are added to the context with [gin.Context.Error], like those of the session middleware,
// and have no body. Middleware mounted before the sessions can write one.
func Require(r Requirement) gin.HandlerFunc {
	guard := core.NewGuard(r)
	return func(c *gin.Context) {
		switch s, err := Load(c); {
		case err != nil:
			answer(c, adapter.Verdict{Err: err})
		case !guard.Met(s):
			visit := httpwriter.VisitOf(c.Request)
			answer(c, guard.Refuse(s, &visit))
		}
	}
}

// ReturnPath returns where the user wanted to go when [Require] sent them to this page: the query
// parameter [ReturnParam], if it is a [LocalPath], and otherwise the given path. Call it after the
// login. The form of a login page keeps the parameter if it is sent to the address of the page, as
// it is without an action attribute.
func ReturnPath(c *gin.Context, otherwise string) string {
	return core.ReturnPath(httpwriter.TargetOf(c.Request), otherwise)
}

// answer answers a request in place of its handlers.
func answer(c *gin.Context, v adapter.Verdict) {
	if c.Abort(); v.Location != "" {
		c.Header("Location", v.Location)
		c.Status(http.StatusSeeOther)
		c.Writer.WriteHeaderNow()
		return
	}
	adapter.ClearContent(c.Writer.Header())
	if v.Field != "" {
		c.Header(v.Field, v.Value)
	}
	_ = c.Error(v.Err)
	c.Status(core.StatusCode(v.Err))
}
