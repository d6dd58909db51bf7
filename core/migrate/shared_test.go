package migrate_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/migrate"
)

// taken returns a server that shares its users with the old library, and a browser that is signed in on both.
func taken(t *testing.T, old *library) (*server, jar) {
	t.Helper()
	s := newServer(t, newStore(), old, shared)
	old.signIn("sid", "ann")
	j := jar{oldName: "sid"}
	for range 3 {
		s.wantUser(j, "ann")
	}
	if j[oldName] != "sid" || !old.has("sid") {
		t.Fatal("the old session ended although old servers are running")
	}
	return s, j
}

func TestSharedLogoutHere(t *testing.T) {
	t.Parallel()
	old := &library{}
	s, j := taken(t, old)
	s.visit(j, signOut)
	if old.has("sid") {
		t.Error("the old session outlives the logout")
	}
	s.wantUser(j, "")
}

func TestSharedLogoutHereOfCookies(t *testing.T) {
	t.Parallel()
	old := &library{cookies: true}
	s, j := taken(t, old)
	j[oldName] = "sid2" // An old server has saved the session, so its cookie has another value.
	old.signIn("sid2", "ann")
	s.wantUser(j, "ann")
	s.visit(j, signOut)
	s.wantUser(j, "")
	if _, stays := j[oldName]; stays {
		t.Error("the old cookie stays after the logout")
	}
}

// TestSharedIDIsNotUsedAgain has a library that takes the id of a new session from the cookie.
func TestSharedIDIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	old := &library{}
	s, j := taken(t, old)
	s.visit(j, signOut)
	old.sessions["sid"] = migrate.Old{ID: "sid"}
	s.wantUser(j, "")
	if _, stays := j[oldName]; stays {
		t.Error("the cookie of the ended session stays")
	}
	old.sessions["visitor"] = migrate.Old{ID: "visitor"}
	j[oldName] = "visitor"
	s.wantUser(j, "")
	if j[oldName] != "visitor" {
		t.Error("the old cookie of a visitor went")
	}
}

func TestSharedLogoutThere(t *testing.T) {
	t.Parallel()
	old := &library{}
	s, j := taken(t, old)
	old.end("sid")
	s.wantUser(j, "")
	if j["session"] != "" {
		t.Error("the new cookie stays after the logout on an old server")
	}
	s.wantSessions(0)
}

func TestSharedOldCookieRemoved(t *testing.T) {
	t.Parallel()
	old := &library{}
	s, j := taken(t, old)
	delete(j, oldName)
	link := adapter.Fetch{Method: "GET", Site: "cross-site", Mode: "navigate"}
	if user, _, err := s.answer(j, link, handle); user != "ann" || err != nil {
		t.Errorf("a link from another site, with which the old cookie was kept back, signs out: %q, %v", user, err)
	}
	s.wantUser(j, "")
}

func TestSharedOtherUserThere(t *testing.T) {
	t.Parallel()
	old := &library{}
	s, j := taken(t, old)
	old.end("sid")
	old.signIn("sid2", "bob")
	j[oldName] = "sid2"
	s.wantUser(j, "")
	s.wantUser(j, "bob")
	s.wantSessions(0)
}

func TestSharedLoginHere(t *testing.T) {
	t.Parallel()
	old := &library{}
	s := newServer(t, newStore(), old, shared)
	old.signIn("visitor", "")
	j := jar{oldName: "visitor"}
	s.visit(j, func(s *core.Session) { _ = s.Login("ann") })
	s.wantUser(j, "ann") // The old session has nobody, and has nothing to do with this one.
	s.wantUser(j, "ann")
	old.signIn("visitor", "bob") // They sign in on an old server as well.
	s.wantUser(j, "ann")
	s.visit(j, signOut)
	s.wantUser(j, "")
}
