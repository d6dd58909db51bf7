// Package migrate moves signed-in users from another session library to this one without signing
// them out. A [Bridge] looks at requests that bear the other library's cookie, has the application
// read that library's session, and signs its user in here:
//
//	b, err := migrate.New(migrate.Options{
//		Manager: m, Store: store,
//		Old:     core.FormerCookie{Name: "old_session"},
//		CutOff:  time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
//		Undated: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
//	})
//
// Middleware around that of the sessions calls [Bridge.Enter], which returns an [Entry]: what to
// change in the request and in the response. Middleware inside calls [Entry.SendCookie]. The
// application writes both, about forty lines; docs/migrating.md has them for several libraries.
//
// # What holds
//
// Requests of a browser that come at the same time, on any number of servers, share one session.
// The first one claims the old session by a record of its own in the store, and seals the new
// session's cookie in it with a key that is derived from the old session's id. The others get the
// same cookie from there, and so does a request that comes because an answer was lost. The record
// stays until [Options.CutOff], so an old session is good for one sign-in: after a logout or
// [core.Manager.RevokeAll], and a minute after the browser has presented the new cookie, the old
// one opens nothing here, even if the other library cannot end its session.
//
// The old session counts until the browser presents the new cookie. Then the bridge ends it, and
// removes its cookie; with [Options.Shared] it leaves both alone.
//
// The new session is never fresher than the old one can prove: see [Old].
package migrate
