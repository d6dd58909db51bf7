package core

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// S2: a record that does not decode is treated as absent and reported. The next write
// starts a new session.
func TestS2DamagedRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		damage func(data []byte) []byte
		why    error
	}{
		"garbage":         {func([]byte) []byte { return []byte("garbage") }, record.ErrDamaged},
		"empty":           {func([]byte) []byte { return nil }, record.ErrDamaged},
		"cut":             {func(b []byte) []byte { return b[:len(b)/2] }, record.ErrDamaged},
		"another version": {func(b []byte) []byte { b[0] = 2; return b }, record.ErrDamaged},
		"version 0":       {func(b []byte) []byte { b[0] = 0; return b }, record.ErrDamaged},
		"unknown flag":    {func(b []byte) []byte { b[1] |= 1 << 7; return b }, record.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events recorder
			log, out := debugLog()
			store := newSpy()
			m := newTestManager(t, Options{Store: store, OnEvent: events.add, Logger: log})
			c := newClient(t, m)
			c.request(set(t, 1))
			old := c.ticket()
			rec := store.stored(t, m.keyspace.key(old.ID))
			rec.Data = tc.damage(bytes.Clone(rec.Data))
			_, err := store.store.Save(t.Context(), rec)
			want(t, err, nil)
			reply := c.request(func(s *Session) {
				equal(t, "IsNew", s.IsNew(), true)
				equal(t, "visits", visits.Get(s), 0)
			})
			equal(t, "Set-Cookie", reply.SetCookie, "")
			c.request(set(t, 2))
			equal(t, "the id is used again", c.ticket().ID == old.ID, false)
			found := false
			for _, e := range events.closeAndList(t, m) {
				if e.Kind == EventUndecodable {
					found = true
					want(t, e.Err, tc.why)
					equal(t, "is of a later format", errors.Is(e.Err, record.ErrFormat), false)
					equal(t, "id", e.SessionID, old.ID.String())
				}
			}
			equal(t, "event", found, true)
			if !strings.Contains(out.String(), "undecodable") {
				t.Error("the operator is not told")
			}
		})
	}
}

// S2: a record that is damaged during a request has ended for that request.
func TestS2DamageBeforeTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	s := c.load()
	rec := store.stored(t, m.keyspace.prefix+c.id())
	rec.Data = []byte("garbage")
	_, err := store.store.Save(t.Context(), rec)
	want(t, err, nil)
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
}

// S2: a damaged value does not affect the other values.
func TestS2DamagedValue(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, note.Set(s, "x"), nil) })
	rec := store.stored(t, m.keyspace.prefix+c.id())
	rec.Data = bytes.Clone(rec.Data)
	at := bytes.LastIndex(rec.Data, []byte(`"x"`))
	rec.Data[at] = '?'
	_, err := store.store.Save(t.Context(), rec)
	want(t, err, nil)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		_, ok := note.Lookup(s)
		equal(t, "the damaged one is there", ok, false)
	})
}
