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

// Accounts runs what an application does with the sessions of its users on the store at an address: within one manager, and
// between two other processes. A store without an index has to say so, and say it at the start where an option needs one.
func Accounts(t *testing.T, open Open, address string) {
	t.Helper()
	s, closeAll, err := open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeAll() })
	m, err := newManager(s, Place{Prefix: testserver.Name() + ":"}, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(t.Context()) })
	if _, err := m.List(t.Context(), "ann"); errors.Is(err, errors.ErrUnsupported) {
		withoutIndex(t, m, s)
		return
	}
	t.Run("OneManager", func(t *testing.T) { (&office{t, m}).accounts() })
	first, second := start(t), start(t)
	for name, race := range map[string]func(t *testing.T, a, b *site){
		"R3RevokeAllWins": revokeAllWins,
		"D8EvictOldest":   func(t *testing.T, a, b *site) { t.Helper(); limitHolds(t, a, b, core.EvictOldest) },
		"D8EvictIdle":     func(t *testing.T, a, b *site) { t.Helper(); limitHolds(t, a, b, core.EvictIdle) },
		"D8RefuseLogin":   func(t *testing.T, a, b *site) { t.Helper(); limitHolds(t, a, b, core.RefuseLogin) },
	} {
		t.Run(name, func(t *testing.T) {
			at := Place{Address: address, Prefix: testserver.Name() + ":"}
			race(t, &site{t, first, at}, &site{t, second, at})
		})
	}
}

// withoutIndex checks that a store which cannot list says so, and does all else.
func withoutIndex(t *testing.T, m *core.Manager, s store.Store) {
	t.Helper()
	o := &office{t, m}
	ann := o.enter("ann")
	_, all := m.RevokeAll(t.Context(), "ann")
	_, everything := m.RevokeEverything(t.Context())
	_, count := m.Count(t.Context())
	_, _, page := m.Page(t.Context(), "", 0)
	for what, err := range map[string]error{"RevokeAll": all, "RevokeEverything": everything, "Count": count, "Page": page} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s = %v, want errors.ErrUnsupported", what, err)
		}
	}
	if _, err := newManager(s, Place{MaxSessions: 1}, timeout); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a manager with MaxSessions = %v, want errors.ErrUnsupported", err)
	}
	id := o.idOf(ann)
	if info, err := m.Lookup(t.Context(), id); err != nil || info.Subject != "ann" {
		t.Errorf("Lookup = %+v, %v", info, err)
	}
	if err := m.Revoke(t.Context(), "ann", id); err != nil {
		t.Errorf("Revoke = %v", err)
	}
	o.signedIn(ann, "")
}

// office is an application with one manager.
type office struct {
	t       *testing.T
	manager *core.Manager
}

// enter signs a user in with a browser of its own.
func (o *office) enter(user string) *browser {
	o.t.Helper()
	b := &browser{manager: o.manager}
	if err := b.visit(o.t.Context(), func(s *core.Session) error { return Deed{doLogin, user}.act(s) }); err != nil {
		o.t.Fatal(err)
	}
	return b
}

func (o *office) idOf(b *browser) (id string) {
	o.t.Helper()
	if err := b.visit(o.t.Context(), func(s *core.Session) error { id = s.ID(); return nil }); err != nil {
		o.t.Fatal(err)
	}
	return id
}

// signedIn checks who a browser is signed in as, "" for nobody.
func (o *office) signedIn(b *browser, want string) {
	o.t.Helper()
	err := b.visit(o.t.Context(), func(s *core.Session) error {
		if got := s.Subject(); got != want {
			o.t.Errorf("signed in as %q, want %q", got, want)
		}
		return nil
	})
	if err != nil {
		o.t.Error(err)
	}
}

// ids returns the ids of a user's sessions.
func (o *office) ids(user string) (ids []string) {
	o.t.Helper()
	list, err := o.manager.List(o.t.Context(), user)
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	slices.Sort(ids)
	return ids
}

// accounts goes through the operations one after the other.
func (o *office) accounts() {
	o.t.Helper()
	ctx, m := o.t.Context(), o.manager
	phone, desk, bob := o.enter("ann"), o.enter("ann"), o.enter("bob")
	guest := &browser{manager: m}
	if err := guest.visit(ctx, Deed{Do: doCount}.act); err != nil {
		o.t.Fatal(err)
	}
	o.total(4)
	both := []string{o.idOf(phone), o.idOf(desk)}
	slices.Sort(both)
	if got := o.ids("ann"); !slices.Equal(got, both) {
		o.t.Errorf("List = %v, want %v", got, both)
	}
	if err := m.Revoke(ctx, "bob", o.idOf(phone)); !errors.Is(err, core.ErrNotFound) {
		o.t.Errorf("revoking a session that is somebody else's = %v", err)
	}
	o.signedIn(phone, "ann")
	if err := m.Revoke(ctx, "ann", o.idOf(phone)); err != nil {
		o.t.Errorf("Revoke = %v", err)
	}
	o.signedIn(phone, "")
	phone = o.enter("ann")
	err := desk.visit(ctx, func(s *core.Session) error {
		n, err := m.RevokeOthers(ctx, s)
		if n != 1 {
			o.t.Errorf("RevokeOthers has ended %d sessions, want 1", n)
		}
		return err
	})
	if err != nil {
		o.t.Errorf("RevokeOthers = %v", err)
	}
	o.signedIn(phone, "")
	o.signedIn(desk, "ann")
	if n, err := m.RevokeAll(ctx, "ann"); n != 1 || err != nil {
		o.t.Errorf("RevokeAll = %d, %v", n, err)
	}
	o.signedIn(desk, "")
	o.signedIn(bob, "bob")
	o.total(2)
	if n, err := m.RevokeEverything(ctx); n != 2 || err != nil {
		o.t.Errorf("RevokeEverything = %d, %v", n, err)
	}
	o.signedIn(bob, "")
	o.total(0)
}

// total checks how many sessions there are, counted and walked.
func (o *office) total(want int) {
	o.t.Helper()
	if n, err := o.manager.Count(o.t.Context()); n != want || err != nil {
		o.t.Errorf("Count = %d, %v, want %d", n, err, want)
	}
	seen := make(map[string]bool)
	for info, err := range o.manager.All(o.t.Context()) {
		if err != nil {
			o.t.Error(err)
		}
		seen[info.ID] = true
	}
	if len(seen) != want {
		o.t.Errorf("All walks %d sessions, want %d", len(seen), want)
	}
}

// list returns the ids of a user's sessions as that process sees them.
func (s *site) list(user string) (ids []string) {
	s.t.Helper()
	s.call("Do", Office{Place: s.place, Subject: user}, &ids)
	return ids
}

// revokeAllWins: requests arrive in both processes, one session is made just before all are revoked and one just after;
// then the requests do something and leave.
func revokeAllWins(t *testing.T, a, b *site) {
	t.Helper()
	type request struct {
		site   *site
		number int
		late   Deed
		cookie string
	}
	var under []request
	for _, late := range append(writes(), Deed{Do: doRead}) {
		if late.Do == doLogin {
			continue // a login that comes later is another session of somebody else's
		}
		for _, s := range []*site{a, b} {
			cookie := s.next(s.visit("", Deed{doLogin, "ann"}))
			under = append(under, request{s, s.arrive(cookie), late, cookie})
		}
	}
	before := a.next(a.visit("", Deed{doLogin, "ann"}))
	var none []string
	b.call("Do", Office{Place: b.place, Revoke: true, Subject: "ann"}, &none)
	after := a.next(a.visit("", Deed{doLogin, "ann"}))
	for _, r := range under {
		if reply := r.site.leave(r.number, r.late); reply.SetCookie != "" && r.late.Do != doLogout {
			t.Errorf("%s after all were revoked sets a cookie", r.late.Do)
		}
	}
	for _, r := range append(under, request{cookie: before}) {
		if reply := b.visit(r.cookie, Deed{Do: doRead}); !reply.IsNew {
			t.Errorf("a session survived that existed when all were revoked, through %q", r.late.Do)
		}
	}
	if reply := b.visit(after, Deed{Do: doRead}); reply.Subject != "ann" {
		t.Errorf("the session made afterwards is %q's", reply.Subject)
	}
	if ids := b.list("ann"); len(ids) != 1 {
		t.Errorf("the list has %d sessions, want the one made afterwards", len(ids))
	}
}

// limitHolds has a user sign in 16 times at once, in two processes, where three sessions are allowed.
func limitHolds(t *testing.T, a, b *site, how core.LimitPolicy) {
	t.Helper()
	const allowed, each = 3, 8
	var all sync.WaitGroup
	var mu sync.Mutex
	var refused int
	for _, s := range []*site{a, b} {
		s.place.MaxSessions, s.place.OnLimit = allowed, how
		for range each {
			number := s.arrive("")
			all.Go(func() {
				var r Reply
				if err := s.client.Call("Process.Leave", Departure{number, Deed{doLogin, "ann"}}, &r); err != nil {
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
	got := len(a.list("ann"))
	t.Logf("%s: %d of %d are signed in, %d were refused", how, got, 2*each, refused)
	switch {
	case how == core.RefuseLogin && (got < 1 || got > allowed || got != 2*each-refused):
		t.Errorf("%d are signed in and %d of %d were refused, want 1 to %d and the rest", got, refused, 2*each, allowed)
	case how != core.RefuseLogin && got != allowed:
		t.Errorf("%d are signed in, want exactly %d", got, allowed)
	}
}
