package core

import (
	"cmp"
	"log/slog"
	"time"
)

// Permanent means that a session never expires, as [Options.Expiry] or in [Session.SetExpiry].
// Its cookie lasts 400 days, the longest that browsers honor, and is sent again as the session
// is used.
const Permanent time.Duration = -1

// NoGrace is the [Options.Grace] that makes a replaced secret invalid at once.
const NoGrace time.Duration = -1

// The defaults of [Options].
const (
	DefaultPrefix        = "session:"
	DefaultCookieName    = "session"
	DefaultExpiry        = 30 * 24 * time.Hour
	DefaultGrace         = 30 * time.Second
	DefaultStoreTimeout  = 5 * time.Second
	DefaultMaxSize       = 1 << 20
	DefaultPurgeInterval = 5 * time.Minute
)

// Options configures a [Manager]. The zero value is the safe default. [NewManager] checks the
// options once and returns an error that says what to change.
type Options struct {
	// Store keeps the sessions. The default is a new bounded memory store (package memstore),
	// whose sessions end with the process.
	Store Store

	// Prefix is the start of every key in the store: a key is the prefix followed by the
	// session id. Managers that share a store need different prefixes. The prefix is printable
	// ASCII without spaces, at most 200 bytes. The default is "session:".
	Prefix string

	// Expiry is the idle timeout: how long after its last use a session ends, on the server and
	// in the browser. The default is 30 days. Use Permanent for sessions that never expire;
	// otherwise at least one second. The last use is recorded with a resolution of a tenth of
	// Expiry, so a session ends between nine tenths of Expiry and Expiry after it.
	Expiry time.Duration

	// Lifetime is the absolute timeout: how long after the user last proved who they are a
	// session ends, however often it is used. It counts from the login or the last step-up, and
	// from the creation while nobody is signed in. Renewals do not extend it. It must be at
	// least Expiry; if Expiry is zero, it limits the default. The default is no absolute timeout.
	Lifetime time.Duration

	// RenewEvery is the age at which the secret of a session is renewed when it is used, as
	// [Session.Renew] does. It is at least Grace. By default the secret is replaced only at a
	// login, a step-up, or when the application asks.
	RenewEvery time.Duration

	// Preset sets timeouts and cookie fields that are zero to the values of a level of NIST SP
	// 800-63B-4 or OWASP ASVS 5.0, and refuses values that the level does not allow.
	// [Manager.Policy] describes the result. The default is no preset.
	Preset Preset

	// MaxSessions limits how many sessions a subject may have at the same time, even if logins
	// race on several servers (OWASP ASVS 5.0, 7.1.2). It needs a store with an index of
	// subjects, which memcached does not have. The default is no limit.
	MaxSessions int

	// OnLimit says what happens at a login beyond MaxSessions. The default is EvictOldest.
	OnLimit LimitPolicy

	// RevokeOnReuse ends a session when a request presents a secret that was replaced by a
	// renewal and whose grace period is over: two parties have it, and the manager cannot tell
	// which one is the user. By default such a request has no session, and emits an EventReused
	// and a line in the log.
	RevokeOnReuse bool

	// NoDevice keeps the IP address and the user agent of signed-in users out of the records.
	// By default a record has those of the login, which are updated when the session is
	// extended; see [Manager.List].
	NoDevice bool

	// NoStoreSignedIn makes responses that use the session of a signed-in user
	// Cache-Control: no-store, so that the browser shows none of their pages again after the
	// logout, when somebody goes back in its history (OWASP ASVS 5.0, 14.3.2). The browser then
	// also loads such a page again when the user goes back. The ASVS presets set it. By default
	// such responses are private.
	NoStoreSignedIn bool

	// Cookie describes the session cookie.
	Cookie Cookie

	// FormerCookies names cookies that the application used before, under another name, domain or
	// path. A response that sets or removes the session cookie also removes these, so that a
	// browser which still has one is not signed in by it after a logout. There may be at most 8.
	// By default there are none.
	FormerCookies []FormerCookie

	// ClearSiteData is the value of the Clear-Site-Data field of a response that removes the
	// cookie after [Session.Destroy]: a list of quoted types, such as `"cache", "storage"`. It has
	// the browser delete what it keeps for the origin (OWASP ASVS 5.0, 14.3.1), over https only,
	// and may take it a while. The type "cookies" also deletes the cookies of other applications
	// below the registrable domain. By default there is no such field.
	ClearSiteData string

	// Grace is how long a replaced secret is accepted after the browser has presented the new
	// one, so that requests which it had already sent keep their session. Until then the response
	// with the new cookie may have been lost, so a secret that was replaced by a renewal is
	// accepted like the new one, and one that was replaced by a step-up opens the session as it
	// was before. A login of another identity grants no grace. The default is 30 seconds. With
	// NoGrace a replaced secret opens nothing.
	Grace time.Duration

	// StoreTimeout limits each load, and each commit with all its attempts. A save continues
	// within this limit after the client has disconnected. A store whose calls never wait is
	// called without a timeout. The default is 5 seconds.
	StoreTimeout time.Duration

	// MaxSize limits the encoded session in bytes. Saving a larger one returns ErrTooLarge and
	// leaves the stored session as it was. The default is 1 MiB, and the maximum 1 GiB.
	MaxSize int

	// PurgeInterval is how often the manager deletes expired records from a store that is a
	// Purger, with a jitter of 25 %. It does so from its own goroutine, which [Manager.Close]
	// ends. Each call is limited by StoreTimeout. The default is 5 minutes, and the minimum one
	// second. If it is negative, the manager never purges, and something else must.
	PurgeInterval time.Duration

	// Codec encodes each value. The default is JSON.
	Codec Codec

	// Logger receives what an operator must see: failures of the store, damaged records, late
	// changes that are lost. It never receives a ticket, a secret or a value. The default is
	// [slog.Default].
	Logger *slog.Logger

	// OnEvent is called with each event, one after the other, from a goroutine of the manager,
	// after the operation and without a lock. A hook that panics or blocks does not harm a
	// request: a panic is logged, and while the hook blocks, events beyond 1024 are dropped and
	// counted in Event.Dropped. For logins and ends of sessions there is room for another 1024,
	// so that other requests push none of them out. By default there is no hook and no goroutine.
	OnEvent func(Event)

	// StoreEvents emits an EventStoreCalled for each call of the store, for metrics and traces.
	// By default only failures emit an event.
	StoreEvents bool

	// Lazy defers loading the session until the handler asks for it. A request that does not
	// ask costs no call of the store, and does not count as a use of the session. By default
	// the session is loaded before the handler runs.
	Lazy bool
}

// Cookie describes the session cookie. The zero value is a cookie named "session" that is valid
// for all paths of its host and for no other host, is sent over https only, is hidden from
// scripts, and is not sent with most cross-site requests (RFC 6265bis, OWASP ASVS 5.0 chapter
// 3.3).
type Cookie struct {
	// Name is the cookie's name, a token (RFC 6265bis, section 4.1.1). Browsers enforce rules
	// for names that start with __Host-, __Secure-, __Http- or __Host-Http-, and so does
	// NewManager. The default is "session".
	Name string

	// Domain makes the cookie valid for the domain and all domains below it. A leading dot is
	// ignored. By default the cookie is valid for the host that sets it only.
	Domain string

	// Path limits the cookie to the path and all paths below it. The default is "/".
	Path string

	// SessionOnly makes a cookie without Max-Age and Expires, which browsers delete when they
	// close, unless they restore their tabs, and with them such cookies. The server still applies
	// Expiry. By default the cookie lasts as long as the session.
	SessionOnly bool

	// DisableHTTPOnly lets scripts read the cookie. By default the HttpOnly attribute is set.
	DisableHTTPOnly bool

	// DisableSecure lets the cookie be sent over plain http, for development. By default the
	// Secure attribute is set.
	DisableSecure bool

	// SameSite says whether browsers send the cookie with cross-site requests. The default is
	// SameSiteLax.
	SameSite SameSite

	// Partitioned gives each top-level site its own cookie (CHIPS). It needs Secure. By default
	// the cookie is not partitioned.
	Partitioned bool
}

// FormerCookie names a cookie that the application used before. Browsers tell cookies apart by
// these fields.
type FormerCookie struct {
	// Name is the cookie's name. The default is that of the session cookie.
	Name string
	// Domain is the cookie's domain. By default the cookie was valid for its host only.
	Domain string
	// Path is the cookie's path. The default is "/".
	Path string
	// Partitioned says that the cookie was partitioned.
	Partitioned bool
}

// SameSite is the SameSite attribute of a cookie (RFC 6265bis, section 5.5.7).
type SameSite uint8

// The values of the SameSite attribute.
const (
	// SameSiteLax sends the cookie with top-level navigations from other sites, and with no
	// other cross-site request.
	SameSiteLax SameSite = iota
	// SameSiteStrict sends the cookie with no cross-site request.
	SameSiteStrict
	// SameSiteNone sends the cookie with every request. It needs Secure.
	SameSiteNone
	// SameSiteUnset omits the attribute, so that browsers use their default.
	SameSiteUnset
)

// value returns the value of the attribute, or "" if it is omitted.
func (s SameSite) value() string {
	switch s {
	case SameSiteLax:
		return "Lax"
	case SameSiteStrict:
		return "Strict"
	case SameSiteNone:
		return "None"
	case SameSiteUnset:
	}
	return ""
}

// LimitPolicy says what happens when a subject who has [Options.MaxSessions] sessions signs in
// again.
type LimitPolicy uint8

// The limit policies.
const (
	// EvictOldest ends the session whose subject signed in, or stepped up, longest ago.
	EvictOldest LimitPolicy = iota
	// EvictIdle ends the session that was used longest ago.
	EvictIdle
	// RefuseLogin makes the commit of the new login return [ErrLimit].
	RefuseLogin
)

// String describes the policy.
func (l LimitPolicy) String() string {
	switch l {
	case EvictOldest:
		return "the oldest is ended"
	case EvictIdle:
		return "the one idle longest is ended"
	case RefuseLogin:
		return "a login is refused"
	}
	return "unknown"
}

// label returns the name of the policy's constant, in JSON's spelling.
func (l LimitPolicy) label() string {
	switch l {
	case EvictOldest:
		return "evict_oldest"
	case EvictIdle:
		return "evict_idle"
	case RefuseLogin:
		return "refuse_login"
	}
	return "unknown"
}

// MarshalText returns "evict_oldest", "evict_idle" or "refuse_login". It returns no error.
func (l LimitPolicy) MarshalText() ([]byte, error) { return []byte(l.label()), nil }

// UnmarshalText reads what MarshalText has returned, and refuses any other text.
func (l *LimitPolicy) UnmarshalText(text []byte) (err error) {
	*l, err = parse(text, RefuseLogin+1, LimitPolicy.label)
	return err
}

// Preset is a level of a public standard, for [Options.Preset].
type Preset uint8

// The presets. Those of NIST SP 800-63B-4 are named after its authenticator assurance levels,
// and have the timeouts for reauthentication of sections 2.1.3, 2.2.3 and 2.3.3. Those of OWASP
// ASVS 5.0 add what its chapter 3.3 requires of cookies. ASVS requires both timeouts from level
// 2 on (chapter 7.3) and leaves the values to a documented decision that justifies departures
// from NIST, so these presets use the NIST values of the same level.
const (
	// PresetAAL1 allows an absolute timeout of at most 30 days.
	PresetAAL1 Preset = iota + 1
	// PresetAAL2 allows an absolute timeout of at most 24 hours and an idle timeout of at most
	// 1 hour.
	PresetAAL2
	// PresetAAL3 allows an absolute timeout of at most 12 hours and an idle timeout of at most
	// 15 minutes.
	PresetAAL3
	// PresetASVS1 is PresetAAL1 with a Secure cookie whose name starts with __Host- or
	// __Secure-, and with NoStoreSignedIn.
	PresetASVS1
	// PresetASVS2 is PresetAAL2 with the cookie of PresetASVS1, HttpOnly and SameSite. The name
	// starts with __Host- unless a Domain shares the cookie with other hosts.
	PresetASVS2
	// PresetASVS3 is PresetAAL3 with the cookie of PresetASVS2.
	PresetASVS3
)

// setDefaults replaces zero values by the defaults.
func (o *Options) setDefaults() {
	o.Prefix = cmp.Or(o.Prefix, DefaultPrefix)
	o.Cookie.Name = cmp.Or(o.Cookie.Name, DefaultCookieName)
	o.Cookie.Path = cmp.Or(o.Cookie.Path, "/")
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, DefaultStoreTimeout)
	o.MaxSize = cmp.Or(o.MaxSize, DefaultMaxSize)
	o.PurgeInterval = cmp.Or(o.PurgeInterval, DefaultPurgeInterval)
	if o.Expiry == 0 {
		o.Expiry = DefaultExpiry
		if o.Lifetime > 0 && o.Lifetime < o.Expiry {
			o.Expiry = o.Lifetime
		}
	}
	if o.Codec == nil {
		o.Codec = JSON{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}
