package core

import (
	"strings"
	"testing"
)

// With NoStoreSignedIn no cache stores what uses the session of a signed-in user, and what a visitor sees is private. The
// ASVS presets set it.
func TestNoStoreSignedIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o    Options
		want bool
	}{
		"default": {Options{}, false}, "option": {Options{NoStoreSignedIn: true}, true}, "AAL3": {Options{Preset: PresetAAL3}, false},
		"ASVS1": {Options{Preset: PresetASVS1}, true}, "ASVS2": {Options{Preset: PresetASVS2}, true}, "ASVS3": {Options{Preset: PresetASVS3}, true},
	} {
		m := newTestManager(t, test.o)
		use := func(s *Session) { visits.Get(s) }
		visitor := newClient(t, m)
		visitor.request(set(t, 1))
		visitor.request(use) // The first use delivers the secret.
		r := visitor.request(use)
		equal(t, name+": visitor", r.CacheControl("max-age=60"), "private, max-age=60")
		user := newSignedIn(t, m, "ann")
		user.request(use)
		r = user.request(use)
		equal(t, name+": user", r.CacheControl("max-age=60") == "no-store", test.want)
		r = user.request(func(*Session) {})
		equal(t, name+": unused", r.Private, false)
	}
}

// ClearSiteData goes with the removal of the cookie, and with no other response.
func TestClearSiteData(t *testing.T) {
	t.Parallel()
	const all = `"cache", "storage"`
	m := newTestManager(t, Options{ClearSiteData: all})
	user := newSignedIn(t, m, "ann")
	r := user.request(func(s *Session) { increment(s) })
	equal(t, "use", r.ClearSiteData, "")
	r = user.request((*Session).Destroy)
	header := map[string][]string{}
	r.Apply(header)
	equal(t, "logout", strings.Join(header["Clear-Site-Data"], "; "), all)
	for _, value := range []string{`cache`, `"cache`, `"cache";"storage"`, `""`, `"ca che"`, `"cache",`, "\"cache\"\r\nX: y"} {
		if _, err := NewManager(Options{ClearSiteData: value}); err == nil || !strings.Contains(err.Error(), "ClearSiteData") {
			t.Errorf("%q is accepted: %v", value, err)
		}
	}
	for _, value := range []string{`"*"`, `"executionContexts"`} {
		if _, err := NewManager(Options{ClearSiteData: value}); err != nil {
			t.Errorf("%q is refused: %v", value, err)
		}
	}
}
