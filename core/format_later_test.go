package core

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Records as later releases may write them, made of one of this release. docs/record-format.md
// says what the releases must hold to.

// laterSkippable adds fields that this release does not know and may skip.
func laterSkippable(snap *record.Snapshot) []byte {
	h := snap.Header()
	h.Extensions = h.Extensions.AppendExtension(2, []byte("what a later release")).
		AppendExtension(1<<40, []byte("has added"))
	return encodeRecord(&snap.Record, &h, entriesIn(snap)).Record.Data
}

// laterCritical adds a field that this release does not know and must not skip.
func laterCritical(snap *record.Snapshot) []byte {
	h := snap.Header()
	h.Extensions = h.Extensions.AppendExtension(2, nil).AppendExtension(7, []byte("critical")).
		AppendExtension(4, nil)
	return encodeRecord(&snap.Record, &h, entriesIn(snap)).Record.Data
}

// laterVersion returns a record of another layout.
func laterVersion(*record.Snapshot) []byte {
	data := []byte("\x02 laid out in another way")
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

func entriesIn(snap *record.Snapshot) (entries []record.Entry) {
	snap.Each(func(key, value []byte) { entries = append(entries, record.Entry{Key: key, Value: value}) })
	return entries
}

// writeLater replaces a stored record by that of a later release.
func writeLater(tb testing.TB, store Store, key string, later func(*record.Snapshot) []byte) Record {
	tb.Helper()
	rec, err := store.Load(tb.Context(), key)
	want(tb, err, nil)
	snap, err := decodeRecord(rec)
	want(tb, err, nil)
	rec.Key, rec.Data = key, later(&snap)
	rec, err = store.Save(tb.Context(), rec)
	want(tb, err, nil)
	rec, err = store.Load(tb.Context(), key)
	want(tb, err, nil)
	return rec
}

// S5: a field of a later release that may be skipped is kept byte for byte by each save, and by
// the mark of the end.
func TestS5SkippableFieldsAreKept(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		c := newSignedIn(t, m, "ann")
		c.request(set(t, 1))
		key := "session:" + c.id()
		wanted := record.Extensions(nil).AppendExtension(2, []byte("what a later release")).
			AppendExtension(1<<40, []byte("has added"))
		writeLater(t, store, key, laterSkippable)
		kept := func(what string) {
			rec, err := store.Load(t.Context(), key)
			want(t, err, nil)
			snap, err := decodeRecord(rec)
			want(t, err, nil)
			equal(t, what+": fields", string(snap.Identity().Extensions), string(wanted))
		}
		slow := c.clone()
		merged := slow.load()
		increment(merged)
		for name, handler := range map[string]func(s *Session){
			"write":    set(t, 2),
			"update":   increment,
			"renew":    renew,
			"delivery": read,
			"step-up":  func(s *Session) { want(t, s.StepUp(Auth{Level: 1}), nil) },
			"login":    signInAs(t, "bob"),
			"clear":    func(s *Session) { want(t, s.Clear(), nil) },
			"expiry":   func(s *Session) { want(t, s.SetExpiry(2*time.Hour), nil) },
		} {
			c.request(handler)
			kept(name)
		}
		time.Sleep(30 * time.Minute)
		c.request(read) // a touch
		kept("touch")
		slow.cookie = c.cookie
		merged = slow.load()
		increment(merged)
		c.request(set(t, 7))
		slow.respond(merged)
		equal(t, "visits after a merge", visits.Get(c.load()), 8)
		kept("merge")
		c.request((*Session).Destroy)
		kept("mark")
		wantMark(t, "the end", store, key, ReasonSignedOut)
	})
}

// S5: a record of a later release that this one cannot read is a failure that may be tried again.
// No request changes or deletes it, starts another session, or gets a cookie.
func TestS5LaterRecordsAreNotHarmed(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]func(*record.Snapshot) []byte{
		"critical field": laterCritical, "later version": laterVersion,
	} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			seen := new(recorder)
			m := newTestManager(t, Options{Store: store, OnEvent: seen.add, MaxSessions: 1, RevokeOnReuse: true, Expiry: time.Hour})
			c := newSignedIn(t, m, "ann")
			c.request(set(t, 1))
			id := c.id()
			key := "session:" + id
			time.Sleep(20 * time.Minute) // A touch is due.
			flight := map[string]*Session{
				"read": c.clone().load(), "write": c.clone().load(), "update": c.clone().load(),
				"renew": c.clone().load(), "destroy": c.clone().load(), "login": c.clone().load(),
				"keep alive": c.clone().load(), "revoke others": c.clone().load(),
			}
			rec := writeLater(t, store, key, later)
			store.reset()
			unharmed := func(what string) {
				t.Helper()
				now, err := store.store.Load(t.Context(), key)
				want(t, err, nil)
				equal(t, name+": "+what+": data", bytes.Equal(now.Data, rec.Data), true)
				equal(t, name+": "+what+": version", now.Version, rec.Version)
				equal(t, name+": "+what+": expires", now.Expires.Equal(rec.Expires), true)
				equal(t, name+": "+what+": subject", now.Subject, rec.Subject)
				equal(t, name+": "+what+": deletes", store.count("delete"), 0)
			}
			err := tryLoad(t, m, c)
			want(t, err, ErrStore)
			want(t, err, record.ErrFormat)
			equal(t, name+": status", StatusCode(err), 503)
			unharmed("load")
			both := c.clone()
			both.cookie = c.cookie + "; session=" + tokenWithOtherSecret(c)
			want(t, tryLoad(t, m, both), ErrStore)
			handlers := map[string]func(s *Session) error{
				"read":       func(s *Session) error { visits.Get(s); return nil },
				"write":      func(s *Session) error { return visits.Set(s, 2) },
				"update":     func(s *Session) error { increment(s); return nil },
				"renew":      (*Session).Renew,
				"destroy":    func(s *Session) error { s.Destroy(); return nil },
				"login":      func(s *Session) error { return s.Login("bob") },
				"keep alive": func(s *Session) error { return s.KeepAlive(t.Context()) },
				"revoke others": func(s *Session) error {
					_, err := m.RevokeOthers(t.Context(), s)
					return err
				},
			}
			for what, s := range flight {
				err := handlers[what](s)
				if err == nil {
					var reply any
					r, finishErr := s.finish(t.Context())
					reply, err = r.SetCookie, finishErr
					equal(t, name+": "+what+": cookie", reply, any(""))
				}
				switch what {
				case "read", "keep alive": // A touch that fails is no failure of the request.
				default:
					want(t, err, ErrStore)
				}
				unharmed(what)
			}
			for what, list := range map[string]func() (int, error){
				"list": func() (int, error) { l, err := m.List(t.Context(), "ann"); return len(l), err },
				"page": func() (int, error) { l, _, err := m.Page(t.Context(), "", 0); return len(l), err },
			} {
				n, err := list()
				want(t, err, nil)
				equal(t, name+": "+what, n, 0)
				unharmed(what)
			}
			_, err = m.Lookup(t.Context(), id)
			want(t, err, ErrStore)
			want(t, m.Revoke(t.Context(), "ann", id), ErrStore)
			want(t, m.Revoke(t.Context(), "bob", id), ErrStore)
			want(t, m.RevokeByID(t.Context(), id), ErrStore)
			unharmed("by id")
			newSignedIn(t, m, "ann") // The limit ends sessions that it can read.
			unharmed("limit")
			time.Sleep(39 * time.Minute) // To this release's policy it may have expired.
			want(t, tryLoad(t, newTestManager(t, Options{Store: store, Expiry: time.Minute}), c), ErrStore)
			unharmed("expiry")
			equal(t, name+": reported", hasKind(seen.closeAndList(t, m), EventStoreFailed), true)
		})
	}
}

// S5: only a revocation ends a record of a later release.
func TestS5LaterRecordsAreRevoked(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]func(*record.Snapshot) []byte{
		"critical field": laterCritical, "later version": laterVersion,
	} {
		for what, revoke := range map[string]func(m *Manager) error{
			"all":        func(m *Manager) error { _, err := m.RevokeAll(t.Context(), "ann"); return err },
			"everything": func(m *Manager) error { _, err := m.RevokeEverything(t.Context()); return err },
		} {
			store := newFullSpy()
			m := newTestManager(t, Options{Store: store})
			c := newSignedIn(t, m, "ann")
			writeLater(t, store, "session:"+c.id(), later)
			want(t, revoke(m), nil)
			_, err := store.Load(t.Context(), "session:"+c.ticket().ID.String())
			want(t, err, ErrNotFound)
			equal(t, strings.Join([]string{name, what}, ", ")+": records", store.recordCount(), 0)
		}
	}
}

// S5: a release that knows the field goes on where the other has failed: nothing was lost.
func TestS5RolledBackAndForth(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	c.request(set(t, 7))
	key := "session:" + c.id()
	before := store.stored(t, key)
	later := writeLater(t, store, key, laterCritical)
	s := unloadedSession(m, c.cookie)
	want(t, s.load(t.Context()), ErrStore)
	_, err := s.finish(context.WithoutCancel(t.Context()))
	want(t, err, nil)
	// The later release takes its field away again.
	rec := store.stored(t, key)
	equal(t, "data", string(rec.Data), string(later.Data))
	rec.Key, rec.Data = key, before.Data
	_, err = store.store.Save(t.Context(), rec)
	want(t, err, nil)
	want(t, s.load(t.Context()), nil)
	equal(t, "visits of the same request", visits.Get(s), 7)
	equal(t, "subject", c.load().Subject(), "ann")
}
