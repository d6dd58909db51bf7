package faulttest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Accounts tests listing, revoking and limiting the sessions of users on the store at an
// address, in one manager and between two other processes. A store without an index must
// return errors.ErrUnsupported, and NewManager must do so if an option needs the index.
func Accounts(t *testing.T, open Open, address string) {
	t.Helper()
	s, closeAll, err := open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeAll() })
	m, err := newManager(s, AppConfig{Prefix: testserver.Name() + ":"}, hangTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(t.Context()) })
	t.Run("R3LoginFromBefore", func(t *testing.T) { loginsFromBefore(t, s) })
	t.Run("R3Dependencies", func(t *testing.T) { dependencies(t, s) })
	if _, err := m.List(t.Context(), "ann"); errors.Is(err, errors.ErrUnsupported) {
		checkWithoutIndex(t, m, s)
		return
	}
	t.Run("OneManager", func(t *testing.T) { (&application{t, m}).run() })
	first, second := startProcess(t), startProcess(t)
	for name, race := range map[string]func(t *testing.T, a, b *remoteApp){
		"R3RevokeAllWins": revokeAllWins,
		"D8EvictOldest":   limitHolds(core.EvictOldest),
		"D8EvictIdle":     limitHolds(core.EvictIdle),
		"D8RefuseLogin":   limitHolds(core.RefuseLogin),
	} {
		t.Run(name, func(t *testing.T) {
			config := AppConfig{Address: address, Prefix: testserver.Name() + ":"}
			race(t, &remoteApp{t, first, config}, &remoteApp{t, second, config})
		})
	}
}

// loginsFromBefore has two managers revoke the sessions of users who are signing in.
func loginsFromBefore(t *testing.T, s store.Store) {
	t.Helper()
	var managers []*core.Manager
	config := AppConfig{Prefix: testserver.Name() + ":"}
	for range 2 {
		m, err := newManager(s, config, hangTimeout)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close(t.Context()) })
		managers = append(managers, m)
	}
	loginFromBefore(&application{t, managers[0]}, "carl", managers[0])
	loginFromBefore(&application{t, managers[0]}, "dora", managers[1])
}

// loginFromBefore checks that a login is refused whose request arrived before all sessions of its
// user were revoked, whether the store has an index or not. The next one is accepted at once.
func loginFromBefore(app *application, user string, by *core.Manager) {
	app.t.Helper()
	ctx, b := app.t.Context(), &browser{manager: app.manager}
	login := func(s *core.Session) error { return s.SignIn(ctx, user, core.SignIn{}) }
	err := b.visit(ctx, func(s *core.Session) error {
		_, err := by.RevokeAll(ctx, user)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return login(s)
	})
	if !errors.Is(err, core.ErrGone) {
		app.t.Errorf("a login from before RevokeAll = %v, want ErrGone", err)
	}
	app.mustBeSignedIn(b, "")
	if err := b.visit(ctx, login); err != nil {
		app.t.Errorf("a login after RevokeAll = %v", err)
	}
	app.mustBeSignedIn(b, user)
}

// checkWithoutIndex checks what must work without an index, and that everything else returns
// errors.ErrUnsupported.
func checkWithoutIndex(t *testing.T, m *core.Manager, s store.Store) {
	t.Helper()
	app := &application{t, m}
	ann := app.login("ann")
	_, all := m.RevokeAll(t.Context(), "ann")
	_, everything := m.RevokeEverything(t.Context())
	_, count := m.Count(t.Context())
	_, _, page := m.Page(t.Context(), "", 0)
	for what, err := range map[string]error{
		"RevokeAll": all, "RevokeEverything": everything, "Count": count, "Page": page,
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s = %v, want errors.ErrUnsupported", what, err)
		}
	}
	_, err := newManager(s, AppConfig{MaxSessions: 1}, storeTimeout)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a manager with MaxSessions = %v, want errors.ErrUnsupported", err)
	}
	id := app.idOf(ann)
	if info, err := m.Lookup(t.Context(), id); err != nil || info.Subject != "ann" {
		t.Errorf("Lookup = %+v, %v", info, err)
	}
	if err := m.Revoke(t.Context(), "ann", id); err != nil {
		t.Errorf("Revoke = %v", err)
	}
	app.mustBeSignedIn(ann, "")
}

// application is an application with one manager.
type application struct {
	t       *testing.T
	manager *core.Manager
}

// login logs in a user in a new browser.
func (app *application) login(user string) *browser {
	app.t.Helper()
	b := &browser{manager: app.manager}
	if err := b.visit(app.t.Context(), Action{actionLogin, user}.do); err != nil {
		app.t.Fatal(err)
	}
	return b
}

func (app *application) idOf(b *browser) (id string) {
	app.t.Helper()
	err := b.visit(app.t.Context(), func(s *core.Session) error { id = s.ID(); return nil })
	if err != nil {
		app.t.Fatal(err)
	}
	return id
}

// mustBeSignedIn checks which user a browser is signed in as. The user "" means none.
func (app *application) mustBeSignedIn(b *browser, want string) {
	app.t.Helper()
	err := b.visit(app.t.Context(), func(s *core.Session) error {
		if got := s.Subject(); got != want {
			app.t.Errorf("signed in as %q, want %q", got, want)
		}
		return nil
	})
	if err != nil {
		app.t.Error(err)
	}
}

// ids returns the ids of a user's sessions.
func (app *application) ids(user string) (ids []string) {
	app.t.Helper()
	list, err := app.manager.List(app.t.Context(), user)
	if err != nil {
		app.t.Fatal(err)
	}
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	slices.Sort(ids)
	return ids
}

// run tests the operations one after another.
func (app *application) run() {
	app.t.Helper()
	ctx, m := app.t.Context(), app.manager
	phone, desk, bob := app.login("ann"), app.login("ann"), app.login("bob")
	guest := &browser{manager: m}
	if err := guest.visit(ctx, Action{Name: actionCount}.do); err != nil {
		app.t.Fatal(err)
	}
	app.mustCount(4, 0)
	both := []string{app.idOf(phone), app.idOf(desk)}
	slices.Sort(both)
	if got := app.ids("ann"); !slices.Equal(got, both) {
		app.t.Errorf("List = %v, want %v", got, both)
	}
	if err := m.Revoke(ctx, "bob", app.idOf(phone)); !errors.Is(err, core.ErrNotFound) {
		app.t.Errorf("revoking a session of another user = %v", err)
	}
	app.mustBeSignedIn(phone, "ann")
	if err := m.Revoke(ctx, "ann", app.idOf(phone)); err != nil {
		app.t.Errorf("Revoke = %v", err)
	}
	app.mustBeSignedIn(phone, "")
	phone = app.login("ann")
	err := desk.visit(ctx, func(s *core.Session) error {
		n, err := m.RevokeOthers(ctx, s)
		if n != 1 {
			app.t.Errorf("RevokeOthers has ended %d sessions, want 1", n)
		}
		return err
	})
	if err != nil {
		app.t.Errorf("RevokeOthers = %v", err)
	}
	app.mustBeSignedIn(phone, "")
	app.mustBeSignedIn(desk, "ann")
	if n, err := m.RevokeAll(ctx, "ann"); n != 1 || err != nil {
		app.t.Errorf("RevokeAll = %d, %v", n, err)
	}
	app.mustBeSignedIn(desk, "")
	app.mustBeSignedIn(bob, "bob")
	app.mustCount(2, 4) // one of them says when the sessions of ann were revoked
	if n, err := m.RevokeEverything(ctx); n != 2 || err != nil {
		app.t.Errorf("RevokeEverything = %d, %v", n, err)
	}
	app.mustBeSignedIn(bob, "")
	app.mustCount(0, 6)
}

// mustCount checks how many sessions All finds, and that Count finds them and the marks of those
// that were revoked.
func (app *application) mustCount(want, marks int) {
	app.t.Helper()
	if n, err := app.manager.Count(app.t.Context()); n != want+marks || err != nil {
		app.t.Errorf("Count = %d, %v, want %d and %d marks", n, err, want, marks)
	}
	seen := make(map[string]bool)
	for info, err := range app.manager.All(app.t.Context()) {
		if err != nil {
			app.t.Error(err)
		}
		seen[info.ID] = true
	}
	if len(seen) != want {
		app.t.Errorf("All walks %d sessions, want %d", len(seen), want)
	}
}

// ids returns the ids of a user's sessions, listed by the other process.
func (app *remoteApp) ids(user string) (ids []string) {
	app.t.Helper()
	app.call("Admin", AdminCall{Config: app.config, Subject: user}, &ids)
	return ids
}

// revokeAllWins begins requests in both processes, starts one session before all sessions of
// the user are revoked and one after that, and then ends the requests with each action.
func revokeAllWins(t *testing.T, a, b *remoteApp) {
	t.Helper()
	type request struct {
		app    *remoteApp
		number int
		late   Action
		cookie string
	}
	var pending []request
	for _, late := range append(writeActions(), Action{Name: actionRead}) {
		for _, app := range []*remoteApp{a, b} {
			cookie := app.mustSetCookie(app.visit("", Action{actionLogin, "ann"}))
			pending = append(pending, request{app, app.begin(cookie), late, cookie})
		}
	}
	before := a.mustSetCookie(a.visit("", Action{actionLogin, "ann"}))
	var none []string
	b.call("Admin", AdminCall{Config: b.config, Revoke: true, Subject: "ann"}, &none)
	if reply := a.visit("", Action{actionLogin, "ann"}); !reply.Gone {
		t.Error("in doubt which came first, a login is not refused") // Clocks may differ.
	}
	after := a.mustSetCookie(a.visit("", Action{actionLogin, "ann"}))
	for _, r := range pending {
		reply := r.app.end(r.number, r.late)
		if reply.SetCookie != "" && r.late.Name != actionLogout {
			t.Errorf("%s after all were revoked sets a cookie", r.late.Name)
		}
		if reply.Gone != (r.late.Name == actionLogin) {
			t.Errorf("%s after all were revoked fails with ErrGone: %t", r.late.Name, reply.Gone)
		}
	}
	for _, r := range append(pending, request{cookie: before}) {
		reply := b.visit(r.cookie, Action{Name: actionRead})
		if !reply.IsNew || len(reply.Values) > 0 {
			t.Errorf("a session survived %q after all were revoked", r.late.Name)
		}
		if reply.Overtaken != core.ReasonRevokedAll {
			t.Errorf("its cookie is told %q after all were revoked", reply.Overtaken)
		}
	}
	if reply := b.visit(after, Action{Name: actionRead}); reply.Subject != "ann" {
		t.Errorf("the session that was started afterwards is of %q", reply.Subject)
	}
	if ids := b.ids("ann"); len(ids) != 1 {
		t.Errorf("the list has %d sessions, want the one that was started afterwards", len(ids))
	}
	if ids := b.ids("mallory"); len(ids) != 0 {
		t.Errorf("%d logins in sessions that were revoked have succeeded", len(ids))
	}
}

// limitHolds returns a test in which a user logs in 16 times concurrently, in two processes,
// where three sessions are allowed.
func limitHolds(how core.LimitPolicy) func(t *testing.T, a, b *remoteApp) {
	return func(t *testing.T, a, b *remoteApp) {
		t.Helper()
		const allowed, each = 3, 8
		for _, app := range []*remoteApp{a, b} {
			app.config.MaxSessions, app.config.OnLimit = allowed, how
		}
		refused := loginConcurrently(t, a, b, each)
		got := len(a.ids("ann"))
		t.Logf("%s: %d of %d are signed in, %d were refused", how, got, 2*each, refused)
		switch {
		case how == core.RefuseLogin && (got < 1 || got > allowed || got != 2*each-refused):
			t.Errorf("%d are signed in and %d of %d were refused, want 1 to %d and the rest",
				got, refused, 2*each, allowed)
		case how != core.RefuseLogin && got != allowed:
			t.Errorf("%d are signed in, want exactly %d", got, allowed)
		}
	}
}

// loginConcurrently logs in a user a number of times in each process and returns how many
// logins were refused.
func loginConcurrently(t *testing.T, a, b *remoteApp, each int) (refused int) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, app := range []*remoteApp{a, b} {
		for range each {
			args := EndArgs{app.begin(""), Action{actionLogin, "ann"}}
			all.Go(func() {
				var r Reply
				if err := app.client.Call("Process.End", args, &r); err != nil {
					t.Errorf("signing in = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if r.Refused {
					refused++
				}
			})
		}
	}
	all.Wait()
	return refused
}
