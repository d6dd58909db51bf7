package core

import (
	"strings"
	"testing"
	"time"
)

// A preset sets its limits as defaults, accepts them, and refuses anything beyond them.
func TestPresetCeilings(t *testing.T) {
	t.Parallel()
	for preset, limit := range map[Preset]struct{ idle, life time.Duration }{
		PresetAAL1:  {720 * time.Hour, 720 * time.Hour},
		PresetAAL2:  {time.Hour, 24 * time.Hour},
		PresetAAL3:  {15 * time.Minute, 12 * time.Hour},
		PresetASVS1: {720 * time.Hour, 720 * time.Hour},
		PresetASVS2: {time.Hour, 24 * time.Hour},
		PresetASVS3: {15 * time.Minute, 12 * time.Hour},
	} {
		name := preset.String()
		m := newTestManager(t, Options{Preset: preset})
		equal(t, name+": Expiry", m.timeouts.expiry, limit.idle)
		equal(t, name+": Lifetime", m.timeouts.lifetime, limit.life)
		for what, test := range map[string]struct {
			o  Options
			ok bool
		}{
			"at the ceilings":    {Options{Expiry: limit.idle, Lifetime: limit.life}, true},
			"below":              {Options{Expiry: time.Minute, Lifetime: time.Hour}, true},
			"idle beyond":        {Options{Expiry: limit.idle + time.Second}, false},
			"life beyond":        {Options{Lifetime: limit.life + time.Second}, false},
			"permanent":          {Options{Expiry: Permanent}, false},
			"negative":           {Options{Lifetime: -time.Hour}, false},
			"short life alone":   {Options{Lifetime: 5 * time.Minute}, true},
			"life below idle":    {Options{Expiry: 10 * time.Minute, Lifetime: 5 * time.Minute}, false},
			"session-only":       {Options{Cookie: Cookie{SessionOnly: true}}, true},
			"host name":          {Options{Cookie: Cookie{Name: "__Host-id"}}, true},
			"host name, in caps": {Options{Cookie: Cookie{Name: "__HOST-id"}}, true},
		} {
			test.o.Preset = preset
			_, err := NewManager(test.o)
			if (err == nil) != test.ok {
				t.Errorf("%s, %s: error is %v", name, what, err)
			}
		}
		m = newTestManager(t, Options{Preset: preset, Lifetime: 5 * time.Minute})
		equal(t, name+": Expiry under a short Lifetime", m.timeouts.expiry, 5*time.Minute)
	}
	_, err := NewManager(Options{Preset: PresetASVS3 + 1})
	equal(t, "unknown preset refused", err != nil, true)
	equal(t, "name of an unknown preset", (PresetASVS3 + 1).String(), "unknown")
	equal(t, "name of none", Preset(0).String(), "none")
}

// The presets of ASVS restrict the cookie; those of NIST do not.
func TestPresetCookies(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		c      Cookie
		levels string // which of 1 to 3 allow it
		name   string // the name of the cookie
	}{
		"nothing said":          {Cookie{}, "123", "__Host-session"},
		"shared by a domain":    {Cookie{Domain: "example.com"}, "123", "__Secure-session"},
		"of one path":           {Cookie{Path: "/app"}, "1", "__Secure-session"},
		"path and domain":       {Cookie{Path: "/app", Domain: "example.com"}, "123", "__Secure-session"},
		"secure name, one host": {Cookie{Name: "__Secure-id"}, "1", "__Secure-id"},
		"secure name, domain":   {Cookie{Name: "__Secure-id", Domain: "example.com"}, "123", "__Secure-id"},
		"name without prefix":   {Cookie{Name: "session"}, "", ""},
		"http prefix":           {Cookie{Name: "__Http-id"}, "", ""},
		"host and http prefix":  {Cookie{Name: "__Host-Http-id"}, "123", "__Host-Http-id"},
		"insecure":              {Cookie{DisableSecure: true}, "", ""},
		"for scripts":           {Cookie{DisableHTTPOnly: true}, "1", "__Host-session"},
		"no SameSite":           {Cookie{SameSite: SameSiteUnset}, "1", "__Host-session"},
		"SameSite none":         {Cookie{SameSite: SameSiteNone}, "123", "__Host-session"},
		"SameSite strict":       {Cookie{SameSite: SameSiteStrict}, "123", "__Host-session"},
	} {
		for level := 1; level <= 3; level++ {
			m, err := NewManager(Options{Preset: PresetASVS1 + Preset(level-1), Cookie: test.c})
			allowed := strings.Contains(test.levels, sprint(level))
			if (err == nil) != allowed {
				t.Errorf("%s, level %d: error is %v", what, level, err)
			}
			if err == nil {
				equal(t, what+": name", m.CookieName(), test.name)
			}
		}
	}
	m := newTestManager(t, Options{Preset: PresetAAL3, Cookie: Cookie{DisableSecure: true, DisableHTTPOnly: true, SameSite: SameSiteUnset}})
	equal(t, "name under NIST's", m.CookieName(), "session")
}

// X8: a preset limits the timeout that a session has chosen, also before the preset was set.
func TestX8PresetCapsSetExpiry(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		free := newTestManager(t, Options{Store: store})
		m := newTestManager(t, Options{Store: store, Preset: PresetAAL3, Expiry: 5 * time.Minute})
		for name, chosen := range map[string]time.Duration{"long": 48 * time.Hour, "permanent": Permanent} {
			c := newClient(t, m)
			before := newClient(t, free)
			for _, c := range []*client{c, before} {
				c.request(func(s *Session) { want(t, s.SetExpiry(chosen), nil); want(t, visits.Set(s, 1), nil) })
			}
			before.m = m
			for _, c := range []*client{c, before} {
				equal(t, name+": remaining", c.load().Remaining(), 15*time.Minute)
			}
			time.Sleep(15*time.Minute - time.Millisecond)
			for _, c := range []*client{c, before} {
				equal(t, name+": before the cap, IsNew", c.load().IsNew(), false)
			}
			time.Sleep(time.Millisecond)
			for _, c := range []*client{c, before} {
				equal(t, name+": at the cap, IsNew", c.load().IsNew(), true)
			}
		}
		// A session may choose a timeout beyond Expiry and below the preset's limit.
		c := newClient(t, m)
		c.request(func(s *Session) { want(t, s.SetExpiry(10*time.Minute), nil); want(t, visits.Set(s, 1), nil) })
		equal(t, "its own choice", c.load().Remaining(), 10*time.Minute)
		c.request(func(s *Session) { want(t, s.SetExpiry(0), nil) })
		equal(t, "the manager's", c.load().Remaining(), 5*time.Minute)
		c.request(func(s *Session) { want(t, s.SetExpiry(48*time.Hour), nil) })
		for range 100 {
			time.Sleep(14 * time.Minute)
			if c.load().IsNew() {
				break
			}
			c.request(read)
		}
		equal(t, "12 hours end it all the same, IsNew", c.load().IsNew(), true)
	})
}
