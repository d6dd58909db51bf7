package faulttest

import (
	"errors"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// dependencies checks what a session does that depends on another one, on a store with or without an
// index: that of an identity provider, or that of a user who acts for another.
func dependencies(t *testing.T, s store.Store) {
	t.Helper()
	var apps []*application
	config := AppConfig{Prefix: testserver.Name() + ":"}
	for range 2 {
		m, err := newManager(s, config, hangTimeout)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close(t.Context()) })
		apps = append(apps, &application{t, m})
	}
	t.Run("ProviderLogout", func(t *testing.T) { providerLogout(t, apps) })
	t.Run("ActAs", func(t *testing.T) { actsAs(t, apps) })
}

// providerLogout signs many browsers in with one session of a provider, on two managers, while
// that session ends. None stays signed in.
func providerLogout(t *testing.T, apps []*application) {
	t.Helper()
	ctx, how := t.Context(), core.SignIn{Auth: core.Auth{ProviderSession: "sid"}}
	login := func(s *core.Session) error {
		err := s.SignIn(ctx, "ann", how)
		if errors.Is(err, core.ErrGone) {
			return nil // The logout was faster.
		}
		return err
	}
	browsers := make([]browser, 24)
	var wg sync.WaitGroup
	for i := range browsers {
		b := &browsers[i]
		b.manager = apps[i%2].manager
		wg.Go(func() {
			if err := b.visit(ctx, login); err != nil {
				t.Errorf("a login = %v", err)
			}
		})
		if i == len(browsers)/2 {
			wg.Go(func() {
				_, err := apps[0].manager.RevokeProviderSession(ctx, "sid")
				if err != nil {
					t.Errorf("RevokeProviderSession = %v", err)
				}
			})
		}
	}
	wg.Wait()
	for i := range browsers {
		app := application{t, apps[(i+1)%2].manager}
		browsers[i].manager = app.manager
		app.mustBeSignedIn(&browsers[i], "")
	}
}

// actsAs lets an operator act for a user on one manager, and ends the operator's own session on
// another.
func actsAs(t *testing.T, apps []*application) {
	t.Helper()
	ctx, first, second := t.Context(), application{t, apps[0].manager}, apps[1].manager
	act := func(s *core.Session) error { return s.ActAs(ctx, "ann") }
	stop := func(s *core.Session) error { return s.StopActing(ctx) }
	b := first.login("op")
	own := first.idOf(b)
	for _, visit := range []func(s *core.Session) error{act, stop, act} {
		if err := b.visit(ctx, visit); err != nil {
			t.Fatal(err)
		}
	}
	first.mustBeSignedIn(b, "ann")
	if err := second.RevokeByID(ctx, own); err != nil {
		t.Fatal(err)
	}
	first.mustBeSignedIn(b, "")
	if err := b.visit(ctx, stop); !errors.Is(err, core.ErrGone) {
		t.Errorf("StopActing without a session of one's own = %v, want ErrGone", err)
	}
}
