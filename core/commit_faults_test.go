package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// liar is a store that stores new records and says that they are not found.
type liar struct{ fullSpy }

func (l liar) Save(ctx context.Context, rec Record) (Record, error) {
	out, err := l.fullSpy.Save(ctx, rec)
	if err == nil && rec.Version == 0 {
		return Record{}, ErrNotFound
	}
	return out, err
}

func TestLoginThatWasStoredThoughNotFound(t *testing.T) {
	t.Parallel()
	store := liar{newFullSpy()}
	m := newTestManager(t, Options{Store: store})
	sc := openRequest(t.Context(), t, m, nil, "")
	signInAs(t, "alice")(sc.Get())
	h := map[string][]string{}
	err := commitInto(sc, h)
	equal(t, "error", fmt.Sprint(err), "<nil>")
	equal(t, "cookies", len(h["Set-Cookie"]), 1)
	equal(t, "calls", strings.Join(opsOf(store.spy), " "), "save load load")
}

// opsOf returns the operations of the calls.
func opsOf(s *spy) (ops []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		op, _, _ := strings.Cut(strings.Replace(c, "by subject", "by_subject", 1), " ")
		op = strings.Replace(op, "_", " ", 1)
		ops = append(ops, op)
	}
	return ops
}

func TestGoneNamesTheSubjectOfTheLogin(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: rec.add})
	b := newClient(t, m)
	b.request(set(t, 1))
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	signInAs(t, "alice")(sc.Get())
	want(t, m.RevokeByID(t.Context(), b.id()), nil)
	want(t, commitHeader(sc), ErrGone)
	found := 0
	for _, e := range rec.closeAndList(t, m) {
		if e.Kind == EventGone {
			found++
			equal(t, "subject", e.Subject, "alice")
			equal(t, "reason", e.Reason, ReasonRevoked)
		}
	}
	equal(t, "gone", found, 1)
}

func TestGoneNamesTheSubjectOfAnEvictedLogin(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: rec.add, MaxSessions: 1})
	unlimited := newTestManager(t, Options{Store: store})
	// Between the save of the first and its eviction another process signs in later.
	signInLater := func() {
		time.Sleep(5 * time.Millisecond)
		newSignedIn(t, unlimited, "alice")
	}
	n := 0
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "by subject" {
			if n++; n == 2 {
				store.onCall(nil)
				signInLater()
			}
		}
		return nil
	})
	sc := openRequest(t.Context(), t, m, nil, "")
	signInAs(t, "alice")(sc.Get())
	want(t, commitHeader(sc), nil)
	found := false
	for _, e := range rec.closeAndList(t, m) {
		t.Log(e.Kind, e.Subject, e.Reason)
		if e.Kind == EventGone {
			found = true
			equal(t, "subject", e.Subject, "alice")
		}
	}
	equal(t, "gone", found, true)
}

func TestEventsOfDestroyAndANewSession(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: rec.add, StoreEvents: true})
	b := newClient(t, m)
	b.request(set(t, 1))
	b.request(func(s *Session) { s.Destroy(); set(t, 2)(s) })
	got := []string{}
	for _, e := range rec.closeAndList(t, m) {
		got = append(got, strings.TrimSpace(e.Kind.String()+" "+e.Operation))
	}
	equal(t, "events", strings.Join(got, ", "), "store called save, created, store called load, loaded, store called load, store called save, destroyed, store called save, created")
}

func TestEventsOfDestroyAndAFailedSave(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: rec.add})
	b := newClient(t, m)
	b.request(set(t, 1))
	ended := "save " + m.keyspace.key(b.ticket().ID)
	for _, failing := range []bool{true, false} { // whether the session can be ended
		sc := openRequest(t.Context(), t, m, nil, b.cookie)
		sc.Get().Destroy()
		set(t, 2)(sc.Get())
		store.onCall(func(_ context.Context, op, key string) error {
			if op == "save" && (op+" "+key == ended) == failing {
				return errDown
			}
			return nil
		})
		want(t, commitHeader(sc), ErrStore)
		store.onCall(nil)
	}
	equal(t, "events", kinds(rec.closeAndList(t, m)), "created loaded store failed loaded destroyed store failed")
	wantRecords(t, "afterwards", store, 0, 1)
}

func TestHijackRecordsTheDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestManager(t, Options{})
		b := newClient(t, m)
		b.requestFrom(&sender{ip: "1.1.1.1"}, signInAs(t, "alice"))
		time.Sleep(DefaultExpiry / 5)
		sc := openRequest(t.Context(), t, m, &sender{ip: "2.2.2.2"}, b.cookie)
		set(t, 5)(sc.Get())
		want(t, sc.HeaderSent(), nil)
		equal(t, "ip", b.info().IP, "2.2.2.2")
	})
}

func TestListWithAnErrorIsEmpty(t *testing.T) {
	t.Parallel()
	store := halfIndex{newFullSpy()}
	m := newTestManager(t, Options{Store: store})
	newSignedIn(t, m, "alice")
	infos, err := m.List(t.Context(), "alice")
	want(t, err, ErrStore)
	equal(t, "infos", len(infos), 0)
}

func TestUpdateThatCannotRunAgainBeforeTheSave(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newSpy()
	n := 0
	m := newTestManager(t, Options{Store: store, Codec: refCodec{n: &n}, OnEvent: rec.add})
	b := newClient(t, m)
	b.request(set(t, 1))
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	s := sc.Get()
	_ = note.Set(s, "x")
	c2 := b.clone()
	store.beforeSave(func() {
		c2.request(increment)
		increment(s) // pending while saving; stale after the merge
	})
	want(t, sc.Commit(func(*adapter.Reply) {}), nil)
	n = 1
	err := sc.Commit(func(*adapter.Reply) {})
	if err == nil || errors.Is(err, ErrGone) {
		t.Errorf("commit = %v, want the codec's error", err)
	}
	equal(t, "gone", hasKind(rec.closeAndList(t, m), EventGone), false)
}

// An update that cannot run again after a conflict fails the commit.
func TestUpdateThatCannotRunAgainInTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	n := 0
	m := newTestManager(t, Options{Store: store, Codec: badCodec{n: &n}})
	b := newClient(t, m)
	b.request(set(t, 1))
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	s := sc.Get()
	signInAs(t, "alice")(s)
	increment(s)
	c2 := b.clone()
	store.beforeSave(func() {
		c2.request(increment)
		n = 1
	})
	h := map[string][]string{}
	err := commitInto(sc, h)
	if !errors.Is(err, errBadCodec) {
		t.Errorf("commit = %v, want the codec's error; cookies %d", err, len(h["Set-Cookie"]))
	}
	n = 0
	info, _ := m.Lookup(t.Context(), s.ID())
	t.Logf("handler sees %q, stored is %q, answer %v", s.Subject(), info.Subject, err)
}

func TestUpdateThatOverflowsInTheMerge(t *testing.T) {
	t.Parallel()
	total := Key[float64]("total")
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	b := newClient(t, m)
	b.request(func(s *Session) { _ = total.Set(s, 1) })
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	total.Update(sc.Get(), func(v float64) float64 { return v * 1e300 })
	c2 := b.clone()
	store.beforeSave(func() { c2.request(func(s *Session) { total.Update(s, func(v float64) float64 { return v * 1e300 }) }) })
	if err := commitHeader(sc); err == nil {
		t.Error("commit returned nil and saved nothing")
	}
}

func TestUndoneLoginWhoseNextAttemptFails(t *testing.T) {
	t.Parallel()
	rec := new(recorder)
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin, OnEvent: rec.add})
	free := newTestManager(t, Options{Store: store.store})
	b := newClient(t, m)
	b.request(set(t, 1))
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	signInAs(t, "alice")(sc.Get())
	list, saves := 0, 0
	signIn := func() { newSignedIn(t, free, "alice") }
	revoke := func() {
		list, err := free.List(t.Context(), "alice")
		want(t, err, nil)
		for _, s := range list {
			want(t, free.RevokeByID(t.Context(), s.ID), nil)
		}
	}
	store.onCall(func(_ context.Context, op, key string) error {
		switch op {
		case "by subject":
			switch list++; list {
			case 2:
				signIn()
			case 3:
				revoke()
			}
		case "save":
			if saves++; saves == 3 {
				return ErrConflict
			}
		case "load":
			if key != m.keyspace.revocationKey("alice") {
				return errDown
			}
		}
		return nil
	})
	want(t, sc.Commit(func(*adapter.Reply) {}), ErrStore)
	equal(t, "lists and saves", fmt.Sprint(list, saves), "3 3")
	store.onCall(nil)
	store.reset()
	// The login is dropped, so the middleware signs nobody in. If the handler tries again, there is
	// nothing to merge: the session knows what is stored since the login was undone.
	want(t, sc.Commit(func(*adapter.Reply) {}), nil)
	equal(t, "calls of the next commit", strings.Join(opsOf(store.spy), ","), "")
	equal(t, "subject", sc.Get().Subject(), "")
	signInAs(t, "alice")(sc.Get())
	want(t, sc.Commit(func(*adapter.Reply) {}), nil)
	equal(t, "calls of the next login", strings.Join(opsOf(store.spy), ","), "by subject,save,load,by subject")
	equal(t, "merged", hasKind(rec.closeAndList(t, m), EventMerged), false)
}

// halfIndex is an index that returns records with an error.
type halfIndex struct{ fullSpy }

func (s halfIndex) BySubject(ctx context.Context, subject string) ([]Record, error) {
	recs, _ := s.fullSpy.BySubject(ctx, subject)
	return recs, errDown
}

// refCodec fails with an error of the store once n is set.
type refCodec struct {
	JSON
	n *int
}

func (c refCodec) Encode(v any) ([]byte, error) {
	if *c.n > 0 {
		return nil, fmt.Errorf("kms key: %w", ErrNotFound)
	}
	return c.JSON.Encode(v)
}

var errBadCodec = errors.New("cannot encode")

// badCodec fails once n is set.
type badCodec struct {
	JSON
	n *int
}

func (c badCodec) Encode(v any) ([]byte, error) {
	if *c.n > 0 {
		return nil, errBadCodec
	}
	return c.JSON.Encode(v)
}
