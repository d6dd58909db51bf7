package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// wantMark fails the test unless a mark stands in place of the record under key: it says why the
// session has ended, names nobody, and has no data.
func wantMark(tb testing.TB, what string, store Store, key string, reason Reason) {
	tb.Helper()
	rec, err := store.Load(tb.Context(), key)
	if err != nil {
		tb.Errorf("%s: there is no mark: %v", what, err)
		return
	}
	rec.Key = key
	snap, err := decodeRecord(rec)
	want(tb, err, nil)
	equal(tb, what+": HasEnded", snap.HasEnded(), true)
	equal(tb, what+": reason of the mark", Reason(snap.Ended()), reason)
	equal(tb, what+": subject of the mark", snap.Subject()+rec.Subject, "")
	equal(tb, what+": values in the mark", snap.Len(), 0)
	equal(tb, what+": account in the mark", len(snap.Identity().Account), 0)
	equal(tb, what+": proof in the mark", snap.Authenticated, 0)
	left := time.Until(rec.Expires)
	equal(tb, what+": the mark is kept for the grace and a minute", left > time.Minute && left <= 90*time.Second, true)
}

// wantTicketOvertaken fails the test unless a request of the client is overtaken for this reason. Such a
// request reads an empty session, cannot write, and gets no cookie.
func wantTicketOvertaken(tb testing.TB, what string, c *client, reason Reason) {
	tb.Helper()
	tab := c.clone()
	s := tab.load()
	got, ok := s.Overtaken()
	equal(tb, what+": Overtaken", ok, true)
	equal(tb, what+": reason", got, reason)
	equal(tb, what+": IsNew", s.IsNew(), true)
	equal(tb, what+": subject", s.Subject(), "")
	equal(tb, what+": contents", contents(s), "")
	want(tb, visits.Set(s, 99), ErrGone)
	want(tb, visits.Delete(s), ErrGone)
	want(tb, s.Clear(), ErrGone)
	want(tb, s.Save(tb.Context()), ErrGone)
	equal(tb, what+": cookie", tab.respond(s).SetCookie, "")
}

// wantStranger fails the test unless a request of the client has no session, and may start one.
func wantStranger(tb testing.TB, what string, c *client) {
	tb.Helper()
	s := c.clone().load()
	_, overtaken := s.Overtaken()
	equal(tb, what+": Overtaken", overtaken, false)
	equal(tb, what+": IsNew", s.IsNew(), true)
	want(tb, visits.Set(s, 1), nil)
}

// pagedSessions returns the number of sessions that have not ended.
func pagedSessions(tb testing.TB, m *Manager) (n int) {
	tb.Helper()
	for cursor := ""; ; {
		list, next, err := m.Page(tb.Context(), cursor, 0)
		want(tb, err, nil)
		n += len(list)
		if next == "" {
			return n
		}
		cursor = next
	}
}

// A session that has ended leaves a mark, for the grace and a minute. It tells each ticket that
// opened the session why, and is in no list.
func TestMarks(t *testing.T) {
	t.Parallel()
	type ending = func(ctx context.Context, m *Manager, c *client, id string) error
	all := func(_ int, err error) error { return err }
	for name, tc := range map[string]struct {
		end    ending
		reason Reason
	}{
		"destroy": {func(_ context.Context, _ *Manager, c *client, _ string) error {
			c.clone().request((*Session).Destroy) //nolint:contextcheck // It is another request.
			return nil
		}, ReasonSignedOut},
		"revoke": {func(ctx context.Context, m *Manager, _ *client, id string) error {
			return m.Revoke(ctx, "ann", id)
		}, ReasonRevoked},
		"revoke by id": {func(ctx context.Context, m *Manager, _ *client, id string) error {
			return m.RevokeByID(ctx, id)
		}, ReasonRevoked},
		"revoke all": {func(ctx context.Context, m *Manager, _ *client, _ string) error {
			return all(m.RevokeAll(ctx, "ann"))
		}, ReasonRevokedAll},
		"revoke everything": {func(ctx context.Context, m *Manager, _ *client, _ string) error {
			return all(m.RevokeEverything(ctx))
		}, ReasonRevokedEverything},
		"limit": {func(_ context.Context, _ *Manager, c *client, _ string) error {
			newSignedIn(c.t, c.m, "ann") //nolint:contextcheck // It is another request.
			return nil
		}, ReasonLimit},
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 1})
			c := newSignedIn(t, m, "ann")
			c.request(set(t, 1))
			former := c.clone()
			c.request(renew)
			id := c.id()
			forged := c.clone()
			forged.cookie = "session=" + tokenWithOtherSecret(c)
			want(t, tc.end(t.Context(), m, c, id), nil)
			key := m.keyspace.key(c.ticket().ID)
			wantMark(t, name, store, key, tc.reason)
			wantTicketOvertaken(t, name, c, tc.reason)
			wantTicketOvertaken(t, name+", former secret", former, tc.reason)
			wantStranger(t, name+", another secret", forged)
			lives := map[bool]int{true: 1}[name == "limit"]
			equal(t, name+": listed", pagedSessions(t, m), lives)
			list, err := m.List(t.Context(), "ann")
			want(t, err, nil)
			equal(t, name+": listed for the subject", len(list), lives)
			_, err = m.Lookup(t.Context(), id)
			want(t, err, ErrNotFound)
			// It cannot be ended again.
			want(t, m.Revoke(t.Context(), "ann", id), ErrNotFound)
			want(t, m.RevokeByID(t.Context(), id), ErrNotFound)
			n, err := m.RevokeEverything(t.Context())
			want(t, err, nil)
			equal(t, name+": ended again", n, lives)
			wantMark(t, name+", later", store, key, tc.reason)
			time.Sleep(90*time.Second - time.Millisecond)
			wantTicketOvertaken(t, name+", at the end", c, tc.reason)
			time.Sleep(time.Millisecond)
			wantStranger(t, name+", after it", c)
			wantRecords(t, name+", in the end", store, 0, 0)
			// A revocation is remembered for a day.
			time.Sleep(24 * time.Hour)
			count, err := m.Count(t.Context())
			want(t, err, nil)
			equal(t, name+": records after a day", count, 0)
		})
	}
}

// A session whose cookie has never left is deleted without a mark.
func TestNoMarkForAnUnsentSession(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		var id string
		reply := c.request(func(s *Session) {
			want(t, s.Login("ann"), nil)
			want(t, s.Save(t.Context()), nil)
			id = s.ID()
			s.Destroy()
		})
		_, err := store.Load(t.Context(), m.keyspace.prefix+id)
		want(t, err, ErrNotFound)
		equal(t, "sets a cookie", reply.SetCookie != "" && !strings.Contains(reply.SetCookie, removalAttributes), false)
	})
}

// An end that meets the save of another request is tried again. It loads and saves once more.
func TestMarkMeetsAConflict(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	other, id := c.clone(), c.id()
	store.beforeSave(func() { other.request(set(t, 7)) })
	store.reset()
	want(t, m.Revoke(t.Context(), "ann", id), nil)
	store.onCall(nil)
	wantMark(t, "revoked", store, "session:"+id, ReasonRevoked)
	equal(t, "deletes", store.count("delete"), 0)
	wantTicketOvertaken(t, "the other", other, ReasonRevoked)
}

// An end costs a load and a save.
func TestCostOfAMark(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	id := c.id()
	store.reset()
	want(t, m.Revoke(t.Context(), "ann", id), nil)
	equal(t, "calls of Revoke", strings.Join(store.calls, ", "), "load session:"+id+", save session:"+id)
	c = newSignedIn(t, m, "ann")
	s, id := c.load(), c.id()
	store.reset()
	s.Destroy()
	c.respond(s)
	equal(t, "calls of Destroy", strings.Join(store.calls, ", "), "load session:"+id+", save session:"+id)
}

// If the session is saved again and again, or if the store has no room for the mark, the record is
// deleted: the session ends all the same.
func TestMarkThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]error{"conflict": ErrConflict, "full": ErrFull, "size": ErrTooLarge} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c := newSignedIn(t, m, "ann")
		store.failOn("save", refuse)
		want(t, m.Revoke(t.Context(), "ann", c.id()), nil)
		equal(t, name+": deletes", store.count("delete"), 1)
		store.onCall(nil)
		equal(t, name+": records", store.recordCount(), 0)
		wantStranger(t, name, c)
		equal(t, name+": revoked", m.Stats().Revoked, 1)
	}
}

// If the store fails, the session goes on and nothing says that it has ended.
func TestMarkWhoseStoreFails(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"load", "save"} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		store.failOn(op, errDown)
		want(t, m.Revoke(t.Context(), "ann", id), ErrStore)
		equal(t, op+": deletes", store.count("delete"), 0)
		store.onCall(nil)
		equal(t, op+": subject", c.load().Subject(), "ann")
		equal(t, op+": revoked", m.Stats().Revoked, 0)
	}
}

// A session that is deleted while it is being marked has ended.
func TestMarkOfADeletedSession(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c := newSignedIn(t, m, "ann")
	id := c.id()
	store.beforeSave(func() { want(t, store.store.Delete(t.Context(), "session:"+id), nil) })
	want(t, m.Revoke(t.Context(), "ann", id), nil)
	equal(t, "records", store.recordCount(), 0)
}

// markOf keeps what recognizes the session's tickets, and the fields of later releases.
func TestMarkOf(t *testing.T) {
	t.Parallel()
	secret := counting(1)
	h := signedIn(secret)
	next := secret.Rotate()
	h.History = h.History.Append(secret, next, testTime, testTime+1000)
	h.Digest = next.Digest()
	h.Extensions = h.Extensions.AppendExtension(2, []byte("later"))
	base := storedBase(next, &h, entry("visits", "1"))
	before := string(base.snap.Record.Data)
	expires := time.UnixMilli(testTime + 90_000)
	rec := markOf(&base.snap, ReasonRevoked, expires)
	equal(t, "the record itself", string(base.snap.Record.Data), before)
	equal(t, "key", rec.Key, base.snap.Record.Key)
	equal(t, "version", rec.Version, base.snap.Record.Version)
	equal(t, "expires", rec.Expires, expires)
	equal(t, "subject in the index", rec.Subject, "")
	snap, err := decodeRecord(rec)
	want(t, err, nil)
	equal(t, "reason", snap.Ended(), string(ReasonRevoked))
	equal(t, "subject", snap.Subject(), "")
	equal(t, "values", snap.Len(), 0)
	equal(t, "digest", snap.Digest(), h.Digest)
	id := snap.Identity()
	equal(t, "history", string(id.History), string(h.History))
	equal(t, "extensions", string(id.Extensions), string(h.Extensions))
	equal(t, "cookie name", string(id.CookieName), "session")
	equal(t, "size", len(rec.Data) < 280, true)
}

// Only a ticket that may end the session leads to a mark.
func TestMayMark(t *testing.T) {
	t.Parallel()
	secret := counting(1)
	h := signedIn(secret)
	ended := h
	ended.Ended, ended.Subject = []byte(ReasonSignedOut), nil
	later := h
	later.Extensions = later.Extensions.AppendExtension(1, nil)
	ref := func(s byte, unsent bool) *sessionRef {
		return &sessionRef{ticket: testTicket(counting(s)), unsent: unsent}
	}
	for name, tc := range map[string]struct {
		snap     record.Snapshot
		ref      *sessionRef
		deleteIt bool
		err      error
	}{
		"from outside":                 {storedSnapshot(&h), nil, false, nil},
		"by its ticket":                {storedSnapshot(&h), ref(1, false), false, nil},
		"by its ticket, unsent":        {storedSnapshot(&h), ref(1, true), true, nil},
		"by another ticket":            {storedSnapshot(&h), ref(2, false), false, errOtherSecret},
		"by another ticket, unsent":    {storedSnapshot(&h), ref(2, true), false, errOtherSecret},
		"it has ended":                 {storedSnapshot(&ended), nil, false, nil},
		"it has ended, by its ticket":  {storedSnapshot(&ended), ref(1, false), false, nil},
		"it is damaged":                {record.Snapshot{Record: Record{Data: []byte("garbage")}}, nil, true, nil},
		"it is damaged, by its ticket": {record.Snapshot{Record: Record{Data: []byte("garbage")}}, ref(1, false), true, nil},
		"later format":                 {storedSnapshot(&later), nil, true, nil},
		"later format, by its ticket":  {storedSnapshot(&later), ref(1, false), false, ErrStore},
	} {
		m := newTestManager(t, Options{Store: memstore.New(memstore.Options{})})
		deleteIt, err := m.records.mayMark(t.Context(), &tc.snap, tc.ref)
		equal(t, name+": delete", deleteIt, tc.deleteIt)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: error is %v, want %v", name, err, tc.err)
		}
	}
}

// Destroy ends a session that another request of the same subject was faster to change, and
// nothing else.
func TestDestroyByAnOvertakenTicket(t *testing.T) {
	t.Parallel()
	stepUp := func(s *Session) { _ = s.StepUp(Auth{Level: 2}) }
	bob := func(s *Session) { _ = s.Login("bob") }
	ann := func(s *Session) { _ = s.Login("ann") }
	for name, tc := range map[string]struct {
		before []func(*Session) // what other requests of the browser do
		wait   time.Duration
		ends   bool
	}{
		"renewed":                  {[]func(*Session){renew}, 0, true},
		"renewed and delivered":    {[]func(*Session){renew, read}, time.Minute, true},
		"renewed, long ago":        {[]func(*Session){renew, read}, time.Hour, true},
		"stepped up":               {[]func(*Session){stepUp}, 0, true},
		"stepped up and delivered": {[]func(*Session){stepUp, read}, 0, true},
		"signed in again":          {[]func(*Session){ann, read}, 0, true},
		"another subject":          {[]func(*Session){bob}, 0, false},
		"another subject, later":   {[]func(*Session){bob, read}, time.Hour, false},
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
			c := newSignedIn(t, m, "ann")
			tab := c.clone()
			underWay, key := tab.load(), m.keyspace.key(c.ticket().ID)
			for _, handler := range tc.before {
				c.request(handler)
			}
			time.Sleep(tc.wait)
			subject := c.load().Subject()
			underWay.Destroy()
			_, err := underWay.finish(context.WithoutCancel(t.Context()))
			want(t, err, nil)
			if tc.ends {
				wantMark(t, name, store, key, ReasonSignedOut)
				wantTicketOvertaken(t, name, c, ReasonSignedOut)
				return
			}
			equal(t, name+": subject", c.load().Subject(), subject)
			want(t, visits.Set(underWay, 1), ErrGone)
		})
	}
}
