// Package sessiontest helps applications to test what they do with sessions: without a server, without a network, and with
// time at will.
//
// [Cookie] makes a session, signed in if it is to be, and returns the cookie that a request needs to be its own. [Read] goes
// the other way, from the cookies of a response to the session as it is stored now. Both work on the manager that the
// application's middleware has, and on its store; a token has no other source.
//
//	m, err := sessions.NewManager(sessions.Options{})
//	...
//	app := newApp(m) // mounts sessions.Middleware(m)
//
//	request.AddCookie(sessiontest.Cookie(t, m, func(s *sessions.Session) error { return s.Login("ann") }))
//
// [Browser] is an [http.Client] whose requests go to the application directly, and which keeps cookies as a browser does.
// [Store] is a store that fails on demand.
//
// # Time
//
// There is no clock to hand over: the manager and the memory store take the time from package time, so in a bubble of
// [testing/synctest] a month passes at once. Make manager, application and browser within the bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		m, err := sessions.NewManager(sessions.Options{Expiry: time.Hour})
//		...
//		time.Sleep(time.Hour) // the session has ended
//	})
package sessiontest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
)

// Cookie stores a new session of m and returns its cookie, as a response would set it. The function fills the session:
//
//	cookie := sessiontest.Cookie(t, m, func(s *sessions.Session) error {
//		return errors.Join(s.Login("ann"), cart.Set(s, []string{"coat"}))
//	})
//
// It is called once. The test ends if it fails, if it leaves nothing to store, or if the session cannot be saved.
func Cookie(tb testing.TB, m *core.Manager, fill func(s *core.Session) error) *http.Cookie {
	tb.Helper()
	var s core.Session
	m.Attach(&s)
	err := s.Load(tb.Context())
	if err == nil {
		err = fill(&s)
	}
	var reply core.Reply
	if err == nil {
		reply, err = s.Finish(tb.Context())
	}
	if err != nil {
		tb.Fatalf("sessiontest: making a session: %v", err)
	}
	cookie, err := http.ParseSetCookie(reply.SetCookie)
	if err != nil || cookie.Value == "" {
		tb.Fatal("sessiontest: the function stored nothing, so there is no session and no cookie; sign somebody in or set a value")
	}
	return cookie
}

// Read returns the session that the cookies of a response or of a request stand for, as m finds it in the store now:
//
//	s := sessiontest.Read(t, m, response.Cookies()...)
//
// Without a cookie of m's name, and for one whose session has ended, it is a new session, as the application would see it:
// [core.Session.IsNew] tells. A response has a cookie only if the session was made or changed its cookie; to look at a
// session that the request brought along, hand over the request's.
//
// To read is not to use: the session lives no longer for it. The test ends if the store fails.
func Read(tb testing.TB, m *core.Manager, cookies ...*http.Cookie) *core.Session {
	tb.Helper()
	pairs := make([]string, 0, len(cookies))
	for _, cookie := range cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	s := &core.Session{}
	m.Attach(s, strings.Join(pairs, "; "))
	if err := s.Load(tb.Context()); err != nil {
		tb.Fatalf("sessiontest: reading a session: %v", err)
	}
	return s
}
