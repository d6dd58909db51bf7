package migrate_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/migrate"
)

const (
	oldName = "old"
	day     = 24 * time.Hour
)

const cart = core.Key[string]("cart")

// library is another session library: sessions by the value of its cookie.
type library struct {
	mu       sync.Mutex
	sessions map[string]migrate.Old
	down     error
	cookies  bool // It keeps sessions in the cookie, so it cannot end one.
}

func (l *library) signIn(value, user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions == nil {
		l.sessions = map[string]migrate.Old{}
	}
	l.sessions[value] = migrate.Old{ID: value, User: user}
}

func (l *library) has(value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.sessions[value]
	return ok
}

func (l *library) end(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, value)
}

func (l *library) read(value string) (migrate.Old, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, ok := l.sessions[value]
	if l.down != nil || !ok {
		return migrate.Old{}, l.down
	}
	if !l.cookies {
		old.End = func(context.Context) error { l.end(value); return l.down }
	}
	return old, nil
}

// server is one server of the application.
type server struct {
	t       *testing.T
	manager *core.Manager
	bridge  *migrate.Bridge
	old     *library
}

// newServer returns a server on a store, with options that change may change.
func newServer(t *testing.T, store core.Store, old *library, change ...func(*migrate.Options)) *server {
	t.Helper()
	m, err := core.NewManager(core.Options{Store: store, Lifetime: 30 * day, PurgeInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	o := migrate.Options{
		Manager: m, Store: store, Old: core.FormerCookie{Name: oldName},
		CutOff: time.Now().Add(20 * day), Undated: time.Now().Add(-2 * day),
	}
	for _, f := range change {
		f(&o)
	}
	b, err := migrate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, manager: m, bridge: b, old: old}
}

func shared(o *migrate.Options) { o.Shared = true }

func newStore() core.Store { return memstore.New(memstore.Options{}) }

// jar is what a browser has. It knows cookies of one host and path.
type jar map[string]string

// keep applies an answer.
func (j jar) keep(lines []string) {
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if j[name] = value; value == "" {
			delete(j, name)
		}
	}
}

func (j jar) field() string {
	var pairs []string
	for name, value := range j {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

func handle(*core.Session) {}

// visit sends a request, keeps the answer and returns the user that the handler has seen.
func (s *server) visit(j jar, handler func(*core.Session)) (user string) {
	s.t.Helper()
	user, lines, err := s.answer(j, adapter.Fetch{Method: "GET"}, handler)
	if err != nil {
		s.t.Fatalf("the request failed: %v", err)
	}
	j.keep(lines)
	return user
}

// answer sends a request as an adapter serves it, and returns the Set-Cookie values of the answer, which nobody keeps.
func (s *server) answer(
	j jar, why adapter.Fetch, handler func(*core.Session),
) (user string, lines []string, err error) {
	r := &migrate.Request{Cookies: []string{j.field()}, IP: "192.0.2.1", UserAgent: "test", Why: why}
	ctx := s.t.Context()
	entry, err := s.bridge.Enter(ctx, r, func(context.Context) (migrate.Old, error) {
		return s.old.read(j[oldName])
	})
	if err != nil {
		return "", nil, err
	}
	fields := r.Cookies
	if entry.Cookie != "" {
		fields = []string{entry.Cookie}
	}
	header := map[string][]string{"Set-Cookie": entry.SetCookie}
	var sc core.Scope
	if err := sc.Open(ctx, nil, s.manager, r, fields...); err != nil {
		return "", nil, err
	}
	entry.SendCookie(&sc)
	session := sc.Get()
	user = session.Subject()
	handler(session)
	reply, err := sc.CommitHeader()
	if err != nil {
		return user, nil, err
	}
	reply.Apply(header)
	if err := errors.Join(sc.Close(), entry.Leave(ctx, header["Set-Cookie"])); err != nil {
		return user, nil, err
	}
	if reply.SetCookie != "" && header["Cache-Control"][0] != "no-store" {
		s.t.Errorf("an answer with the cookie is %v", header["Cache-Control"])
	}
	return user, header["Set-Cookie"], nil
}

// wantUser checks that the jar's owner is seen as the user.
func (s *server) wantUser(j jar, want string) {
	s.t.Helper()
	if got := s.visit(j, handle); got != want {
		s.t.Fatalf("the handler sees %q, want %q", got, want)
	}
}

// wantSessions checks how many sessions ann has.
func (s *server) wantSessions(want int) {
	s.t.Helper()
	list, err := s.manager.List(s.t.Context(), "ann")
	if err != nil || len(list) != want {
		s.t.Fatalf("%d sessions, %v; want %d", len(list), err, want)
	}
}

func signOut(s *core.Session) { s.Destroy() }

func copyOf(j jar) jar { return maps.Clone(j) }
