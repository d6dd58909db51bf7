package sessions

import (
	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
)

// httpError returns the error of a load or a commit in Echo's terms, or nil if err is nil. Only
// its status and the text of that status reach the client.
func httpError(err error) error {
	if err == nil {
		return nil
	}
	return echo.NewHTTPError(core.StatusCode(err)).SetInternal(err)
}
