package sessions

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
)

// httpError returns the error of a load or a commit in Echo's terms, or nil if err is nil. Only
// its status and the text of that status reach the client.
func httpError(err error) error {
	if err == nil {
		return nil
	}
	code := core.StatusCode(err)
	return echo.NewHTTPError(code, http.StatusText(code)).Wrap(err)
}
