package tests_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The tests of this file are the list in docs/stores.md of what does not hold on memcached, as far as no other test is
// about it.

func newManager(t *testing.T, servers ...string) *core.Manager {
	t.Helper()
	s := open(t, memcachedstore.Options{Servers: servers})
	m, err := core.NewManager(core.Options{Store: s, Prefix: testserver.Name() + ":", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// request sends a request with a cookie to a handler, and returns the cookie that the response sets.
func request(t *testing.T, m *core.Manager, cookie string, handler func(s *core.Session) error) (set string) {
	t.Helper()
	sc := new(core.Scope)
	if err := sc.Open(t.Context(), nil, m, nil, cookie); err != nil {
		t.Fatal(err)
	}
	if err := handler(sc.Get()); err != nil {
		t.Fatal(err)
	}
	header := make(map[string][]string)
	reply, err := sc.CommitHeader()
	if err != nil {
		t.Fatal(err)
	}
	reply.Apply(header)
	if err := sc.Close(); err != nil {
		t.Fatal(err)
	}
	set, _, _ = strings.Cut(strings.Join(header["Set-Cookie"], "\n"), ";")
	return set
}

func login(s *core.Session) error { return s.Login("ann") }

// TestNothingIsListed calls what needs a list of sessions, and what needs the id of one alone.
func TestNothingIsListed(t *testing.T) {
	t.Parallel()
	m := newManager(t, testserver.Shared(t, roomy()).Addr())
	var ids []string
	cookie := ""
	for range 2 {
		cookie = request(t, m, "", login)
		request(t, m, cookie, func(s *core.Session) error { ids = append(ids, s.ID()); return nil })
	}
	request(t, m, cookie, func(s *core.Session) error {
		if n, err := m.RevokeOthers(t.Context(), s); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("RevokeOthers = %d, %v, want errors.ErrUnsupported", n, err)
		}
		return nil
	})
	if _, err := m.List(t.Context(), "ann"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("List = %v, want errors.ErrUnsupported", err)
	}
	for _, err := range m.All(t.Context()) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("All = %v, want errors.ErrUnsupported", err)
		}
	}
	if err := m.RevokeByID(t.Context(), ids[0]); err != nil {
		t.Errorf("RevokeByID = %v", err)
	}
	if _, err := m.Lookup(t.Context(), ids[0]); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Lookup of an ended session = %v, want ErrNotFound", err)
	}
	if _, err := m.Lookup(t.Context(), ids[1]); err != nil {
		t.Errorf("Lookup = %v", err)
	}
}

// TestLostMark ends a session. Its cookie is told from a stranger's until the server restarts. After that it starts a
// session, though not the one that has ended.
func TestLostMark(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Memcached{})
	m := newManager(t, server.Addr())
	cookie, id := request(t, m, "", login), ""
	request(t, m, cookie, func(s *core.Session) error { id = s.ID(); s.Destroy(); return nil })
	set := request(t, m, cookie, func(s *core.Session) error {
		if _, overtaken := s.Overtaken(); !overtaken {
			t.Error("the cookie of an ended session is a stranger's")
		}
		if err := s.Set("value", 1); !errors.Is(err, core.ErrGone) {
			t.Errorf("Set = %v, want ErrGone", err)
		}
		return nil
	})
	if set != "" {
		t.Error("the late request of an ended session sets a cookie")
	}
	server.Restart(t)
	set = request(t, m, cookie, func(s *core.Session) error {
		if _, overtaken := s.Overtaken(); overtaken || s.Subject() != "" || s.ID() == id {
			t.Errorf("after a restart: overtaken %t, the session of %q", overtaken, s.Subject())
		}
		return s.Set("value", 1)
	})
	if set == "" || set == cookie {
		t.Error("after a restart the late request sets no cookie, so the mark was not lost")
	}
}

// TestRejoin takes a server from the list and puts it back as it was: the documented mistake.
func TestRejoin(t *testing.T) {
	t.Parallel()
	one := testserver.Start(t, testserver.Memcached{Threads: 1}).Addr()
	two := testserver.Start(t, testserver.Memcached{Threads: 2}).Addr()
	both := open(t, memcachedstore.Options{Servers: []string{one, two}})
	back := 0
	for range 20 {
		rec := mustSave(t, both, record(testserver.Name()))
		if err := open(t, memcachedstore.Options{Servers: []string{two}}).Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := both.Load(t.Context(), rec.Key); err == nil {
			back++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	if back == 0 || back == 20 {
		t.Errorf("%d of 20 deleted records are back, want those of the server that was away", back)
	}
}

// TestFullServerLosesWhatGrows has a server that drops nothing for new items (-M). When it has no room for a larger record
// in the place of a small one it deletes that, so the answer is not ErrFull, which says that the record stays.
func TestFullServerLosesWhatGrows(t *testing.T) {
	t.Parallel()
	s := open(t, memcachedstore.Options{Servers: []string{startWith(t, "-M", "-m", "2")}})
	small := mustSave(t, s, record("small"))
	for n := 0; ; n++ {
		rec := record(testserver.Name())
		rec.Data = make([]byte, 10000)
		if _, err := s.Save(t.Context(), rec); errors.Is(err, store.ErrFull) {
			break
		} else if err != nil || n > 100000 {
			t.Fatalf("create number %d = %v, want ErrFull in the end", n, err)
		}
	}
	wants(t, s, small)
	small.Data = make([]byte, 10000)
	if _, err := s.Save(t.Context(), small); !failure(err) {
		t.Errorf("Save of a record that has grown = %v, want a failure", err)
	}
	wantsNone(t, s, small.Key)
}
