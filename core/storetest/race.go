package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func raceCases() []testCase {
	return []testCase{
		{
			name: "OneCreateWins", run: oneCreateWins,
			rule: "Of many concurrent saves with Version 0 exactly one succeeds, and the others " +
				"return ErrConflict. If two succeeded, two sessions would share one record.",
		},
		{
			name: "OneReplaceWins", run: oneReplaceWins,
			rule: "Of many concurrent saves with the same version exactly one succeeds, and the " +
				"others return ErrConflict. If two succeeded, the changes of one would be lost.",
		},
		{
			name: "R1DeleteWins", run: raceDeleteWins,
			rule: "After Delete has returned the record is gone, however many saves were in " +
				"progress. A deleted session stays deleted (CVE-2025-46336).",
		},
		{
			name: "R4NothingIsLost", run: nothingIsLost,
			rule: "Writers that load, change and save, and try again after ErrConflict, lose " +
				"nothing. The counter ends at the number of increments.",
		},
		{
			name: "TornReads", run: tornReads,
			rule: "A read concurrent with a Save returns the record before it or after it, " +
				"never a mixture of their data, subject, expiry and version.",
		},
		{
			name: "Everything", run: everyMethodAtOnce,
			rule: "Concurrent calls of all methods on a few keys have results that some order " +
				"of the calls explains. No version is used twice, nothing old is read after a " +
				"save returned, nothing is found after a delete returned, and nothing is lost.",
		},
	}
}

func oneCreateWins(e *env) {
	for i := range rounds() {
		key := e.name(fmt.Sprint(i))
		e.wantOneWinner(store.Record{Key: key, Expires: time.Now().Add(time.Hour)})
	}
}

func oneReplaceWins(e *env) {
	for i := range rounds() {
		e.wantOneWinner(e.create(fmt.Sprint(i)))
	}
}

// wantOneWinner saves rec many times concurrently, and checks that one save succeeds and that
// its record is stored.
func (e *env) wantOneWinner(rec store.Record) {
	e.Helper()
	var mu sync.Mutex
	var winners []store.Record
	concurrently(contenders, func(n int) {
		mine := rec
		mine.Data = fmt.Append(nil, "of contender ", n)
		saved, err := e.handle(n).Save(e.ctx, mine)
		if err != nil {
			e.wantErr(err, store.ErrConflict, "Save(version %d) while others save", rec.Version)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		mine.Version = saved.Version
		winners = append(winners, mine)
	})
	if len(winners) != 1 {
		e.Errorf("%d of %d concurrent saves with version %d succeeded, want 1",
			len(winners), contenders, rec.Version)
		return
	}
	e.wantStored(winners[0])
}

func raceDeleteWins(e *env) {
	for i := range rounds() {
		rec := e.createFor(fmt.Sprint(i), e.name("subject"))
		var deleted atomic.Bool
		concurrently(contenders/2, func(n int) {
			if n == 0 {
				if err := e.second.Delete(e.ctx, rec.Key); err != nil {
					e.Errorf("Delete = %v", err)
				}
				deleted.Store(true)
				return
			}
			e.saveUntilGone(e.handle(n), rec, &deleted)
		})
		e.wantNowhere(rec)
	}
}

// saveUntilGone saves the record repeatedly until it is gone. After a conflict it loads the
// record, as the manager does.
func (e *env) saveUntilGone(h store.Store, rec store.Record, deleted *atomic.Bool) {
	for {
		before := deleted.Load()
		saved, err := h.Save(e.ctx, rec)
		if errors.Is(err, store.ErrConflict) {
			saved, err = h.Load(e.ctx, rec.Key)
		}
		if err != nil {
			e.wantErr(err, store.ErrNotFound, "Save or Load while the record is deleted")
			return
		}
		if before {
			e.Errorf("Save or Load found the record after Delete had returned")
			return
		}
		rec = saved
	}
}

func nothingIsLost(e *env) {
	each := 100
	if testing.Short() {
		each = 10
	}
	rec := e.record("counter")
	rec.Data = make([]byte, 8)
	rec = e.save(rec)
	concurrently(contenders, func(n int) {
		for range each {
			if !e.increment(e.handle(n), rec.Key) {
				return
			}
		}
	})
	end, err := e.store.Load(e.ctx, rec.Key)
	if err != nil || len(end.Data) != 8 {
		e.Fatalf("Load of the counter = %d bytes, %v", len(end.Data), err)
	}
	if got, want := binary.BigEndian.Uint64(end.Data), uint64(contenders*each); got != want {
		e.Errorf("%d goroutines with %d increments each counted to %d, want %d",
			contenders, each, got, want)
	}
}

// increment adds one to the counter. It loads, saves and retries as the contract allows, and
// reports whether it succeeded.
func (e *env) increment(h store.Store, key string) bool {
	var rec store.Record
	for e.ctx.Err() == nil {
		var err error
		if rec.Version == 0 {
			if rec, err = h.Load(e.ctx, key); err != nil || len(rec.Data) != 8 {
				e.Errorf("Load of the counter = %d bytes, %v", len(rec.Data), err)
				return false
			}
		}
		next := rec
		next.Data = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(rec.Data)+1)
		rec, err = h.Save(e.ctx, next)
		if err == nil {
			return true
		}
		if !errors.Is(err, store.ErrConflict) {
			e.Errorf("Save of the counter = %v, want success or ErrConflict", err)
			return false
		}
		if len(rec.Data) != 8 {
			rec.Version = 0
		}
		runtime.Gosched()
	}
	return false
}
