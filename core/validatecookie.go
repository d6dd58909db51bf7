package core

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// validate checks the fields against the grammar of RFC 6265bis, section 4.1, and against the
// rules that browsers enforce.
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
			return fmt.Errorf("sessions: Cookie.Name %q must not contain the character %q; "+
				"use letters, digits, - and _", name, name[i])
		}
	}
	return nil
}

// isTokenByte reports whether b may appear in a token (RFC 9110, section 5.6.2).
func isTokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b))
}

// validateNamePrefix checks the rules that browsers enforce for names with a reserved prefix.
// They ignore its case.
func (c *Cookie) validateNamePrefix() error {
	name := strings.ToLower(c.Name)
	hostHTTP := strings.HasPrefix(name, "__host-http-")
	host := strings.HasPrefix(name, "__host-")
	http := strings.HasPrefix(name, "__http-")
	secure := strings.HasPrefix(name, "__secure-")
	switch {
	case (host || http || secure) && c.DisableSecure:
		return fmt.Errorf("sessions: browsers refuse a cookie named %q without Secure; "+
			"set DisableSecure to false or drop the name's prefix", c.Name)
	case host && c.Domain != "":
		return fmt.Errorf("sessions: browsers refuse a cookie named %q with a Domain; "+
			"leave Domain empty or drop the __Host- prefix", c.Name)
	case host && c.Path != "/":
		return fmt.Errorf("sessions: browsers refuse a cookie named %q with the Path %q; "+
			"use / or drop the __Host- prefix", c.Name, c.Path)
	case (http || hostHTTP) && c.DisableHTTPOnly:
		return fmt.Errorf("sessions: browsers refuse a cookie named %q without HttpOnly; "+
			"set DisableHTTPOnly to false or drop the name's prefix", c.Name)
	}
	return nil
}

func validatePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("sessions: Cookie.Path %q must start with /", path)
	}
	if len(path) > 1024 {
		return fmt.Errorf("sessions: Cookie.Path is %d bytes long; "+
			"browsers ignore paths longer than 1024", len(path))
	}
	forbidden := func(r rune) bool { return r < ' ' || r >= 0x7f || r == ';' }
	if i := strings.IndexFunc(path, forbidden); i >= 0 {
		return fmt.Errorf("sessions: Cookie.Path %q has a character that a cookie cannot carry "+
			"at byte %d; percent-encode it", path, i)
	}
	return nil
}

func (c *Cookie) validateSameSite() error {
	switch {
	case c.SameSite > SameSiteUnset:
		return fmt.Errorf("sessions: Cookie.SameSite is %d; "+
			"use SameSiteLax, SameSiteStrict, SameSiteNone or SameSiteUnset", c.SameSite)
	case c.SameSite == SameSiteNone && c.DisableSecure:
		return errors.New("sessions: browsers refuse SameSite=None without Secure; " +
			"set DisableSecure to false or choose SameSiteLax")
	case c.Partitioned && c.DisableSecure:
		return errors.New("sessions: browsers refuse a Partitioned cookie without Secure; " +
			"set DisableSecure or Partitioned to false")
	}
	return nil
}

// validateDomain accepts what a browser can match a host against: two or more labels of
// letters, digits and hyphens.
func validateDomain(domain string) error {
	if domain == "" {
		return nil
	}
	if len(domain) > 253 {
		return fmt.Errorf("sessions: Cookie.Domain is %d bytes long; "+
			"a domain has at most 253", len(domain))
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return fmt.Errorf("sessions: Cookie.Domain %q is not a domain; "+
				"use a bare name such as example.com, without scheme, port, path or spaces, "+
				"international names in their xn-- form", domain)
		}
	}
	if len(labels) < 2 {
		return fmt.Errorf("sessions: browsers refuse cookies for the single-label "+
			"Cookie.Domain %q; leave it empty for a cookie of this host only", domain)
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("sessions: Cookie.Domain %q is an IP address, which has no subdomains; "+
			"leave it empty", domain)
	}
	return nil
}

// isLabel reports whether s is a label of a domain name (RFC 1034, section 3.5), which may
// start with a digit (RFC 1123). It accepts underscores, because real host names have them.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return strings.Trim(s, allowed) == ""
}

// maxFormerCookies limits Options.FormerCookies, because each is a field of the response.
const maxFormerCookies = 8

// setDefaults fills in what the former cookie leaves open, given the cookie of today.
func (f *FormerCookie) setDefaults(today *Cookie) {
	if f.Name == "" {
		f.Name = today.Name
	}
	if f.Path == "" {
		f.Path = "/"
	}
	f.Domain = canonicalDomain(f.Domain)
}

func validateFormerCookies(o *Options) error {
	if n := len(o.FormerCookies); n > maxFormerCookies {
		return fmt.Errorf("sessions: FormerCookies has %d cookies; list at most %d, "+
			"because each is a field of the response", n, maxFormerCookies)
	}
	for i := range o.FormerCookies {
		if err := o.FormerCookies[i].validate(&o.Cookie); err != nil {
			return err
		}
	}
	return nil
}

func (f *FormerCookie) validate(today *Cookie) error {
	err := errors.Join(validateCookieName(f.Name), validateDomain(f.Domain), validatePath(f.Path))
	if err != nil {
		return fmt.Errorf("sessions: FormerCookies: %w", err)
	}
	if f.Name == today.Name && f.Domain == today.Domain && f.Path == today.Path &&
		f.Partitioned == today.Partitioned {
		return fmt.Errorf("sessions: FormerCookies names the session cookie itself (%q, "+
			"domain %q, path %q); list only what differs from Cookie", f.Name, f.Domain, f.Path)
	}
	return nil
}

// formerCookies returns the Set-Cookie values that remove the former cookies.
func (o *Options) formerCookies() (values []string) {
	for i := range o.FormerCookies {
		f := &o.FormerCookies[i]
		w := cookie.NewWriter(&cookie.Attributes{
			Name: f.Name, Path: f.Path, Domain: f.Domain, HTTPOnly: true,
			Secure: !o.Cookie.DisableSecure, SameSite: o.Cookie.SameSite.value(),
			Partitioned: f.Partitioned,
		})
		values = append(values, w.Remove())
	}
	return values
}

// canonicalDomain removes the leading dot that older configurations have, and returns the
// domain in lower case.
func canonicalDomain(domain string) string {
	if len(domain) > 1 {
		domain = strings.TrimPrefix(domain, ".")
	}
	return strings.ToLower(domain)
}
