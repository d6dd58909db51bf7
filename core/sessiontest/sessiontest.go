// Package sessiontest helps applications test how they use sessions, without a server or a
// network and with control over time.
//
// [Cookie] stores a session, signed in if the test wants it so, and returns the cookie that a
// request sends to use it. [Read] does the reverse: given the cookies of a response, it returns
// the session as it is stored now. Both take the [core.Manager] that the application's middleware
// uses, and work on that manager's store.
//
//	m, err := sessions.NewManager(sessions.Options{})
//	...
//	app := newApp(m) // mounts sessions.Middleware(m)
//
//	cookie := sessiontest.Cookie(t, m, func(s *sessions.Session) error { return s.Login("ann") })
//	request.AddCookie(cookie)
//
// [Browser] returns an [http.Client] that calls the application directly and keeps cookies as a
// browser does. [Store] is a store that fails on demand.
//
// # Time
//
// The manager and the memory store read the time from package time. In a bubble of
// [testing/synctest] a month therefore passes at once. Create the manager, the application and the
// browser inside the bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		m, err := sessions.NewManager(sessions.Options{Expiry: time.Hour})
//		...
//		time.Sleep(time.Hour) // the session has expired
//	})
package sessiontest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// Cookie stores a new session of m and returns its cookie, as a response would set it. The
// fill function sets up the session:
//
//	cookie := sessiontest.Cookie(t, m, func(s *sessions.Session) error {
//		return errors.Join(s.Login("ann"), cart.Set(s, []string{"coat"}))
//	})
//
// Cookie calls fill once. It ends the test if fill returns an error or leaves nothing to
// store, or if the session cannot be saved.
func Cookie(tb testing.TB, m *core.Manager, fill func(s *core.Session) error) *http.Cookie {
	tb.Helper()
	var sc core.Scope
	err := sc.Open(tb.Context(), nil, m, nil)
	if err == nil {
		err = fill(sc.Get())
	}
	var reply adapter.Reply
	if err == nil {
		reply, err = sc.CommitHeader()
	}
	if err == nil {
		err = sc.Close()
	}
	if err != nil {
		tb.Fatalf("sessiontest: making a session: %v", err)
	}
	cookie, err := http.ParseSetCookie(reply.SetCookie)
	if err != nil || cookie.Value == "" {
		tb.Fatal("sessiontest: the function stored nothing, so there is no session and no " +
			"cookie; sign somebody in or set a value")
	}
	return cookie
}

// Read returns the session that the cookies of a response or a request belong to, as it is
// stored now:
//
//	s := sessiontest.Read(t, m, response.Cookies()...)
//
// If none of the cookies is m's, or if the session has ended, Read returns a new session,
// which is what the application would see; [core.Session.IsNew] reports that. A response has a
// cookie only if the request created the session or changed its cookie. Otherwise pass the
// cookies of the request.
//
// Reading a session does not count as use and does not extend its life. Read ends the test if
// the store fails.
func Read(tb testing.TB, m *core.Manager, cookies ...*http.Cookie) *core.Session {
	tb.Helper()
	pairs := make([]string, 0, len(cookies))
	for _, cookie := range cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	var s *core.Session
	var sc core.Scope // It is never finished, because that would save a touch.
	err := sc.Open(tb.Context(), nil, m, nil, strings.Join(pairs, "; "))
	if err == nil {
		s, err = sc.Load()
	}
	if err != nil {
		tb.Fatalf("sessiontest: reading a session: %v", err)
	}
	return s
}
