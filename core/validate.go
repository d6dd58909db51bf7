package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// validate reports everything that is impossible in options whose defaults are filled in, each in a sentence that says
// what to change.
func (o *Options) validate() error {
	return errors.Join(
		validatePrefix(o.Prefix),
		validateTimes(o),
		validateLimits(o),
		validateSubjects(o),
		o.Cookie.validate(),
	)
}

// maxPrefix leaves room for an id in keys of 250 bytes.
const maxPrefix = 200

// maxMaxSize keeps places in a record within 32 bits.
const maxMaxSize = 1 << 30

func validatePrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("sessions: Prefix is %d bytes long; use at most %d, some stores take keys of 250", len(prefix), maxPrefix)
	}
	if i := strings.IndexFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 {
		return fmt.Errorf("sessions: Prefix %q has a character that keys cannot hold at byte %d; use printable ASCII without spaces", prefix, i)
	}
	return nil
}

func validateTimes(o *Options) error {
	switch {
	case o.Expiry < 0 && o.Expiry != Permanent:
		return fmt.Errorf("sessions: Expiry is negative (%v); use a positive duration, 0 for 30 days, or Permanent", o.Expiry)
	case o.Lifetime > 0 && o.Lifetime < time.Second:
		return fmt.Errorf("sessions: Lifetime is %v, less than a second; a duration needs a unit, as in 12 * time.Hour", o.Lifetime)
	case o.Expiry != Permanent && o.Expiry < time.Second:
		return fmt.Errorf("sessions: Expiry is %v, less than a second; a duration needs a unit, as in 3600 * time.Second", o.Expiry)
	case o.Lifetime < 0:
		return fmt.Errorf("sessions: Lifetime is negative (%v); use a positive duration, or 0 for no absolute limit", o.Lifetime)
	case o.Lifetime > 0 && o.Expiry == Permanent:
		return fmt.Errorf("sessions: Expiry is Permanent but Lifetime ends the session after %v; set Expiry to Lifetime, or Lifetime to 0", o.Lifetime)
	case o.Lifetime > 0 && o.Lifetime < o.Expiry:
		return fmt.Errorf("sessions: Lifetime (%v) is shorter than Expiry (%v); make Expiry at most Lifetime", o.Lifetime, o.Expiry)
	}
	return nil
}

func validateLimits(o *Options) error {
	switch {
	case o.Grace < 0 && o.Grace != NoGrace:
		return fmt.Errorf("sessions: Grace is negative (%v); use a positive duration, 0 for 30 seconds, or NoGrace", o.Grace)
	case o.Grace >= 0 && o.Grace < time.Millisecond:
		return fmt.Errorf("sessions: Grace is %v, less than a millisecond; a duration needs a unit, as in 30 * time.Second", o.Grace)
	case o.StoreTimeout < 0:
		return fmt.Errorf("sessions: StoreTimeout is negative (%v); use a positive duration, or 0 for 5 seconds", o.StoreTimeout)
	case o.StoreTimeout < time.Millisecond:
		return fmt.Errorf("sessions: StoreTimeout is %v, less than a millisecond; a duration needs a unit, as in 2 * time.Second", o.StoreTimeout)
	case o.PurgeInterval > 0 && o.PurgeInterval < time.Second:
		return fmt.Errorf("sessions: PurgeInterval is %v, less than a second; a duration needs a unit, as in 5 * time.Minute, and a negative one is for no purge", o.PurgeInterval)
	case o.MaxSize > maxMaxSize:
		return fmt.Errorf("sessions: MaxSize is %d; a session takes at most 1 GiB (%d): use that, or less", o.MaxSize, maxMaxSize)
	case o.MaxSize < 0:
		return fmt.Errorf("sessions: MaxSize is negative (%d); use a number of bytes, or 0 for 1 MiB", o.MaxSize)
	}
	return nil
}

func validateSubjects(o *Options) error {
	switch {
	case o.RenewEvery < 0:
		return fmt.Errorf("sessions: RenewEvery is negative (%v); use a positive duration, or 0 for never", o.RenewEvery)
	case o.RenewEvery > 0 && o.RenewEvery < time.Second:
		return fmt.Errorf("sessions: RenewEvery is %v, less than a second; a duration needs a unit, as in 15 * time.Minute", o.RenewEvery)
	case o.RenewEvery > 0 && o.RenewEvery < o.Grace:
		return fmt.Errorf("sessions: RenewEvery (%v) is shorter than Grace (%v), so that former secrets would pile up; make it at least Grace", o.RenewEvery, o.Grace)
	case o.MaxSessions < 0:
		return fmt.Errorf("sessions: MaxSessions is negative (%d); use a positive number, or 0 for any number", o.MaxSessions)
	case o.OnLimit > RefuseLogin:
		return fmt.Errorf("sessions: OnLimit is %d; use EvictOldest, EvictIdle or RefuseLogin", o.OnLimit)
	case o.StoreEvents && o.OnEvent == nil:
		return errors.New("sessions: StoreEvents is set but OnEvent is not; set who is to be told")
	case o.OnLimit != 0 && o.MaxSessions == 0:
		return errors.New("sessions: OnLimit is set but MaxSessions is not; set how many sessions a subject may have")
	}
	return nil
}

// checkIndex reports an option that needs an index of subjects where the store has none. A store answers that it has none
// without asking its server, so an ended context will do.
func (o *Options) checkIndex() error {
	if o.MaxSessions == 0 {
		return nil
	}
	indexer, ok := o.Store.(Indexer)
	if ok {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := indexer.BySubject(ctx, "")
		ok = !errors.Is(err, errors.ErrUnsupported)
	}
	if !ok {
		return fmt.Errorf("sessions: MaxSessions needs a store with an index of subjects, which %T has not; set MaxSessions to 0 or use another store: %w", o.Store, errors.ErrUnsupported)
	}
	return nil
}

// validate checks the cookie's fields by the grammar of RFC 6265bis section 4.1, and the rules browsers attach to them.
func (c *Cookie) validate() error {
	return errors.Join(
		validateCookieName(c.Name),
		c.validateNamePrefix(),
		validateDomain(c.Domain),
		validatePath(c.Path),
		c.validateSameSite(),
	)
}

func validateCookieName(name string) error {
	if len(name) > 256 {
		return fmt.Errorf("sessions: Cookie.Name is %d bytes long; use at most 256", len(name))
	}
	for i := range len(name) {
		if !isTokenByte(name[i]) {
			return fmt.Errorf("sessions: Cookie.Name %q may not hold the character %q; use letters, digits, - and _", name, name[i])
		}
	}
	return nil
}

// isTokenByte reports whether b may stand in a token (RFC 9110 section 5.6.2).
func isTokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b))
}

// validateNamePrefix checks what browsers demand of names with a reserved prefix, which they compare without regard to
// case.
func (c *Cookie) validateNamePrefix() error {
	name := strings.ToLower(c.Name)
	hostHTTP := strings.HasPrefix(name, "__host-http-")
	host := strings.HasPrefix(name, "__host-")
	http := strings.HasPrefix(name, "__http-")
	secure := strings.HasPrefix(name, "__secure-")
	switch {
	case (host || http || secure) && c.Insecure:
		return fmt.Errorf("sessions: browsers refuse a cookie named %q without Secure; set Insecure to false or drop the name's prefix", c.Name)
	case host && c.Domain != "":
		return fmt.Errorf("sessions: browsers refuse a cookie named %q with a Domain; leave Domain empty or drop the __Host- prefix", c.Name)
	case host && c.Path != "/":
		return fmt.Errorf("sessions: browsers refuse a cookie named %q with the Path %q; use / or drop the __Host- prefix", c.Name, c.Path)
	case (http || hostHTTP) && c.ScriptAccess:
		return fmt.Errorf("sessions: browsers refuse a cookie named %q without HttpOnly; set ScriptAccess to false or drop the name's prefix", c.Name)
	}
	return nil
}

func validatePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("sessions: Cookie.Path %q must start with /", path)
	}
	if len(path) > 1024 {
		return fmt.Errorf("sessions: Cookie.Path is %d bytes long; browsers ignore more than 1024", len(path))
	}
	if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r >= 0x7f || r == ';' }); i >= 0 {
		return fmt.Errorf("sessions: Cookie.Path %q has a character that a cookie cannot carry at byte %d; percent-encode it", path, i)
	}
	return nil
}

func (c *Cookie) validateSameSite() error {
	switch {
	case c.SameSite > SameSiteUnset:
		return fmt.Errorf("sessions: Cookie.SameSite is %d; use SameSiteLax, SameSiteStrict, SameSiteNone or SameSiteUnset", c.SameSite)
	case c.SameSite == SameSiteNone && c.Insecure:
		return errors.New("sessions: browsers refuse SameSite=None without Secure; set Insecure to false or choose SameSiteLax")
	case c.Partitioned && c.Insecure:
		return errors.New("sessions: browsers refuse a Partitioned cookie without Secure; set Insecure or Partitioned to false")
	}
	return nil
}

// validateDomain accepts what a browser would match a host against: two or more labels of letters, digits and hyphens.
func validateDomain(domain string) error {
	if domain == "" {
		return nil
	}
	if len(domain) > 253 {
		return fmt.Errorf("sessions: Cookie.Domain is %d bytes long; a domain has at most 253", len(domain))
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return fmt.Errorf("sessions: Cookie.Domain %q is not a domain; give a bare name as in example.com, without scheme, port, path or spaces, international names in their xn-- form", domain)
		}
	}
	if len(labels) < 2 {
		return fmt.Errorf("sessions: browsers refuse cookies for the single-label Cookie.Domain %q; leave it empty for a cookie of this host only", domain)
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("sessions: Cookie.Domain %q is an IP address, which has no subdomains; leave it empty", domain)
	}
	return nil
}

// isLabel reports whether s is one label of a domain name (RFC 1034 section 3.5, with digits first as in RFC 1123).
// Underscores are let through because real host names have them.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
