package core

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// String returns the name of the preset.
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

// label returns the name of the preset's constant, in JSON's spelling.
func (p Preset) label() string {
	names := [...]string{"none", "aal1", "aal2", "aal3", "asvs1", "asvs2", "asvs3"}
	if int(p) >= len(names) {
		return "unknown"
	}
	return names[p]
}

// MarshalText returns "none", "aal1" to "aal3" or "asvs1" to "asvs3". It returns no error.
func (p Preset) MarshalText() ([]byte, error) { return []byte(p.label()), nil }

// UnmarshalText reads what MarshalText has returned, and refuses any other text.
func (p *Preset) UnmarshalText(text []byte) (err error) {
	*p, err = parse(text, PresetASVS3+1, Preset.label)
	return err
}

// asvsLevel returns the level of an ASVS preset, or 0 for any other.
func (p Preset) asvsLevel() int {
	if p < PresetASVS1 {
		return 0
	}
	return int(p-PresetASVS1) + 1
}

// maxTimeouts returns the longest idle and absolute timeouts that the preset allows, or 0 if there
// is no preset.
func (p Preset) maxTimeouts() (expiry, lifetime time.Duration) {
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

// applyPreset sets options that are zero to the preset's values, and returns an error for those
// that it does not allow.
func (o *Options) applyPreset() error {
	if o.Preset == 0 {
		return nil
	}
	if o.Preset > PresetASVS3 {
		return fmt.Errorf(
			"sessions: Preset is %d; use one of the Preset constants, or 0 for none", o.Preset)
	}
	expiry, lifetime := o.Preset.maxTimeouts()
	o.Lifetime = cmp.Or(o.Lifetime, lifetime)
	o.Expiry = cmp.Or(o.Expiry, min(expiry, o.Lifetime))
	if o.Preset.asvsLevel() > 0 {
		o.NoStoreSignedIn = true
		o.Cookie.Name = cmp.Or(o.Cookie.Name, o.Cookie.securePrefix()+DefaultCookieName)
	}
	return errors.Join(
		checkPresetLimit(o.Preset, "Expiry", o.Expiry, expiry),
		checkPresetLimit(o.Preset, "Lifetime", o.Lifetime, lifetime),
		o.Cookie.checkPreset(o.Preset),
	)
}

func checkPresetLimit(p Preset, field string, d, limit time.Duration) error {
	if d == Permanent || d > limit {
		return fmt.Errorf("sessions: %s limits %s to %v; "+
			"shorten it or choose another Preset", p, field, limit)
	}
	return nil
}

// securePrefix returns the strictest name prefix that the cookie's other fields allow.
func (c *Cookie) securePrefix() string {
	if c.Domain == "" && cmp.Or(c.Path, "/") == "/" {
		return "__Host-"
	}
	return "__Secure-"
}

// checkPreset returns an error if an ASVS preset does not allow the cookie (chapter 3.3).
func (c *Cookie) checkPreset(p Preset) error {
	level := p.asvsLevel()
	name := strings.ToLower(c.Name)
	host := strings.HasPrefix(name, "__host-")
	switch {
	case level == 0:
		return nil
	case c.DisableSecure:
		return fmt.Errorf("sessions: %s needs a Secure cookie (3.3.1); "+
			"set Cookie.DisableSecure to false", p)
	case !host && !strings.HasPrefix(name, "__secure-"):
		return fmt.Errorf("sessions: %s needs a Cookie.Name that starts with __Host- or "+
			"__Secure- (3.3.1); leave it empty for %ssession", p, c.securePrefix())
	case level < 2:
		return nil
	case c.DisableHTTPOnly:
		return fmt.Errorf("sessions: %s keeps the cookie from scripts (3.3.4); "+
			"set Cookie.DisableHTTPOnly to false", p)
	case c.SameSite == SameSiteUnset:
		return fmt.Errorf("sessions: %s needs a SameSite attribute (3.3.2); "+
			"choose SameSiteLax, SameSiteStrict or SameSiteNone", p)
	case !host && c.Domain == "":
		return fmt.Errorf("sessions: %s needs a Cookie.Name that starts with __Host- "+
			"for a cookie of one host (3.3.3); leave Name and Path empty, "+
			"or set the Domain that shares it", p)
	}
	return nil
}
