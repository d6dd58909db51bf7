package faulttest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Erased tests that a store keeps nothing of a user whose sessions have ended and have been
// deleted. The function kept returns all that the server keeps, as bytes: the contents of every
// table, collection or item, whether the store has them for sessions or for its own use.
func Erased(t *testing.T, s store.Store, kept func() []byte) {
	t.Helper()
	prefix := testserver.Name() + ":"
	m, err := newManager(s, AppConfig{Prefix: prefix}, hangTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(t.Context()) })
	e := &erasure{application{t, m}, s, prefix, kept}
	other, erased := e.signIn("user-who-stays"), e.signIn("user-to-be-erased")
	e.handOver(erased.user, other.user)
	e.mustKeep(true, erased.all()...)
	for _, id := range erased.ids {
		if err := m.Revoke(t.Context(), erased.user, id); err != nil {
			t.Errorf("Revoke = %v", err)
		}
	}
	e.mustKeep(false, erased.personal...)
	for _, id := range erased.ids {
		if err := s.Delete(t.Context(), prefix+id); err != nil {
			t.Errorf("Delete = %v", err)
		}
	}
	e.mustKeep(false, erased.all()...)
	e.eraseAtOnce(erased.user)
	e.mustKeep(true, other.all()...)
}

// eraseAtOnce has the user sign in again and be erased by one call, where the store has an index.
func (e *erasure) eraseAtOnce(user string) {
	e.t.Helper()
	again := e.signIn(user)
	n, err := e.manager.Erase(e.t.Context(), user)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if n != len(again.ids) || err != nil {
		e.t.Errorf("Erase = %d, %v, want %d", n, err, len(again.ids))
	}
	e.mustKeep(false, again.all()...)
}

// erasure is an application that looks at what the server keeps.
type erasure struct {
	application

	store  store.Store
	prefix string
	kept   func() []byte
}

// traces are the texts by which the sessions of a user can be recognized.
type traces struct {
	user     string
	ids      []string
	personal []string // the user, the index key, and the name of a value
}

func (tr *traces) all() []string { return append(tr.personal[:3:3], tr.ids...) }

// signIn starts sessions of a user and changes them in every way.
func (e *erasure) signIn(user string) *traces {
	e.t.Helper()
	tr := &traces{user: user}
	value := "value-of-" + user
	for range 3 {
		b := e.login(user)
		for _, change := range []Action{{actionMark, value}, {Name: actionRenew}, {actionLogin, user}} {
			if err := b.visit(e.t.Context(), change.do); err != nil {
				e.t.Fatal(err)
			}
		}
		tr.ids = append(tr.ids, e.idOf(b))
	}
	rec, err := e.store.Load(e.t.Context(), e.prefix+tr.ids[0])
	if err != nil || rec.Subject == "" {
		e.t.Fatalf("Load = subject %q, %v", rec.Subject, err)
	}
	tr.personal = []string{user, rec.Subject, value}
	return tr
}

// handOver starts a session of one user that another one takes over, as two people do who share
// a browser.
func (e *erasure) handOver(from, to string) {
	e.t.Helper()
	b := e.login(from)
	if err := b.visit(e.t.Context(), func(s *core.Session) error { return s.Login(to) }); err != nil {
		e.t.Fatal(err)
	}
}

// mustKeep checks whether the server keeps the texts.
func (e *erasure) mustKeep(want bool, texts ...string) {
	e.t.Helper()
	all := e.kept()
	for _, text := range texts {
		if bytes.Contains(all, []byte(text)) != want {
			e.t.Errorf("the server keeps %q: %t, want %t", text, !want, want)
		}
	}
}
