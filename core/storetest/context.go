package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func contextCases() []testCase {
	return []testCase{
		{
			name: "Cancelled", run: contextCancelled,
			rule: "A call whose context is cancelled returns an error other than the contract's " +
				"own. A request that was cancelled must not hold a connection, and its failure " +
				"is not a missing session.",
		},
		{
			name: "DeadlineOver", run: contextDeadline,
			rule: "A call whose deadline has passed returns an error other than the contract's " +
				"own. An outage that looks like ErrNotFound logs all users out.",
		},
	}
}

func contextCancelled(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.wantContextErrors(ctx)
}

func contextDeadline(e *env) {
	ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancel()
	e.wantContextErrors(ctx)
}

// wantContextErrors checks that every method fails with ctx, which has ended, and that the
// store still works with another context.
func (e *env) wantContextErrors(ctx context.Context) {
	e.Helper()
	if _, ok := e.store.(store.Instant); ok {
		e.Skip("the store is a store.Instant, which never waits and ignores contexts")
	}
	rec := e.createFor("a", e.name("subject"))
	_, err := e.store.Load(ctx, rec.Key)
	e.wantContextErr("Load", err)
	_, err = e.store.Load(ctx, e.name("absent"))
	e.wantContextErr("Load of an absent key", err)
	_, err = e.store.Save(ctx, rec)
	e.wantContextErr("Save", err)
	_, err = e.store.Save(ctx, e.record("new"))
	e.wantContextErr("Save of a new record", err)
	e.wantContextErr("Delete", e.store.Delete(ctx, e.name("other")))
	if s, ok := e.store.(store.Toucher); ok {
		err = s.Touch(ctx, withExpires(rec, rec.Expires.Add(time.Minute)))
		e.wantContextErr("Touch", err)
	}
	if s, ok := e.store.(store.Indexer); ok {
		_, err = s.BySubject(ctx, rec.Subject)
		e.wantContextErr("BySubject", err)
	}
	if s, ok := e.store.(store.SubjectPager); ok {
		_, _, err = s.SubjectKeys(ctx, rec.Subject, "", 10)
		e.wantContextErr("SubjectKeys", err)
	}
	if s, ok := e.store.(store.Lister); ok {
		_, _, err = s.List(ctx, e.unique, "", 10)
		e.wantContextErr("List", err)
	}
	e.wantStored(e.create("afterwards"))
}

// wantContextErr checks that err is an error, but not one that says what is stored.
func (e *env) wantContextErr(method string, err error) {
	e.Helper()
	for _, not := range []error{nil, store.ErrNotFound, store.ErrConflict} {
		if errors.Is(err, not) {
			e.Errorf("%s with a context that has ended = %v, want the context's error",
				method, err)
		}
	}
}
