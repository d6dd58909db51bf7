package sessions

import (
	"errors"
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

// handlerError returns the error of a handler as Echo is to answer it. An error of the library
// that the handler has returned as it got it, such as that of [Session.SignIn], is answered with
// its status.
func handlerError(err error) error {
	if err == nil {
		return nil
	}
	_, answered := errors.AsType[*echo.HTTPError](err)
	if answered || core.StatusCode(err) == http.StatusInternalServerError {
		return err
	}
	return httpError(err)
}
