package core

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// TestUnmadeManager calls every method of a manager that NewManager has not made.
func TestUnmadeManager(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newClient(t, newTestManager(t, Options{})).load()
	for name, m := range map[string]*Manager{"nil": nil, "zero": {}} {
		for method, call := range map[string]func() error{
			"Close":                 func() error { return m.Close(ctx) },
			"StartProof":            func() error { _, err := m.StartProof(ctx, "ann"); return err },
			"List":                  func() error { _, err := m.List(ctx, "ann"); return err },
			"Lookup":                func() error { _, err := m.Lookup(ctx, "id"); return err },
			"Page":                  func() error { _, _, err := m.Page(ctx, "", 0); return err },
			"Count":                 func() error { _, err := m.Count(ctx); return err },
			"Revoke":                func() error { return m.Revoke(ctx, "ann", "id") },
			"Revoke of nobody":      func() error { return m.Revoke(ctx, "", "id") },
			"RevokeByID":            func() error { return m.RevokeByID(ctx, "id") },
			"RevokeAll":             func() error { _, err := m.RevokeAll(ctx, "ann"); return err },
			"RevokeOthers":          func() error { _, err := m.RevokeOthers(ctx, s); return err },
			"RevokeProviderSession": func() error { _, err := m.RevokeProviderSession(ctx, "sid"); return err },
			"RevokeEverything":      func() error { _, err := m.RevokeEverything(ctx); return err },
			"Erase":                 func() error { _, err := m.Erase(ctx, "ann"); return err },
			"All": func() (err error) {
				for _, failure := range m.All(ctx) {
					err = failure
				}
				return err
			},
		} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				want(t, call(), errUnmade)
			})
		}
		for method, call := range map[string]func(){
			"MustBeMade": m.MustBeMade,
			"Policy":     func() { m.Policy() },
			"Stats":      func() { m.Stats() },
			"Open":       func() { _ = new(Scope).Open(ctx, nil, m, nil) },
		} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				defer func() { equal(t, "the panic", recover(), any(errUnmade.Error())) }()
				call()
			})
		}
	}
	_, err := s.manager.RevokeOthers(ctx, nil)
	want(t, err, errOtherManager)
}

// nilCodec is a codec that is used through a pointer.
type nilCodec struct{ JSON }

// TestNilParts hands in pointers that are nil, which are no nil interfaces.
func TestNilParts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		fix     string
	}{
		"store":  {Options{Store: (*memstore.Store)(nil)}, "check the error of the function that makes it"},
		"codec":  {Options{Codec: (*nilCodec)(nil)}, "or leave Codec out"},
		"logger": {Options{Logger: new(slog.Logger)}, "slog.New"},
	} {
		m, err := NewManager(tc.options)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "sessions: ") || !strings.Contains(err.Error(), tc.fix) {
			t.Errorf("%s: NewManager = %v, want an error that says %q", name, err, tc.fix)
		}
	}
}
