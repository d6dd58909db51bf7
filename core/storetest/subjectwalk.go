package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core/store"
)

func subjectKeysDeleting(e *env) {
	s := e.subjectPager()
	for _, limit := range []int{1, 4, 7} {
		alice := e.name(fmt.Sprint("alice", limit))
		all := e.createManyFor(alice, fmt.Sprint("limit", limit, "-"), 40)
		found := e.walkSubject(s, alice, limit, func(keys []string) {
			for _, key := range keys {
				e.delete(key)
			}
		})
		e.wantWalkedKeys(found, all)
		e.wantKeys(alice, limit)
	}
}

func subjectKeysMoving(e *env) {
	s := e.subjectPager()
	for i, other := range []string{e.name("bob"), ""} {
		alice := e.name(fmt.Sprint("alice", i))
		all := e.createManyFor(alice, fmt.Sprint("walk", i, "-"), 40)
		found := e.walkSubject(s, alice, 4, func(keys []string) {
			for _, key := range keys {
				e.move(key, other)
			}
		})
		e.wantWalkedKeys(found, all)
		e.wantKeys(alice, 4)
	}
}

// move saves a record under another subject, unless it has it already.
func (e *env) move(key, subject string) {
	e.Helper()
	rec, err := e.store.Load(e.ctx, key)
	if err != nil {
		e.Fatalf("Load(%q) = %v, want the record whose key SubjectKeys has returned", key, err)
	}
	if rec.Subject != subject {
		rec.Subject = subject
		e.save(rec)
	}
}

func subjectKeysSaving(e *env) {
	s := e.subjectPager()
	alice := e.name("alice")
	all := e.createManyFor(alice, "x", 30)
	returned := make(map[string]bool)
	waiting := slices.Clone(all)
	found := e.walkSubject(s, alice, 2, func(keys []string) {
		for _, key := range keys {
			returned[key] = true
		}
		waiting = slices.DeleteFunc(waiting, func(rec store.Record) bool {
			return returned[rec.Key]
		})
		if len(waiting) > 0 { // Each is saved once, so that no walk goes on forever.
			e.save(waiting[len(waiting)/2])
			waiting = slices.Delete(waiting, len(waiting)/2, len(waiting)/2+1)
		}
	})
	e.wantWalkedKeys(found, all)
}

func subjectKeysComplete(e *env) {
	s := e.subjectPager()
	alice := e.name("alice")
	stays := e.createManyFor(alice, "stays", 40)
	ctx, stop := context.WithCancel(e.ctx)
	var walks atomic.Int32
	concurrently(3, func(n int) {
		if n > 0 {
			for i := 0; ctx.Err() == nil; i++ {
				e.comeAndGo(n, i%20, alice)
			}
			return
		}
		defer stop()
		for range rounds() {
			found, err := e.subjectPages(s, alice, 7, nil)
			if err != nil {
				e.Errorf("SubjectKeys = %v", err)
				return
			}
			walks.Add(1)
			e.wantWalkedKeys(found, stays)
		}
	})
	if walks.Load() == 0 {
		e.Errorf("no walk ended")
	}
}

// comeAndGo creates a record of the subject, saves it under another one and deletes it.
func (e *env) comeAndGo(n, i int, subject string) {
	h := e.handle(n)
	key := fmt.Sprintf("%sbrief%d-%d", e.unique, n, i)
	rec, err := h.Save(e.ctx, store.Record{Key: key, Subject: subject})
	if err == nil {
		rec.Subject += "-other"
		_, err = h.Save(e.ctx, rec)
	}
	if err == nil {
		err = h.Delete(e.ctx, key)
	}
	if err != nil {
		e.Errorf("saving or deleting while others walk = %v", err)
	}
}
