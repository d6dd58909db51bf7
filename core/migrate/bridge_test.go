package migrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/migrate"
	"github.com/cloakroom-go/sessions/core/sessiontest"
)

func TestTakesOver(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	old.signIn("sid", "ann")
	j := jar{oldName: "sid"}
	s.wantUser(j, "ann")
	if j["session"] == "" || j[oldName] == "" || !old.has("sid") {
		t.Fatalf("the old session ended before the browser has shown the new cookie: %v", j)
	}
	s.wantUser(j, "ann")
	if _, stays := j[oldName]; stays || old.has("sid") {
		t.Fatal("the old session goes on although the new cookie has come back")
	}
	s.wantUser(j, "ann")
	s.wantSessions(1)
	list, _ := s.manager.List(t.Context(), "ann")
	if list[0].IP != "192.0.2.1" {
		t.Errorf("the login was recorded for %q", list[0].IP)
	}
}

func TestVisitorsStayVisitors(t *testing.T) {
	t.Parallel()
	s := newServer(t, newStore(), &library{})
	for _, j := range []jar{{}, {oldName: "unknown"}, {oldName: "unknown", "session": "x"}} {
		s.wantUser(j, "")
	}
}

func TestParallelRequestsShareOneSession(t *testing.T) {
	t.Parallel()
	old, store := &library{}, newStore()
	old.signIn("sid", "ann")
	servers := []*server{newServer(t, store, old), newServer(t, store, old)}
	cookies := make([]string, 16)
	var wg sync.WaitGroup
	for i := range cookies {
		wg.Go(func() {
			user, lines, err := servers[i%2].answer(jar{oldName: "sid"}, adapter.Fetch{Method: "GET"}, handle)
			if err != nil || user != "ann" {
				t.Errorf("request %d sees %q, %v", i, user, err)
				return
			}
			j := jar{}
			j.keep(lines)
			cookies[i] = j["session"]
		})
	}
	wg.Wait()
	slices.Sort(cookies)
	if got := slices.Compact(cookies); len(got) != 1 || got[0] == "" {
		t.Errorf("the answers set %d different cookies", len(got))
	}
	servers[0].wantSessions(1)
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	old.signIn("sid", "ann")
	j := jar{oldName: "sid"}
	for range 3 {
		lost := copyOf(j)
		s.wantUser(lost, "ann")
	}
	s.wantUser(j, "ann")
	s.wantUser(j, "ann")
	s.wantSessions(1)
}

func TestLogoutIsNotUndone(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]*library{"stored": {}, "in the cookie": {cookies: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, newStore(), old)
			old.signIn("sid", "ann")
			j := jar{oldName: "sid"}
			s.wantUser(j, "ann")
			copied := copyOf(j)
			s.visit(j, signOut)
			s.wantUser(j, "")
			old.signIn("sid", "ann") // Somebody has restored it, or it cannot be ended.
			delete(copied, "session")
			s.wantUser(copied, "")
			if _, stays := copied[oldName]; stays {
				t.Error("the old cookie of an ended session stays")
			}
		})
	}
}

// TestCopiesOpenNothing has a library that cannot end a session. A minute after the new cookie has come back, a copy of the
// old one is worth nothing, although the session goes on.
func TestCopiesOpenNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := &library{cookies: true}
		s := newServer(t, newStore(), old)
		old.signIn("sid", "ann")
		old.signIn("other", "ann")
		j := jar{oldName: "sid"}
		copied := copyOf(j)
		s.wantUser(j, "ann")
		time.Sleep(time.Hour)
		s.wantUser(copyOf(copied), "ann") // Both answers may have been lost so far.
		s.wantUser(j, "ann")
		s.wantUser(copyOf(copied), "ann") // A late request of the browser.
		time.Sleep(2 * time.Minute)
		s.wantUser(copied, "")
		j[oldName] = "other" // An old cookie that was not needed.
		s.wantUser(j, "ann")
		s.wantUser(jar{oldName: "other"}, "")
		s.wantUser(j, "ann")
		s.wantSessions(1)
	})
}

func TestRevocationIsNotUndone(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	old.signIn("taken", "ann")
	old.signIn("idle", "ann")
	taken := jar{oldName: "taken"}
	s.wantUser(taken, "ann")
	if _, err := s.manager.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	for _, j := range []jar{taken, {oldName: "taken"}, {oldName: "idle"}} {
		known := old.has(j[oldName])
		s.wantUser(j, "")
		if _, stays := j[oldName]; stays && known {
			t.Error("the refused old cookie stays")
		}
	}
}

func TestProofIsAsOldAsTheOldSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := &library{}
		s := newServer(t, newStore(), old)
		for name, at := range map[string]time.Time{
			"undated": {}, "future": time.Now().Add(time.Hour), "ancient": time.Now().Add(-31 * day),
			"dated": time.Now().Add(-time.Hour),
		} {
			old.sessions = map[string]migrate.Old{name: {ID: name, User: "ann", Auth: core.Auth{At: at, Level: 2}}}
			want := map[string]string{"undated": "ann", "future": "ann", "dated": "ann"}[name]
			got := s.visit(jar{oldName: name}, func(s *core.Session) {
				if s.Fresh(day) != (name == "dated") || s.Fresh(time.Minute) {
					t.Errorf("%s: Fresh = %t for a day", name, s.Fresh(day))
				}
				if want != "" && s.Auth().Level != 2 {
					t.Errorf("%s: level %d", name, s.Auth().Level)
				}
			})
			if got != want {
				t.Errorf("%s: the handler sees %q, want %q", name, got, want)
			}
		}
		j := jar{oldName: "undated"}
		old.signIn("undated", "ann")
		for range 27 {
			time.Sleep(day)
			s.visit(j, handle)
		}
		s.wantUser(copyOf(j), "ann")
		time.Sleep(day) // Undated is 30 days ago.
		s.wantUser(j, "")
	})
}

func TestCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := &library{}
		s := newServer(t, newStore(), old)
		old.signIn("sid", "ann")
		old.signIn("late", "bob")
		ann := jar{oldName: "sid"}
		s.wantUser(ann, "ann")
		time.Sleep(20 * day)
		bob := jar{oldName: "late"}
		s.wantUser(bob, "")
		if len(bob) != 0 {
			t.Errorf("after the cut-off the browser keeps %v", bob)
		}
		s.wantUser(ann, "ann")
	})
}

func TestVisitorKeepsTheirCart(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	j := jar{}
	s.visit(j, func(s *core.Session) { _ = cart.Set(s, "coat") })
	old.sessions = map[string]migrate.Old{"sid": {
		ID: "sid", User: "ann",
		Copy: func(s *core.Session) error { return core.Key[int]("theme").Set(s, 7) },
	}}
	j[oldName] = "sid"
	user := s.visit(j, func(s *core.Session) {
		if cart.Get(s) != "coat" || core.Key[int]("theme").Get(s) != 7 {
			t.Errorf("cart %q, theme %d", cart.Get(s), core.Key[int]("theme").Get(s))
		}
	})
	if user != "ann" {
		t.Errorf("the handler sees %q", user)
	}
}

func TestNewerCookieStays(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	old.signIn("sid", "ann")
	j := jar{oldName: "sid"}
	late := copyOf(j)
	s.wantUser(j, "ann")
	s.visit(j, func(s *core.Session) { _ = s.StepUp(core.Auth{Level: 2}) })
	s.wantUser(j, "ann") // The cookie after the step-up has come back.
	old.signIn("sid", "ann")
	_, lines, err := s.answer(late, adapter.Fetch{Method: "GET"}, handle)
	if err != nil || len(lines) != 0 {
		t.Errorf("a late request sets %d cookies, %v; the browser has newer ones", len(lines), err)
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	store, old := sessiontest.NewStore(nil), &library{}
	s := newServer(t, store, old)
	old.signIn("sid", "ann")
	fails := func(why string) {
		t.Helper()
		_, _, err := s.answer(jar{oldName: "sid"}, adapter.Fetch{Method: "GET"}, handle)
		if core.StatusCode(err) != 503 || err == nil {
			t.Errorf("%s: %v, want a 503", why, err)
		}
	}
	old.down = errors.New("down")
	fails("the old store is down")
	old.down = nil
	store.Fail(sessiontest.Fault{On: sessiontest.Save})
	saves := store.Calls(sessiontest.Save)
	fails("the claim fails")
	if n := store.Calls(sessiontest.Save) - saves; n != 1 {
		t.Errorf("a store that is down gets %d saves", n)
	}
	store.Heal()
	j := jar{oldName: "sid"}
	s.wantUser(j, "ann")
	old.down = errors.New("down")
	s.wantUser(j, "ann")
	if j[oldName] == "" {
		t.Error("the old cookie went although the old session could not be ended")
	}
	old.down = nil
	s.wantUser(j, "ann")
	if _, stays := j[oldName]; stays || old.has("sid") {
		t.Error("the old session was not ended after the outage")
	}
}

func TestCrashWhileSigningIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, old := newStore(), &library{}
		s := newServer(t, store, old)
		old.sessions = map[string]migrate.Old{"sid": {ID: "sid", User: "ann", Copy: func(*core.Session) error {
			time.Sleep(time.Minute) // The request hangs for longer than its lease.
			return nil
		}}}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := s.answer(jar{oldName: "sid"}, adapter.Fetch{}, handle); err == nil {
				t.Error("the request succeeds although another one has taken its place")
			}
		})
		synctest.Wait()
		other := newServer(t, store, &library{sessions: map[string]migrate.Old{"sid": {ID: "sid", User: "ann"}}})
		_, _, err := other.answer(jar{oldName: "sid"}, adapter.Fetch{}, handle)
		if core.StatusCode(err) != 503 || err == nil {
			t.Errorf("the request that waits gets %v, want a 503", err)
		}
		time.Sleep(10 * time.Second)
		j := jar{oldName: "sid"}
		other.wantUser(j, "ann")
		wg.Wait()
		other.wantUser(j, "ann")
		other.wantSessions(1)
	})
}

func TestOtherSites(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old)
	old.signIn("sid", "ann")
	post := adapter.Fetch{Method: "POST", Site: "cross-site", Mode: "navigate", Dest: "document"}
	get := adapter.Fetch{Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "document"}
	frame := adapter.Fetch{Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "iframe"}
	for _, tc := range []struct {
		why  adapter.Fetch
		want string
	}{{post, ""}, {frame, ""}, {get, "ann"}} {
		user, _, err := s.answer(jar{oldName: "sid"}, tc.why, handle)
		if user != tc.want || err != nil {
			t.Errorf("%+v: the handler sees %q, %v; want %q", tc.why, user, err, tc.want)
		}
	}
	s = newServer(t, newStore(), old, func(o *migrate.Options) { o.CrossSite = true })
	if user, _, _ := s.answer(jar{oldName: "sid"}, post, handle); user != "ann" {
		t.Errorf("CrossSite: the handler sees %q", user)
	}
}

func TestLimitedUserStaysVisitor(t *testing.T) {
	t.Parallel()
	store, old := newStore(), &library{}
	m, err := core.NewManager(core.Options{Store: store, Lifetime: 30 * day, MaxSessions: 1, OnLimit: core.RefuseLogin})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, store, old, func(o *migrate.Options) { o.Manager = m })
	s.manager = m
	cookie := sessiontest.Cookie(t, m, func(s *core.Session) error { return s.Login("ann") })
	old.signIn("sid", "ann")
	j := jar{oldName: "sid"}
	s.wantUser(j, "")
	if j[oldName] == "" {
		t.Error("the old cookie went, so the user cannot come in when a place is free")
	}
	if err := m.Revoke(t.Context(), "ann", sessiontest.Read(t, m, cookie).ID()); err != nil {
		t.Fatal(err)
	}
	s.wantUser(j, "ann")
}

// TestClaimsTellNothing looks for what opens a session in what the bridge has stored.
func TestClaimsTellNothing(t *testing.T) {
	t.Parallel()
	store, old := newStore(), &library{}
	s := newServer(t, store, old)
	old.signIn("the-old-session's-id", "ann")
	j := jar{oldName: "the-old-session's-id"}
	s.wantUser(j, "ann")
	page, _, err := store.(core.Lister).List(t.Context(), "migrated:", "", 10)
	if err != nil || len(page) != 1 {
		t.Fatalf("%d claims, %v", len(page), err)
	}
	text := page[0].Key + string(page[0].Data)
	if strings.Contains(text, j["session"]) || strings.Contains(text, j[oldName]) || strings.Contains(text, "ann") {
		t.Error("the claim tells who or what opens the session")
	}
}

func TestReadMustNameTheSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, newStore(), &library{sessions: map[string]migrate.Old{"sid": {User: "ann"}}})
	_, _, err := s.answer(jar{oldName: "sid"}, adapter.Fetch{}, handle)
	if err == nil || !strings.Contains(err.Error(), "Old.ID is missing") {
		t.Errorf("without an ID: %v", err)
	}
}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	endless, err := core.NewManager(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*migrate.Options){
		"Store is missing":           func(o *migrate.Options) { o.Store = nil },
		"CutOff is missing":          func(o *migrate.Options) { o.CutOff = time.Time{} },
		"needs a name":               func(o *migrate.Options) { o.Old.Name = "session" },
		"Path":                       func(o *migrate.Options) { o.Old.Path = "app" },
		"at least a day ago":         func(o *migrate.Options) { o.Undated = time.Now().Add(-time.Hour) },
		"Undated must be set":        func(o *migrate.Options) { o.Undated = time.Time{} },
		"between Undated and CutOff": func(o *migrate.Options) { o.Undated = time.Now().Add(-31 * day) },
		"set Options.Lifetime":       func(o *migrate.Options) { o.Manager = endless },
		"and not that of the new ":   func(o *migrate.Options) { o.Old.Name = "" },
	} {
		o := migrate.Options{
			Manager: newServer(t, newStore(), nil).manager, Store: newStore(),
			Old: core.FormerCookie{Name: oldName}, CutOff: time.Now().Add(day), Undated: time.Now().Add(-2 * day),
		}
		change(&o)
		if _, err := migrate.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want something about %q", err, want)
		}
	}
}

// TestClientLeaves begins a request whose client has gone: what has begun is finished.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, sessiontest.NewStore(nil), old) // It heeds contexts.
	old.signIn("sid", "ann")
	ctx, leave := context.WithCancel(t.Context())
	r := &migrate.Request{Cookies: []string{oldName + "=sid"}}
	entry, err := s.bridge.Enter(ctx, r, func(context.Context) (migrate.Old, error) {
		leave()
		return old.read("sid")
	})
	if err != nil || entry.Cookie == "" {
		t.Fatalf("Enter = %q, %v", entry.Cookie, err)
	}
	s.wantUser(jar{oldName: "sid"}, "ann")
	s.wantSessions(1)
}
