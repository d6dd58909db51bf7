package core

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Preset is a level of a public standard. It fills in what the options leave open, and refuses options that the level does
// not allow. Zero: none.
type Preset uint8

// The presets. Those of NIST SP 800-63B-4 are named after its authenticator assurance levels, whose numbers for
// reauthentication they carry (sections 2.1.3, 2.2.3 and 2.3.3). Those of OWASP ASVS 5.0 add what its chapter 3.3 asks of
// cookies; its chapter 7.3 asks for both timeouts from level 2 on and leaves the numbers to a documented decision with
// NIST's as the measure, so they are NIST's of the same level.
const (
	// PresetAAL1: at most 30 days in all.
	PresetAAL1 Preset = iota + 1
	// PresetAAL2: at most 24 hours in all and an hour of inactivity.
	PresetAAL2
	// PresetAAL3: at most 12 hours in all and 15 minutes of inactivity.
	PresetAAL3
	// PresetASVS1: as PresetAAL1, and a Secure cookie whose name starts with __Host- or __Secure-.
	PresetASVS1
	// PresetASVS2: as PresetAAL2, and the cookie of PresetASVS1 with HttpOnly and SameSite, named __Host- unless it is
	// shared with other hosts by a Domain.
	PresetASVS2
	// PresetASVS3: as PresetAAL3, and the cookie of PresetASVS2.
	PresetASVS3
)

// String returns the preset's name.
func (p Preset) String() string {
	names := [...]string{
		"none", "NIST SP 800-63B-4 AAL1", "NIST SP 800-63B-4 AAL2", "NIST SP 800-63B-4 AAL3",
		"OWASP ASVS 5.0 level 1", "OWASP ASVS 5.0 level 2", "OWASP ASVS 5.0 level 3",
	}
	if int(p) >= len(names) {
		return "unknown"
	}
	return names[p]
}

// asvs returns the level of an ASVS preset, 0 for others.
func (p Preset) asvs() int {
	if p < PresetASVS1 {
		return 0
	}
	return int(p-PresetASVS1) + 1
}

// limits returns the longest idle and absolute timeouts that the preset allows, 0 for no preset.
func (p Preset) limits() (expiry, lifetime time.Duration) {
	switch p {
	case PresetAAL1, PresetASVS1:
		return 30 * 24 * time.Hour, 30 * 24 * time.Hour
	case PresetAAL2, PresetASVS2:
		return time.Hour, 24 * time.Hour
	case PresetAAL3, PresetASVS3:
		return 15 * time.Minute, 12 * time.Hour
	}
	return 0, 0
}

// applyPreset fills in the preset's values where the options leave them open, and reports what it does not allow.
func (o *Options) applyPreset() error {
	if o.Preset == 0 {
		return nil
	}
	if o.Preset > PresetASVS3 {
		return fmt.Errorf("sessions: Preset is %d; use one of the Preset constants, or 0 for none", o.Preset)
	}
	expiry, lifetime := o.Preset.limits()
	o.Lifetime = or(o.Lifetime, lifetime)
	o.Expiry = or(o.Expiry, min(expiry, o.Lifetime))
	if o.Preset.asvs() > 0 && o.Cookie.Name == "" {
		o.Cookie.Name = o.Cookie.securePrefix() + DefaultCookieName
	}
	return errors.Join(
		tooLong(o.Preset, "Expiry", o.Expiry, expiry),
		tooLong(o.Preset, "Lifetime", o.Lifetime, lifetime),
		o.Cookie.allowed(o.Preset),
	)
}

func tooLong(p Preset, field string, d, limit time.Duration) error {
	if d == Permanent || d > limit {
		return fmt.Errorf("sessions: %s allows an %s of at most %v; shorten it or choose another Preset", p, field, limit)
	}
	return nil
}

// securePrefix returns the prefix that binds the cookie as tightly as its other fields allow.
func (c *Cookie) securePrefix() string {
	if c.Domain == "" && or(c.Path, "/") == "/" {
		return "__Host-"
	}
	return "__Secure-"
}

// allowed reports what an ASVS preset does not allow of a cookie (chapter 3.3).
func (c *Cookie) allowed(p Preset) error {
	level := p.asvs()
	name := strings.ToLower(c.Name)
	host := strings.HasPrefix(name, "__host-")
	switch {
	case level == 0:
		return nil
	case c.Insecure:
		return fmt.Errorf("sessions: %s needs a Secure cookie (3.3.1); set Cookie.Insecure to false", p)
	case !host && !strings.HasPrefix(name, "__secure-"):
		return fmt.Errorf("sessions: %s needs a Cookie.Name that starts with __Host- or __Secure- (3.3.1); leave it empty for %ssession", p, c.securePrefix())
	case level < 2:
		return nil
	case c.ScriptAccess:
		return fmt.Errorf("sessions: %s keeps the cookie from scripts (3.3.4); set Cookie.ScriptAccess to false", p)
	case c.SameSite == SameSiteUnset:
		return fmt.Errorf("sessions: %s needs a SameSite attribute (3.3.2); choose SameSiteLax, or what the cookie is for", p)
	case !host && c.Domain == "":
		return fmt.Errorf("sessions: %s needs a Cookie.Name that starts with __Host- for a cookie of one host (3.3.3); leave Name and Path empty, or set the Domain that shares it", p)
	}
	return nil
}

// Policy describes the policy in force in a few lines of text, for the start of a log or the documents that OWASP ASVS 5.0
// 7.1.1 and 7.1.2 ask for.
func (m *Manager) Policy() string {
	lines := []string{
		"preset: " + m.preset.String(),
		"idle timeout: " + spell(m.expiry, "none, sessions are permanent") + m.exception(),
		"absolute timeout: " + spell(m.lifetime, "none"),
		"secret renewed: at login and step-up" + m.renewal(),
		"grace for a former secret after renewal: " + spell(m.grace, "none"),
		"a former secret used after its grace: " + choose(m.revokeOnReuse, "reported, and the session is ended", "reported"),
		"sessions per subject: " + m.concurrency(),
		"cookie: " + m.cookie.start[:len(m.cookie.start)-1] + m.cookie.scope + m.cookie.flags + choose(m.cookie.persistent, ", kept by the browser until the session ends", ", dropped when the browser closes"),
		"IP address and user agent of signed-in sessions: " + choose(m.noDevice, "not kept", "kept in the session's record"),
	}
	return strings.Join(lines, "\n") + "\n"
}

func (m *Manager) exception() string {
	if m.maxExpiry > 0 {
		return ", for a session of its own choice at most " + m.maxExpiry.String()
	}
	return ", unless a session has one of its own"
}

func (m *Manager) renewal() string {
	if m.renewEvery > 0 {
		return ", and every " + m.renewEvery.String()
	}
	return ", and where the application asks for it"
}

func (m *Manager) concurrency() string {
	if m.maxSessions == 0 {
		return "any number"
	}
	return fmt.Sprintf("at most %d, beyond it %s", m.maxSessions, m.onLimit)
}

func spell(d time.Duration, zero string) string { return choose(d == 0, zero, d.String()) }

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
