package sessions

import (
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// The types of package core under the names an application uses. This file is the same for every framework.
type (
	// Options configures sessions; the zero value is the safe default. See [core.Options].
	Options = core.Options
	// Cookie describes the session cookie. See [core.Cookie].
	Cookie = core.Cookie
	// SameSite is the cookie attribute of that name. See [core.SameSite].
	SameSite = core.SameSite
	// Manager holds one configuration of sessions. See [core.Manager].
	Manager = core.Manager
	// Session is one request's view of one session. See [core.Session].
	Session = core.Session
	// Key is the name and the type of a value in a session. See [core.Key].
	Key[T any] = core.Key[T]
	// Store keeps sessions. See [core.Store].
	Store = core.Store
	// Codec turns values into bytes and back. See [core.Codec].
	Codec = core.Codec
	// Event tells what happened to a session. See [core.Event].
	Event = core.Event
	// EventKind says what an Event reports. See [core.EventKind].
	EventKind = core.EventKind
)

// Permanent as an expiry makes a session that never expires.
const Permanent time.Duration = core.Permanent

// The values of the SameSite attribute.
const (
	// SameSiteLax sends the cookie with top-level navigations from other sites, and with no other cross-site request.
	SameSiteLax = core.SameSiteLax
	// SameSiteStrict never sends the cookie with a cross-site request.
	SameSiteStrict = core.SameSiteStrict
	// SameSiteNone sends it always. Needs Secure.
	SameSiteNone = core.SameSiteNone
	// SameSiteUnset leaves the attribute out and the choice to the browser.
	SameSiteUnset = core.SameSiteUnset
)

// The kinds of events.
const (
	// EventCreated reports that a session was stored for the first time.
	EventCreated = core.EventCreated
	// EventLoaded reports that a request arrived with a valid token.
	EventLoaded = core.EventLoaded
	// EventCommitted reports that changes to a stored session were saved.
	EventCommitted = core.EventCommitted
	// EventMerged reports that changes were merged with those of another request.
	EventMerged = core.EventMerged
	// EventTouched reports that the session's life was extended without a change.
	EventTouched = core.EventTouched
	// EventRenewed reports that the session's secret was changed by Renew.
	EventRenewed = core.EventRenewed
	// EventLogin reports that a subject signed in.
	EventLogin = core.EventLogin
	// EventDestroyed reports that the session was ended by Destroy.
	EventDestroyed = core.EventDestroyed
	// EventGone reports that changes were dropped because the session was ended elsewhere meanwhile.
	EventGone = core.EventGone
	// EventExpired reports a token of a session whose time is over.
	EventExpired = core.EventExpired
	// EventRefused reports a token whose id is known but whose secret is not the session's.
	EventRefused = core.EventRefused
	// EventUndecodable reports a damaged record, which counts as absent.
	EventUndecodable = core.EventUndecodable
	// EventBadValue reports a value that does not decode into the wanted type.
	EventBadValue = core.EventBadValue
	// EventLate reports a change that needed a cookie after the response had begun.
	EventLate = core.EventLate
	// EventLost reports that changes made after the response had begun could not be saved.
	EventLost = core.EventLost
	// EventStoreFailed reports that the store did not do what it was asked.
	EventStoreFailed = core.EventStoreFailed
)

// The errors that callers can tell apart with errors.Is.
var (
	// ErrStore marks a failure of the store.
	ErrStore = core.ErrStore
	// ErrGone says that the session was ended elsewhere while the request ran.
	ErrGone = core.ErrGone
	// ErrLate says that a change needs a cookie, but the response has already begun.
	ErrLate = core.ErrLate
	// ErrConflict says that the session was changed by other requests on each attempt to save it.
	ErrConflict = core.ErrConflict
	// ErrTooLarge says that the session exceeds its size limit.
	ErrTooLarge = core.ErrTooLarge
	// ErrFull says that the store has reached its bound.
	ErrFull = core.ErrFull
)
