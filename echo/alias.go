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
	// Auth says how a subject has proved who they are. See [core.Auth].
	Auth = core.Auth
	// Info is what lists show of a session. See [core.Info].
	Info = core.Info
	// Stats counts what a manager has seen. See [core.Stats].
	Stats = core.Stats
	// Limit says how Options.MaxSessions is kept. See [core.Limit].
	Limit = core.Limit
	// Preset is a level of a public standard. See [core.Preset].
	Preset = core.Preset
	// Codec turns values into bytes and back. See [core.Codec].
	Codec = core.Codec
	// Event tells what happened to a session. See [core.Event].
	Event = core.Event
	// EventKind says what an Event reports. See [core.EventKind].
	EventKind = core.EventKind
)

// Permanent as an expiry makes a session that never expires.
const Permanent time.Duration = core.Permanent

// NoGrace as Options.Grace makes a former secret worthless from the moment of the renewal.
const NoGrace time.Duration = core.NoGrace

// The ways to keep Options.MaxSessions.
const (
	// EvictOldest ends the session whose login is longest ago.
	EvictOldest = core.EvictOldest
	// EvictIdle ends the session that was not used for longest.
	EvictIdle = core.EvictIdle
	// RefuseLogin makes the commit of the new login fail with ErrLimit.
	RefuseLogin = core.RefuseLogin
)

// The presets of Options, after NIST SP 800-63B-4 and OWASP ASVS 5.0.
const (
	// PresetAAL1 allows at most 30 days.
	PresetAAL1 = core.PresetAAL1
	// PresetAAL2 allows at most 24 hours and an hour of inactivity.
	PresetAAL2 = core.PresetAAL2
	// PresetAAL3 allows at most 12 hours and 15 minutes of inactivity.
	PresetAAL3 = core.PresetAAL3
	// PresetASVS1 is PresetAAL1 with the cookie of ASVS level 1.
	PresetASVS1 = core.PresetASVS1
	// PresetASVS2 is PresetAAL2 with the cookie of ASVS level 2.
	PresetASVS2 = core.PresetASVS2
	// PresetASVS3 is PresetAAL3 with the cookie of ASVS level 3.
	PresetASVS3 = core.PresetASVS3
)

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
	// EventReused reports a token whose secret was the session's before it was renewed: somebody has copied it.
	EventReused = core.EventReused
	// EventRevoked reports that a session was ended from outside, for Event.Reason.
	EventRevoked = core.EventRevoked
	// EventLimitReached reports a login beyond Options.MaxSessions.
	EventLimitReached = core.EventLimitReached
	// EventStoreCalled reports a call of the store and how long it took, with Options.StoreEvents.
	EventStoreCalled = core.EventStoreCalled
)

// The errors that callers can tell apart with errors.Is.
var (
	// ErrStore marks a failure of the store.
	ErrStore = core.ErrStore
	// ErrGone says that the session was ended elsewhere while the request ran.
	ErrGone = core.ErrGone
	// ErrLate says that a change needs a cookie, but the response has already begun.
	ErrLate = core.ErrLate
	// ErrNotFound says that there is no such session.
	ErrNotFound = core.ErrNotFound
	// ErrAnonymous says that nobody is signed in.
	ErrAnonymous = core.ErrAnonymous
	// ErrLimit says that the subject has as many sessions as allowed.
	ErrLimit = core.ErrLimit
	// ErrConflict says that the session was changed by other requests on each attempt to save it.
	ErrConflict = core.ErrConflict
	// ErrTooLarge says that the session exceeds its size limit.
	ErrTooLarge = core.ErrTooLarge
	// ErrFull says that the store has reached its bound.
	ErrFull = core.ErrFull
)
