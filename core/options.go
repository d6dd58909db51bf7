package core

import (
	"log/slog"
	"time"
)

// Permanent as [Options.Expiry] or in [Session.SetExpiry] makes a session that never expires, on the server either. Its
// cookie gets the longest life that browsers honour, 400 days, and is renewed as it is used.
const Permanent time.Duration = -1

// NoGrace as [Options.Grace] makes a former secret worthless from the moment of the renewal.
const NoGrace time.Duration = -1

// The defaults that zero values of [Options] stand for.
const (
	DefaultPrefix       = "session:"
	DefaultCookieName   = "session"
	DefaultExpiry       = 30 * 24 * time.Hour
	DefaultGrace        = 30 * time.Second
	DefaultStoreTimeout = 5 * time.Second
	DefaultMaxSize      = 1 << 20

	DefaultPurgeInterval = 5 * time.Minute
)

// Options configures a [Manager]. It is passed by value; the zero value is the safe default. [NewManager] checks all of it
// once and says in a sentence what to change.
type Options struct {
	// Store keeps the sessions. Nil: a new bounded in-memory store (package memstore with its defaults), whose sessions
	// end with the process.
	Store Store

	// Prefix starts each key in the store: keys are exactly Prefix followed by the session id. "": "session:". Managers
	// that share a store need prefixes of their own. Printable ASCII without spaces, at most 200 bytes.
	Prefix string

	// Expiry is the idle timeout: how long after its last use a session ends, on the server and in the browser. Zero: 30
	// days. [Permanent]: never. At least a second otherwise. Use is noticed every tenth of Expiry, so a session ends
	// between nine tenths of Expiry and the whole of it after its last request.
	Expiry time.Duration

	// Lifetime is the absolute timeout, counted from the creation of the session and never extended, not by activity,
	// nor renewal, nor login. Zero: none. It may not be shorter than an Expiry that was set; the default Expiry is
	// capped by it.
	Lifetime time.Duration

	// RenewEvery changes the secret of a session that is used when it has become this old, as [Session.Renew] does. Zero:
	// only at a login, a step-up, or when the application asks. At least Grace otherwise.
	RenewEvery time.Duration

	// Preset fills in times and cookie fields after a level of NIST SP 800-63B-4 or OWASP ASVS 5.0, and refuses what the
	// level does not allow. Zero: none. [Manager.Policy] prints what comes of it.
	Preset Preset

	// MaxSessions bounds how many sessions a subject may have at a time, also when logins race with each other on several
	// servers (OWASP ASVS 5.0, 7.1.2). Zero: any number. It needs a store with an index of subjects, which memcached has not.
	MaxSessions int

	// OnLimit says how MaxSessions is kept. Zero: [EvictOldest].
	OnLimit Limit

	// RevokeOnReuse ends a session when a secret comes in that was replaced by a renewal and whose grace is over: two
	// parties hold it, and which of them is the user cannot be told. False: it is an [EventReused] and a line in the log,
	// and the request has no session.
	RevokeOnReuse bool

	// NoDevice keeps the IP address and the user agent of signed-in users out of the records. False: the record has those
	// of the login, and a touch brings them up to date; see [Manager.List].
	NoDevice bool

	// Cookie describes the cookie that carries the session's token.
	Cookie Cookie

	// Lazy puts off loading until the handler asks for the session. A request that does not ask costs no store call, and is
	// not counted as use of the session. False: the session is loaded before the handler runs.
	Lazy bool

	// Grace is how long a former secret is still accepted after [Session.Renew], so that requests which the browser had
	// already sent are not signed out. Zero: 30 seconds. [NoGrace]: not at all. Login never grants one.
	Grace time.Duration

	// StoreTimeout bounds each load, and each commit with all its attempts. Zero: 5 seconds. A save goes on when the
	// client has gone away, under this bound. A store whose calls cannot wait is called without it.
	StoreTimeout time.Duration

	// MaxSize bounds the encoded session in bytes. A larger one is [ErrTooLarge] and leaves the stored one as it was.
	// Zero: 1 MiB. At most 1 GiB.
	MaxSize int

	// PurgeInterval is how often the manager has a store that is a [Purger] delete expired records, give or take a quarter
	// so that several processes do not keep step. It does so from a goroutine of its own, which [Manager.Close] ends. Each
	// call is bounded by StoreTimeout. Zero: 5 minutes. Negative: never; then something else has to call Purge. At least a
	// second otherwise.
	PurgeInterval time.Duration

	// Codec encodes each value on its own. Nil: JSON.
	Codec Codec

	// Logger gets what an operator must see: store failures, damaged records, lost late writes. Nil: [slog.Default]. No
	// token, secret or value is ever logged.
	Logger *slog.Logger

	// OnEvent is told what happens to sessions, one event after the other, from a goroutine of the manager's, after the
	// operation and outside every lock. A hook that panics or blocks does not harm a request: the panic is logged, and
	// while the hook blocks events beyond 1024 waiting ones are dropped and counted in [Event.Dropped]. Nil: nobody is
	// told, and there is no goroutine.
	OnEvent func(Event)

	// StoreEvents tells OnEvent of each call of the store too, with the time it took, for metrics and traces. False: only
	// of failures.
	StoreEvents bool
}

// Cookie describes the session cookie. The zero value is named "session", valid for the whole site of the host that set
// it and for no other, sent over https only, hidden from scripts, and not sent along with most cross-site requests (RFC
// 6265bis, OWASP ASVS 5.0 chapter 3.3).
type Cookie struct {
	// Name is the cookie's name, a token as in RFC 6265bis section 4.1.1. "": "session". Names that start with __Host-,
	// __Secure-, __Http- or __Host-Http- must keep the rules that browsers attach to them.
	Name string

	// Domain makes the cookie valid for this domain and all below it. "": for the very host that set it. A leading dot
	// is dropped.
	Domain string

	// Path limits the cookie to this path and below. "": "/".
	Path string

	// SessionOnly makes a cookie without Max-Age and Expires, which the browser drops when it closes. The server side still
	// honours Expiry.
	SessionOnly bool

	// ScriptAccess lets JavaScript read the cookie. False: HttpOnly is set.
	ScriptAccess bool

	// Insecure lets the cookie travel over plain http, for development. False: Secure is set.
	Insecure bool

	// SameSite says whether the cookie goes along with cross-site requests. Zero: [SameSiteLax].
	SameSite SameSite

	// Partitioned gives the cookie a jar of its own for each top-level site (CHIPS). Needs Secure.
	Partitioned bool
}

// SameSite is the cookie attribute of that name (RFC 6265bis section 5.5.7).
type SameSite uint8

// The values of the SameSite attribute.
const (
	// SameSiteLax sends the cookie with top-level navigations from other sites, and with no other cross-site request.
	SameSiteLax SameSite = iota
	// SameSiteStrict never sends the cookie with a cross-site request.
	SameSiteStrict
	// SameSiteNone sends it always. Needs Secure.
	SameSiteNone
	// SameSiteUnset leaves the attribute out and the choice to the browser.
	SameSiteUnset
)

// setDefaults replaces each zero value by what it stands for.
func (o *Options) setDefaults() {
	o.Prefix = or(o.Prefix, DefaultPrefix)
	o.Cookie.Name = or(o.Cookie.Name, DefaultCookieName)
	o.Cookie.Path = or(o.Cookie.Path, "/")
	o.Grace = or(o.Grace, DefaultGrace)
	o.StoreTimeout = or(o.StoreTimeout, DefaultStoreTimeout)
	o.MaxSize = or(o.MaxSize, DefaultMaxSize)
	o.PurgeInterval = or(o.PurgeInterval, DefaultPurgeInterval)
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

// or returns value, or fallback where value is zero.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
