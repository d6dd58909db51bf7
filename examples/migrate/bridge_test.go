package migrate_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// applications are those of the guides.
func applications() map[string]func(t *testing.T, shared bool) *application {
	return map[string]func(t *testing.T, shared bool) *application{
		"gorilla cookie":           gorillaCookie,
		"gorilla redis":            gorillaRedis,
		"gin-contrib cookie":       ginCookie,
		"gin-contrib redis":        ginRedis,
		"echo-contrib cookie":      echoCookie,
		"echo-contrib v5 cookie":   echoV5Cookie,
		"fiber v2":                 fiberV2,
		"fiber v3":                 fiberV3,
		"scs memory":               scsMemory,
		"scs redis":                scsRedis,
		"flask redis json":         flaskRedis,
		"flask redis signed":       flaskRedisSigned,
		"flask memcached msgpack":  flaskMemcached,
		"flask mongodb json":       flaskMongoDB,
		"flask mongodb signed msg": flaskMongoDBSigned,
	}
}

// TestBridges moves users from each library.
func TestBridges(t *testing.T) {
	t.Parallel()
	for name, start := range applications() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("Moves", func(t *testing.T) { t.Parallel(); moves(t, start(t, false)) })
			t.Run("Parallel", func(t *testing.T) { t.Parallel(); joins(t, start(t, false)) })
			t.Run("Visitor", func(t *testing.T) { t.Parallel(); visits(t, start(t, false)) })
			t.Run("Refused", func(t *testing.T) { t.Parallel(); refuses(t, start(t, false)) })
			t.Run("Rolling", func(t *testing.T) { t.Parallel(); rolls(t, start(t, true)) })
		})
	}
}

// moves signs a user in on the old server and looks at them on the new one, until they sign out.
func moves(t *testing.T, a *application) {
	t.Helper()
	b := a.serve(t)
	b.wants(b.after, visitor)
	b.post(b.before + "/login")
	b.wants(b.before, signedIn)
	old := b.cookie(a.name)
	b.wants(b.after, signedIn)
	if b.cookie(a.name) != old || b.cookie("new") == "" {
		t.Fatal("the first answer has to set the new cookie and leave the old one")
	}
	b.wants(b.after, signedIn)
	if b.cookie(a.name) != "" {
		t.Fatal("the old cookie stays although the new one has come back")
	}
	list, err := a.manager.List(t.Context(), "ann")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	age := time.Since(list[0].AuthenticatedAt)
	if fresh := age < day; fresh != a.dated || age > 3*day {
		t.Errorf("the login counts as %v ago, dated %t", age, a.dated)
	}
	thief := b.another()
	thief.put(a.name, old)
	if thief.wants(b.after, signedInUnless(a.ends)); a.ends {
		thief.wants(b.before, visitor)
	}
	b.post(b.after + "/logout")
	b.wants(b.after, visitor)
	b.put(a.name, old)
	b.wants(b.after, visitor)
}

// signedInUnless is what a copy of the old cookie shows before the logout: the new session, unless the old one has ended.
func signedInUnless(ended bool) string {
	if ended {
		return visitor
	}
	return signedIn
}

// joins sends requests side by side, all with the old cookie only.
func joins(t *testing.T, a *application) {
	t.Helper()
	b := a.serve(t)
	b.post(b.before + "/login")
	old, cookies := b.cookie(a.name), make([]string, 6)
	var wg sync.WaitGroup
	for i := range cookies {
		tab := b.another()
		tab.put(a.name, old)
		wg.Go(func() {
			if status, got := tab.send(http.MethodGet, b.after+"/me"); status != http.StatusOK || got != signedIn {
				t.Errorf("GET /me = %d %q", status, got)
			}
			cookies[i] = tab.cookie("new")
		})
	}
	wg.Wait()
	slices.Sort(cookies)
	if n := len(slices.Compact(cookies)); n != 1 {
		t.Errorf("the answers set %d different cookies", n)
	}
	if list, err := a.manager.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("%d sessions, %v; want one", len(list), err)
	}
}

// visits has a visitor's session here when the user signs in on the old server. The user's takes its place.
func visits(t *testing.T, a *application) {
	t.Helper()
	b := a.serve(t)
	b.post(b.after + "/hat")
	anonymous := b.cookie("new")
	b.post(b.before + "/login")
	first := b.another() // A request that left before the visitor's cookie came.
	first.put(a.name, b.cookie(a.name))
	first.wants(b.after, signedIn)
	for range 3 {
		b.wants(b.after, signedIn)
	}
	if signed := b.cookie("new"); anonymous == "" || signed == anonymous {
		t.Errorf("the visitor's cookie %q opens the user's session", anonymous)
	}
	if list, err := a.manager.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("%d sessions, %v; want one", len(list), err)
	}
}

// refuses presents cookies that must sign nobody in.
func refuses(t *testing.T, a *application) {
	t.Helper()
	b := a.serve(t)
	b.post(b.before + "/login")
	old := b.cookie(a.name)
	b.put(a.name, tampered(old))
	b.wants(b.after, visitor)
	b.put(a.name, old)
	b.post(b.before + "/logout")
	gone := b.cookie(a.name)
	b.put(a.name, old)
	if a.ends {
		b.wants(b.after, visitor)
	}
	if gone != "" && gone != old {
		b.put(a.name, gone)
		b.wants(b.after, visitor)
	}
	b.post(b.before + "/login")
	if _, err := a.manager.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	b.wants(b.after, visitor)
}

// rolls has old and new servers at the same time.
func rolls(t *testing.T, a *application) {
	t.Helper()
	b := a.serve(t)
	b.post(b.before + "/login")
	for range 3 {
		b.wants(b.after, signedIn)
		b.wants(b.before, signedIn) // This is what a rollback would find.
	}
	b.post(b.after + "/logout")
	b.wants(b.after, visitor)
	b.wants(b.before, visitor)

	b.post(b.before + "/login")
	b.wants(b.after, signedIn)
	b.wants(b.after, signedIn)
	b.post(b.before + "/logout")
	b.wants(b.after, visitor)
	b.wants(b.before, visitor)
}
