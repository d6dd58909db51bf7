package examples_test

import (
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// TestRestoredBrowser closes the browser and starts it again with the same profile: who wanted to be remembered is still
// signed in, also when the last answer before the end, to a renewal, never arrived.
func TestRestoredBrowser(t *testing.T) {
	t.Parallel()
	path := chromium.Find(t)
	if path == "" {
		t.Skip(chromium.Missing)
	}
	atWork <- struct{}{}
	t.Cleanup(func() { <-atWork })
	profile := t.TempDir()
	tab, closeBrowser := chromium.Start(t, path, profile)
	var users []*story
	for framework, on := range storyFrameworks() {
		site := newStorySite(t, on, core.Options{RevokeOnReuse: true})
		for _, kind := range []string{"remembered", "lost", "forgotten"} {
			s := &story{T: t, name: kind, tab: tab, site: site, user: kind + "-" + framework}
			s.signsInFor(kind)
			users = append(users, s)
		}
	}
	closed := time.Now()
	if err := closeBrowser(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(closed.Add(storyGrace + 200*time.Millisecond)))
	tab, _ = chromium.Start(t, path, profile)
	for _, s := range users {
		s.tab = tab
	}
	allReturn(users)
}

// signsInFor signs in before the browser is closed.
func (s *story) signsInFor(kind string) {
	s.Helper()
	s.visits()
	path := "/login?user=" + s.user
	if kind != "forgotten" {
		path += "&remember=yes"
	}
	s.answers(s.tab, `send("`+path+`")`, "200 "+whoIs(s.user, 1, "coat"))
	s.answers(s.tab, `send("/me")`, "200 "+whoIs(s.user, 1, "coat"))
	if kind == "lost" {
		s.answers(s.tab, `send("/renew?lose=yes")`, "lost")
	}
}

// allReturn looks at what the browser remembers of the users when it has been started again.
func allReturn(users []*story) {
	for _, s := range users {
		if s.name != "forgotten" {
			s.ends(whoIs(s.user, 1, "coat"))
			continue
		}
		if page := s.open(s.tab, "/me"); page != whoIs("", 0) || s.cookies() != 0 {
			s.Errorf("%s: the browser has %d cookies, want none, and the page says\n\t%s", s.user, s.cookies(), page)
		}
	}
}
