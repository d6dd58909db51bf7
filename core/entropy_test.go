package core

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestR5IDCollision(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	victim := newClient(t, m)
	victim.request(set(t, 1))
	taken := victim.ticket().ID
	before := store.stored(t, m.keyspace.key(taken))

	var draws int
	drawn := m.executor.entropy.newID
	m.executor.entropy.newID = func(now time.Time) uuid.UUID {
		if draws++; draws == 1 {
			return taken
		}
		return drawn(now)
	}
	other := newClient(t, m)
	other.request(set(t, 2))
	equal(t, "ids drawn", draws, 2)
	if other.ticket().ID == taken {
		t.Fatal("the new session joined the existing one")
	}
	after := store.stored(t, m.keyspace.key(taken))
	if !bytes.Equal(before.Data, after.Data) || before.Version != after.Version {
		t.Error("the existing session was written")
	}
	victim.request(func(s *Session) { equal(t, "the victim's visits", visits.Get(s), 1) })
	other.request(func(s *Session) { equal(t, "the other's visits", visits.Get(s), 2) })
	equal(t, "records", store.recordCount(), 2)
}

// R5: if all ids are taken, the commit fails. It neither loops for ever nor joins a session.
func TestR5NothingButCollisions(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	victim := newClient(t, m)
	victim.request(set(t, 1))
	taken := victim.ticket().ID
	m.executor.entropy.newID = func(time.Time) uuid.UUID { return taken }
	s := newClient(t, m).load()
	want(t, visits.Set(s, 2), nil)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "cookie", reply.SetCookie, "")
	victim.request(func(s *Session) { equal(t, "the victim's visits", visits.Get(s), 1) })
}
