package adaptertest

import (
	"net/http"
	"strconv"

	"github.com/cloakroom-go/sessions/core"
)

const (
	visits = core.Key[int]("visits")
	note   = core.Key[string]("note")
)

// handlerBody is the body of handlers. It must not be sent after a failed commit.
const handlerBody = "the handler's own body"

// countVisit increments the visits of the session and answers their number.
func countVisit(c Context) error {
	return c.Body(http.StatusOK, strconv.Itoa(visits.Update(c.Get(), increment)))
}

func increment(n int) int { return n + 1 }

// addVisit increments the visits of the session and answers nothing.
func addVisit(c Context) error {
	visits.Update(c.Get(), increment)
	return nil
}

// readVisits answers the number of visits.
func readVisits(c Context) error {
	return c.Body(http.StatusOK, strconv.Itoa(visits.Get(c.Get())))
}

func logOut(c Context) error {
	c.Get().Destroy()
	return c.Body(http.StatusOK, "signed out")
}

// whoIs answers the signed-in user.
func whoIs(c Context) error { return c.Body(http.StatusOK, c.Get().Subject()) }

func stepUp(c Context) error {
	if err := c.Get().StepUp(core.Auth{Level: 2}); err != nil {
		return err
	}
	return c.Body(http.StatusOK, "confirmed")
}

func logIn(c Context) error {
	if err := c.Get().Login("alice"); err != nil {
		return err
	}
	return c.Body(http.StatusOK, "signed in")
}
