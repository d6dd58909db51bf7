package core

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestK3KeyIsPrefixAndID(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Prefix: "app:"})
	c := newClient(t, m)
	c.request(set(t, 1))
	id, err := uuid.Parse(c.id())
	if err != nil || id.Version() != 7 {
		t.Fatalf("id %q is not a UUIDv7", c.id())
	}
	equal(t, "key", store.saved[0].Key, "app:"+id.String())
}

// K3, K5: the index key of any subject is short and printable, and no two subjects of any two
// managers share one.
func TestK5SubjectKeys(t *testing.T) {
	t.Parallel()
	managers := []*Manager{
		newTestManager(t, Options{}),
		newTestManager(t, Options{Prefix: "session"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "sessions"}, Prefix: ":"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "a"}, Prefix: "b"}),
		newTestManager(t, Options{Cookie: Cookie{Name: "ab"}, Prefix: "c"}),
	}
	seen := make(map[string]string)
	for i, m := range managers {
		for _, subject := range []string{"a", "a:b", ":b", "a:", "b", ":a", "\x00", "a\x00", "\n", "*", strings.Repeat("a", 1<<20), "bc", "c"} {
			k := m.keyspace.subjectKey(subject)
			if old, taken := seen[k]; taken {
				t.Errorf("manager %d: %.20q has the key of %s", i, subject, old)
			}
			seen[k] = subject
			if len(k) != 43 || strings.Trim(k, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
				t.Errorf("key of %.20q is %q", subject, k)
			}
		}
	}
}

func TestSubjectReachesTheRecord(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	equal(t, "anonymous", store.stored(t, m.keyspace.prefix+c.id()).Subject, "")
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	equal(t, "signed in", store.stored(t, m.keyspace.prefix+c.id()).Subject, m.keyspace.subjectKey("ann"))
	c.request(increment)
	equal(t, "after a write", store.stored(t, m.keyspace.prefix+c.id()).Subject, m.keyspace.subjectKey("ann"))
}

// K4: managers that share a store keep apart by prefix and by cookie name.
func TestK4TwoManagersOneStore(t *testing.T) {
	t.Parallel()
	store := newSpy()
	first := newTestManager(t, Options{Store: store})
	c := newClient(t, first)
	c.request(set(t, 1))
	token := strings.TrimPrefix(c.cookie, "session=")
	for name, o := range map[string]Options{
		"another name, same prefix":  {Cookie: Cookie{Name: "other"}},
		"another prefix, same name":  {Prefix: "other:"},
		"both":                       {Prefix: "other:", Cookie: Cookie{Name: "other"}},
		"a prefix of the prefix":     {Prefix: "session"},
		"a name that begins as ours": {Cookie: Cookie{Name: "sessions"}},
	} {
		o.Store = store
		m := newTestManager(t, o)
		other := newClient(t, m)
		other.cookie = m.CookieName() + "=" + token
		other.request(func(s *Session) {
			equal(t, name+": IsNew", s.IsNew(), true)
			s.Destroy()
		})
	}
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
	same := newClient(t, newTestManager(t, Options{Store: store}))
	same.cookie = c.cookie
	same.request(func(s *Session) { equal(t, "visits on another machine", visits.Get(s), 1) })
}
