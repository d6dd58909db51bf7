package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// idsOf returns the ids in a list.
func idsOf(infos []Info) (ids []string) {
	for i := range infos {
		ids = append(ids, infos[i].ID)
	}
	return ids
}

// wantIDs fails the test unless the list has these ids in this order.
func wantIDs(tb testing.TB, what string, infos []Info, wanted ...string) {
	tb.Helper()
	if got := idsOf(infos); !slices.Equal(got, wanted) {
		tb.Errorf("%s: ids are %v, want %v", what, got, wanted)
	}
}

// A list describes all sessions of a subject, the one used last first.
func TestList(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: 20 * time.Hour, Cookie: Cookie{SessionOnly: true}})
		begun := time.Now()
		phone, laptop := newClient(t, m), newClient(t, m)
		phone.requestFrom(&sender{ip: "192.0.2.7", agent: "Phone"}, func(s *Session) {
			want(t, s.LoginWith("ann", Auth{Methods: []string{"pwd"}, Level: 1}), nil)
		})
		newSignedIn(t, m, "bob")
		newClient(t, m).request(set(t, 1))
		time.Sleep(time.Minute)
		laptop.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, s.Remember(true), nil) })
		list, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		wantIDs(t, "after the logins", list, laptop.id(), phone.id())
		// A touch counts as use, although it does not rewrite the record.
		time.Sleep(3 * time.Hour)
		phone.request(read)
		time.Sleep(time.Minute)
		list, err = m.List(t.Context(), "ann")
		want(t, err, nil)
		wantIDs(t, "after a touch", list, phone.id(), laptop.id())
		seen := begun.Add(3*time.Hour + time.Minute)
		equal(t, "first entry", fmt.Sprintf("%+v", list[0]), fmt.Sprintf("%+v", Info{
			ID: phone.id(), Subject: "ann", Created: begun, LastSeen: seen, Expires: seen.Add(20 * time.Hour),
			AuthenticatedAt: begun, Auth: Auth{Methods: []string{"pwd"}, Level: 1}, IP: "192.0.2.7", UserAgent: "Phone",
		}))
		equal(t, "the remembered one is persistent", list[1].Persistent, true)
		one, err := m.Lookup(t.Context(), phone.id())
		want(t, err, nil)
		equal(t, "looked up", fmt.Sprintf("%+v", one), fmt.Sprintf("%+v", list[0]))
		for _, c := range []*client{phone, laptop} {
			_, value, _ := strings.Cut(c.cookie, "=")
			if printed := fmt.Sprintf("%+v %#v", list, list); strings.Contains(printed, value) || strings.Contains(printed, value[22:]) {
				t.Error("the list shows a secret")
			}
		}
		_, err = m.List(t.Context(), "")
		want(t, err, errNoSubject)
		_, err = m.RevokeAll(t.Context(), "")
		want(t, err, errNoSubject)
	})
}

// Sessions that were used at the same time are sorted by id.
func TestListIsStable(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		var ids []string
		for range 5 {
			ids = append(ids, newSignedIn(t, m, "ann").id())
		}
		slices.Sort(ids)
		for range 3 {
			list, err := m.List(t.Context(), "ann")
			want(t, err, nil)
			wantIDs(t, "order", list, ids...)
		}
	})
}

// K3, K4: a list contains the sessions of this manager and of this subject only.
func TestK4ListsShowTheirOwn(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		mine := newSignedIn(t, m, "ann").id()
		for name, o := range map[string]Options{
			"another prefix":                 {Prefix: "other:"},
			"a prefix that begins with mine": {Prefix: "session:x:"},
			"another cookie":                 {Cookie: Cookie{Name: "other"}},
		} {
			o.Store = store
			other := newTestManager(t, o)
			theirs := newSignedIn(t, other, "ann")
			list, err := m.List(t.Context(), "ann")
			want(t, err, nil)
			wantIDs(t, name+": list", list, mine)
			for info, err := range m.All(t.Context()) {
				want(t, err, nil)
				equal(t, name+": all", info.ID, mine)
			}
			id := theirs.id()
			_, err = m.Lookup(t.Context(), id)
			want(t, err, ErrNotFound)
			want(t, m.Revoke(t.Context(), "ann", id), ErrNotFound)
			n, err := m.RevokeAll(t.Context(), "ann", mine)
			want(t, err, nil)
			equal(t, name+": revoked", n, 0)
			equal(t, name+": theirs", theirs.load().Subject(), "ann")
		}
		for _, subject := range []string{"an", "ann ", "Ann", "ann\x00", "*", "a:nn", strings.Repeat("a", 1<<20)} {
			list, err := m.List(t.Context(), subject)
			want(t, err, nil)
			equal(t, "sessions of another subject", len(list), 0)
		}
		n, err := m.RevokeEverything(t.Context())
		want(t, err, nil)
		equal(t, "everything of this manager", n, 1)
	})
}

// Lists contain neither sessions that have expired by the current policy nor records that do
// not decode. The latter are reported.
func TestListsSkipEndedSessions(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour, Logger: logger})
		long := newTestManager(t, Options{Store: store, Expiry: 100 * time.Hour})
		bad := newSignedIn(t, long, "ann").id()
		old := newSignedIn(t, long, "ann").id()
		damageRecord(t, store, "session:"+bad)
		time.Sleep(time.Hour)
		good := newSignedIn(t, m, "ann").id()
		list, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		wantIDs(t, "list", list, good)
		equal(t, "damage in the log", strings.Count(log.String(), "undecodable"), 1)
		page, next, err := m.Page(t.Context(), "", 1000)
		want(t, err, nil)
		wantIDs(t, "page", page, good)
		equal(t, "damage in the log", strings.Count(log.String(), "undecodable"), 2)
		_ = next
		for _, id := range []string{bad, old} {
			_, err := m.Lookup(t.Context(), id)
			want(t, err, ErrNotFound)
		}
	})
}

// K1: an id that is not a canonical UUID costs no call of the store.
func TestK1HostileIDs(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	id := newSignedIn(t, m, "ann").id()
	store.reset()
	for _, hostile := range []string{
		"", " ", id + " ", " " + id, id + "\x00", strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""),
		id[:35], id + "0", "*", "session:" + id, "../" + id, strings.Repeat("a", 1<<20), "gggggggg-gggg-7ggg-8ggg-gggggggggggg",
	} {
		_, err := m.Lookup(t.Context(), hostile)
		want(t, err, ErrNotFound)
		want(t, m.Revoke(t.Context(), "ann", hostile), ErrNotFound)
	}
	equal(t, "calls", store.count(""), 0)
	_, err := m.Lookup(t.Context(), id)
	want(t, err, nil)
}

func TestLookupOutage(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	store.failOn("load", errDown)
	_, err := m.Lookup(t.Context(), c.ticket().ID.String())
	want(t, err, ErrStore)
	want(t, m.Revoke(t.Context(), "ann", c.ticket().ID.String()), ErrStore)
}

// The pages together contain every session. An iteration can be stopped.
func TestPagesAndAll(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		var ids, paged, walked []string
		for i := range 250 {
			c := newClient(t, m)
			c.request(set(t, i))
			ids = append(ids, c.ticket().ID.String())
		}
		for cursor := ""; ; {
			page, next, err := m.Page(t.Context(), cursor, 10)
			want(t, err, nil)
			paged = append(paged, idsOf(page)...)
			if cursor = next; cursor == "" {
				break
			}
		}
		for info, err := range m.All(t.Context()) {
			want(t, err, nil)
			walked = append(walked, info.ID)
		}
		for what, got := range map[string][]string{"pages": paged, "all": walked} {
			slices.Sort(got)
			equal(t, what+" show them all", slices.Equal(slices.Compact(got), slices.Sorted(slices.Values(ids))), true)
		}
		n := 0
		for _, err := range m.All(t.Context()) {
			want(t, err, nil)
			if n++; n == 3 {
				break
			}
		}
		equal(t, "read until stopped", n, 3)
		_, _, err := m.Page(t.Context(), "no cursor", 10)
		want(t, err, ErrStore)
	})
}

func TestAllYieldsTheErrorLast(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	for range 250 {
		newClient(t, m).request(set(t, 1))
	}
	store.reset()
	store.onCall(func(context.Context, string, string) error {
		if store.count("list") == 2 {
			return errDown
		}
		return nil
	})
	var last error
	n := 0
	for info, err := range m.All(t.Context()) {
		want(t, last, nil)
		if last = err; err == nil {
			n++
			equal(t, "id is there", info.ID != "", true)
		}
	}
	want(t, last, ErrStore)
	equal(t, "some were there before", n > 0, true)
	_, err := m.RevokeEverything(t.Context())
	want(t, err, nil)
}

// listingStore is a store that cannot count. An uncountingStore says so only when it is asked.
type (
	listingStore struct {
		Store
		Lister
	}
	uncountingStore struct{ fullSpy }
)

func (uncountingStore) Count(context.Context, string) (int, error) { return 0, errors.ErrUnsupported }

func TestCount(t *testing.T) {
	t.Parallel()
	memory := memstore.New(memstore.Options{})
	spied := fullSpy{touchSpy{&spy{store: memory}}}
	newTestManager(t, Options{Store: memory, Prefix: "other:"})
	newClient(t, newTestManager(t, Options{Store: memory, Prefix: "other:"})).request(set(t, 1))
	for range 120 {
		newClient(t, newTestManager(t, Options{Store: memory})).request(set(t, 1))
	}
	for name, store := range map[string]Store{
		"counter": spied, "lister": listingStore{memory, memory}, "unsupported counter": uncountingStore{spied},
	} {
		n, err := newTestManager(t, Options{Store: store}).Count(t.Context())
		want(t, err, nil)
		equal(t, name, n, 120)
	}
	equal(t, "calls of Count", spied.count("count"), 1)
	for _, op := range []string{"count", "list"} {
		spied.failOn(op, errDown)
		var store Store = spied
		if op == "list" {
			store = uncountingStore{spied}
		}
		n, err := newTestManager(t, Options{Store: store}).Count(t.Context())
		want(t, err, ErrStore)
		equal(t, "count beside the error", n, 0)
	}
}

// unsupportingStore is a store whose optional methods all return ErrUnsupported.
type unsupportingStore struct{ *spy }

func (unsupportingStore) BySubject(context.Context, string) ([]Record, error) {
	return nil, errors.ErrUnsupported
}

func (unsupportingStore) List(context.Context, string, string, int) ([]Record, string, error) {
	return nil, "", errors.ErrUnsupported
}

// ErrUnsupported is not a failure of the store. What needs no index works without one.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]Store{"no index": newSpy(), "refuses": unsupportingStore{newSpy()}} {
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, Logger: logger})
		c := newSignedIn(t, m, "ann")
		_, list := m.List(t.Context(), "ann")
		_, all := m.RevokeAll(t.Context(), "ann")
		_, others := m.RevokeOthers(t.Context(), c.load())
		_, everything := m.RevokeEverything(t.Context())
		_, count := m.Count(t.Context())
		_, _, page := m.Page(t.Context(), "", 0)
		for i, err := range []error{list, all, others, everything, count, page} {
			want(t, err, errors.ErrUnsupported)
			equal(t, fmt.Sprint(name, ": an outage, ", i), errors.Is(err, ErrStore), false)
		}
		for _, err := range m.All(t.Context()) {
			want(t, err, errors.ErrUnsupported)
		}
		equal(t, name+": log", log.String(), "")
		equal(t, name+": subject", c.load().Subject(), "ann")
		_, err := m.Lookup(t.Context(), c.id())
		want(t, err, nil)
		want(t, m.Revoke(t.Context(), "ann", c.id()), nil)
		equal(t, name+": IsNew", c.load().IsNew(), true)
		_, err = NewManager(Options{Store: store, MaxSessions: 1})
		want(t, err, errors.ErrUnsupported)
	}
}
