package core

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Policy is the policy of a manager: what its options and their defaults come to.
//
// In JSON and in a log line the fields have names such as "idle_timeout_seconds"; durations are in
// seconds, and every field is there, also those that are zero. JSON of a policy cannot be read
// back: it describes a manager and configures none.
type Policy struct {
	// Preset is the level of a standard that the manager keeps to; 0 for none.
	Preset Preset
	// IdleTimeout is how long a session lasts without use; 0 if sessions are permanent.
	IdleTimeout time.Duration
	// MaxIdleTimeout limits a session's own idle timeout; 0 for no limit. See [Session.SetExpiry].
	MaxIdleTimeout time.Duration
	// AbsoluteTimeout is how long a session lasts after the last login or step-up; 0 for no limit.
	AbsoluteTimeout time.Duration
	// RenewEvery is the age at which a secret is replaced; 0 if only the application asks for it.
	RenewEvery time.Duration
	// Grace is how long a secret is accepted after it was replaced; 0 for not at all.
	Grace time.Duration
	// RevokeOnReuse says whether the use of a secret after its grace ends the session.
	RevokeOnReuse bool
	// MaxSessions is how many sessions a subject may have; 0 for any number.
	MaxSessions int
	// OnLimit says what happens beyond MaxSessions. It means nothing if that is 0.
	OnLimit LimitPolicy
	// Cookie is the name of the cookie with its attributes, as in a Set-Cookie field.
	Cookie string
	// Persistent says whether the cookie outlives the browser, unless a session says otherwise.
	Persistent bool
	// NoStoreSignedIn says whether browsers keep no page of a signed-in user.
	NoStoreSignedIn bool
	// NoDevice says whether records are without the IP address and user agent.
	NoDevice bool
}

// Policy returns the manager's policy, for the log at start-up or for the documentation that OWASP
// ASVS 5.0 (7.1.1 and 7.1.2) asks for.
func (m *Manager) Policy() Policy {
	m.MustBeMade()
	t := &m.timeouts
	return Policy{
		Preset:      m.preset,
		IdleTimeout: t.expiry, MaxIdleTimeout: t.maxExpiry, AbsoluteTimeout: t.lifetime,
		RenewEvery: t.renewEvery, Grace: t.grace, RevokeOnReuse: m.records.revokeOnReuse,
		MaxSessions: m.executor.maxSessions, OnLimit: m.executor.onLimit,
		Cookie: m.CookieName() + m.cookies.Attributes(), Persistent: t.remember,
		NoStoreSignedIn: m.noStoreSignedIn, NoDevice: m.executor.noDevice,
	}
}

// fields returns the policy under the names of the JSON.
func (p Policy) fields() attrs {
	return attrs{
		slog.String("preset", p.Preset.label()),
		secondsOf("idle_timeout_seconds", p.IdleTimeout),
		secondsOf("max_idle_timeout_seconds", p.MaxIdleTimeout),
		secondsOf("absolute_timeout_seconds", p.AbsoluteTimeout),
		secondsOf("renew_every_seconds", p.RenewEvery),
		secondsOf("grace_seconds", p.Grace),
		slog.Bool("revoke_on_reuse", p.RevokeOnReuse),
		slog.Int("max_sessions", p.MaxSessions),
		slog.String("on_limit", p.OnLimit.label()),
		slog.String("cookie", p.Cookie),
		slog.Bool("persistent", p.Persistent),
		slog.Bool("no_store_signed_in", p.NoStoreSignedIn),
		slog.Bool("no_device", p.NoDevice),
	}
}

// LogValue returns a group with the names and values of the JSON.
func (p Policy) LogValue() slog.Value {
	a := p.fields()
	return a.value()
}

// MarshalJSON writes the policy as a JSON object. It returns no error.
func (p Policy) MarshalJSON() ([]byte, error) {
	a := p.fields()
	return a.json()
}

// UnmarshalJSON returns an error, because a policy configures no manager.
func (*Policy) UnmarshalJSON([]byte) error { return errPolicyNotRead }

var errPolicyNotRead = errors.New("sessions: a Policy is written to JSON, and not read from it; " +
	"Options configure a manager")

// String describes the policy in a few lines of text, each with a name, a colon and a space.
func (p Policy) String() string {
	lines := []string{
		"preset: " + p.Preset.String(),
		"idle timeout: " + spell(p.IdleTimeout, "none, sessions are permanent") +
			p.describeOwnTimeout(),
		"absolute timeout: " + p.describeLifetime(),
		"secret renewed: at login and step-up" + p.describeRenewal(),
		"grace for a former secret after renewal: " + spell(p.Grace, "none"),
		"a former secret used after its grace: " +
			choose(p.RevokeOnReuse, "reported, and the session is ended", "reported"),
		"sessions per subject: " + p.describeLimit(),
		"cookie: " + p.Cookie +
			choose(p.Persistent, ", kept by the browser until the session ends",
				", dropped when the browser closes"),
		"pages of signed-in users: " +
			choose(p.NoStoreSignedIn, "not kept by the browser", "kept in the browser's history"),
		"IP address and user agent of signed-in sessions: " +
			choose(p.NoDevice, "not kept", "kept in the session's record"),
	}
	return strings.Join(lines, "\n") + "\n"
}

func (p Policy) describeOwnTimeout() string {
	if limit := p.MaxIdleTimeout; limit > 0 {
		return ", at most " + limit.String() + " if set for a session"
	}
	return ", unless a session has one of its own"
}

func (p Policy) describeRenewal() string {
	if age := p.RenewEvery; age > 0 {
		return ", and every " + age.String()
	}
	return ", and where the application asks for it"
}

func (p Policy) describeLimit() string {
	if p.MaxSessions == 0 {
		return "any number"
	}
	limit := fmt.Sprintf("at most %d, beyond it %s", p.MaxSessions, p.OnLimit)
	if p.OnLimit == RefuseLogin && !p.Persistent {
		limit += "; a user who closes the browser without signing out is locked out until the " +
			"idle timeout"
	}
	return limit
}

func (p Policy) describeLifetime() string {
	if p.AbsoluteTimeout == 0 {
		return "none"
	}
	return p.AbsoluteTimeout.String() +
		" after the last login or step-up, or the first use by a visitor"
}

func spell(d time.Duration, zero string) string { return choose(d == 0, zero, d.String()) }

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
