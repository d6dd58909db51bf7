package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloakroom-go/sessions/core/store"
)

// The errors that callers can tell apart with [errors.Is].
var (
	// ErrNotFound is returned if there is no such record, or if it has expired.
	ErrNotFound = store.ErrNotFound
	// ErrConflict is returned if a session could not be saved because other requests kept
	// changing it.
	ErrConflict = store.ErrConflict
	// ErrTooLarge is returned if the session exceeds [Options.MaxSize] or the limit of the
	// store. The session that was stored before stays as it is.
	ErrTooLarge = store.ErrTooLarge
	// ErrFull is returned if the store has reached its limit and must not drop anything to make
	// room.
	ErrFull = store.ErrFull
	// ErrStore is returned if the store could not be reached, did not answer in time, or stayed
	// contended (then the error is ErrConflict, too). Adapters answer the request with the
	// status 503.
	ErrStore = errors.New("sessions: store failed")
	// ErrGone is returned if another request ended the session, or signed in with it, while
	// this one ran or shortly before. Nothing was saved. Adapters answer with the status 409.
	ErrGone = errors.New("sessions: session has ended")
	// ErrCrossSite is returned by [Session.Save] if the changes would start a session although
	// another site has caused the request and the browser has kept the cookie back. They last
	// for the response only. See docs/security.md.
	ErrCrossSite = errors.New("sessions: another site has caused the request, " +
		"and the browser has kept the session's cookie back; only Login starts a session here")
	// ErrLimit is returned if the subject already has [Options.MaxSessions] sessions and the
	// manager refuses another.
	ErrLimit = errors.New("sessions: subject has as many sessions as allowed")
	// ErrStaleProof is returned by logins and step-ups whose [Auth.At] is longer ago than
	// [Options.Lifetime]. The user has to prove again who they are; the status is 409.
	ErrStaleProof = errors.New("sessions: the proof is older than Lifetime; " +
		"let the user sign in again")
	// ErrLate is returned for a change that needs a cookie after the response has begun, or after
	// the middleware has made the header final.
	ErrLate = errors.New("sessions: it is too late for a cookie, because the response has begun " +
		"or the session middleware has returned; make the change in the handler before the " +
		"first byte")
	// ErrActing is returned by [Session.ActAs] if the session acts for another subject already.
	// The status is 409.
	ErrActing = errors.New("sessions: the session acts for somebody already; " +
		"call StopActing first")
	// ErrNotActing is returned by [Session.StopActing] if the session acts for nobody. The status
	// is 409.
	ErrNotActing = errors.New("sessions: the session acts for nobody; call ActAs first")
	// ErrBadValue is returned by [Key.TakeOnce], [Once], and commits after [Key.Update], if the
	// value that is stored does not decode into the type of the key: another version of the
	// program has stored it, for instance. The value stays as it is.
	ErrBadValue = errors.New("sessions: value does not decode into the type of the key")
	// ErrAnonymous is returned by operations that need a signed-in subject.
	ErrAnonymous = errors.New("sessions: nobody is signed in; call Login first")
	// ErrSignInRequired is the answer of the adapters' Require if nobody is signed in. The status
	// is 401.
	ErrSignInRequired = errors.New("sessions: the request needs a signed-in user")
	// ErrProofRequired is the answer of the adapters' Require if the signed-in user has not proved
	// who they are well enough, or not lately. The status is 403.
	ErrProofRequired = errors.New("sessions: the request needs a higher or fresher proof of who " +
		"the user is")
	// ErrPageGuarded is the answer of the adapters' Require if it would redirect a page to itself.
	// The status is 500.
	ErrPageGuarded = errors.New("sessions: the page that Require redirects to is itself behind " +
		"Require, so browsers would go round in a circle; mount the page outside")
	// ErrCrossOrigin is the answer of the adapters' RefuseCrossOrigin. The status is 403.
	ErrCrossOrigin = errors.New("sessions: another origin has caused the request")
	// ErrCSRFToken is the answer of the adapters' RequireCSRFToken. The status is 403.
	ErrCSRFToken = errors.New("sessions: the request has no CSRF token of its session")
	// ErrMethod is the answer of the adapters' SignOut to any method but POST. The status is 405.
	ErrMethod = errors.New("sessions: this method does not sign out; use POST")
)

// errTimedOut is the error of a commit with a new secret after the request's deadline.
var errTimedOut = fmt.Errorf("sessions: the request's deadline has passed, so a new cookie may "+
	"not reach the browser and what needs one was not saved; answer sooner, or allow more "+
	"time: %w",
	context.DeadlineExceeded)

// StatusCode returns the HTTP status for an error of a load, a commit or a guard. It is 503 if the
// store failed, is full or is contended, or if the request's deadline has passed, so that a retry
// may succeed; 409 for a login that [Options.MaxSessions] or a revocation refuses, or whose proof
// is too old, and for those that [Session.ActAs] and [Session.StopActing] do not fit; 401, 403 and
// 405 for what a guard refuses; 403 for [ErrCrossSite]; and 500 for errors that need a change of
// the program. It is for adapters, and for handlers that answer such an error themselves.
func StatusCode(err error) int {
	switch {
	case isAny(err, ErrStore, ErrFull, ErrConflict, errTimedOut):
		return 503
	case isAny(err, ErrLimit, ErrGone, ErrStaleProof, ErrActing, ErrNotActing):
		return 409
	case isAny(err, ErrCrossSite, ErrProofRequired, ErrCrossOrigin, ErrCSRFToken):
		return 403
	case errors.Is(err, ErrSignInRequired):
		return 401
	case errors.Is(err, ErrMethod):
		return 405
	}
	return 500
}

// isAny reports whether err is any of the known errors.
func isAny(err error, known ...error) bool {
	for _, k := range known {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
