package storetest

import (
	"bytes"
	"context"
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
			rule: "Of many concurrent saves with Version 0 exactly one succeeds and the others meet ErrConflict; two that succeed are two sessions in one record.",
		},
		{
			name: "OneReplaceWins", run: oneReplaceWins,
			rule: "Of many concurrent saves with one version exactly one succeeds and the others meet ErrConflict; what a second one saved would be lost.",
		},
		{
			name: "R1DeleteWins", run: raceDeleteWins,
			rule: "Once Delete has returned the record is gone, however many saves of it were under way: dead stays dead (CVE-2025-46336).",
		},
		{
			name: "R4NothingIsLost", run: nothingIsLost,
			rule: "Writers that load, change, save and try again after ErrConflict lose nothing: the counter ends at the number of increments.",
		},
		{
			name: "TornReads", run: tornReads,
			rule: "A read at once with a Save returns the record before it or after it, never a mixture of their data, subject, expiry and version.",
		},
		{
			name: "Everything", run: everything,
			rule: "All methods at once on a few keys give results that some order of the calls explains: no version twice, nothing stale after a save returned, nothing alive after a delete returned, nothing lost.",
		},
	}
}

const contenders = 16

func oneCreateWins(e *env) {
	for i := range rounds() {
		key := e.name(fmt.Sprint(i))
		e.oneWins(store.Record{Key: key, Expires: time.Now().Add(time.Hour)})
	}
}

func oneReplaceWins(e *env) {
	for i := range rounds() {
		e.oneWins(e.create(fmt.Sprint(i)))
	}
}

// oneWins saves rec many times at once, and checks that what the winner saved is stored.
func (e *env) oneWins(rec store.Record) {
	e.Helper()
	var mu sync.Mutex
	var winners []store.Record
	together(contenders, func(n int) {
		mine := rec
		mine.Data = fmt.Append(nil, "of contender ", n)
		saved, err := e.handle(n).Save(e.ctx, mine)
		if err != nil {
			e.is(err, store.ErrConflict, "Save(version %d) at once with others", rec.Version)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		mine.Version = saved.Version
		winners = append(winners, mine)
	})
	if len(winners) != 1 {
		e.Errorf("%d of %d concurrent saves with version %d succeeded, want 1", len(winners), contenders, rec.Version)
		return
	}
	e.stored(winners[0])
}

func raceDeleteWins(e *env) {
	for i := range rounds() {
		rec := e.createFor(fmt.Sprint(i), e.name("subject"))
		var deleted atomic.Bool
		together(contenders/2, func(n int) {
			if n == 0 {
				if err := e.second.Delete(e.ctx, rec.Key); err != nil {
					e.Errorf("Delete = %v", err)
				}
				deleted.Store(true)
				return
			}
			e.saveUntilGone(e.handle(n), rec, &deleted)
		})
		e.nowhere(rec)
	}
}

// saveUntilGone saves the record again and again, loading it after conflicts as the manager does, until it is gone.
func (e *env) saveUntilGone(h store.Store, rec store.Record, deleted *atomic.Bool) {
	for {
		before := deleted.Load()
		saved, err := h.Save(e.ctx, rec)
		if errors.Is(err, store.ErrConflict) {
			saved, err = h.Load(e.ctx, rec.Key)
		}
		if err != nil {
			e.is(err, store.ErrNotFound, "Save or Load while the record is deleted")
			return
		}
		if before {
			e.Errorf("Save or Load after Delete had returned found the record alive")
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
	together(contenders, func(n int) {
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
		e.Errorf("%d goroutines with %d increments each made %d, want exactly %d", contenders, each, got, want)
	}
}

// increment counts one up by the protocol of the contract.
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

// edition returns a record all of whose parts tell the number n.
func (e *env) edition(key string, n int, base time.Time) store.Record {
	return store.Record{
		Key: key, Subject: fmt.Sprint(e.unique, "subject", n%4),
		Data:    bytes.Repeat([]byte{byte(n)}, 1<<14+n%256*16),
		Expires: base.Add(time.Duration(n%256) * time.Minute),
	}
}

// whole checks that all parts of rec belong to one edition.
func (e *env) whole(method string, rec store.Record, base time.Time) {
	e.Helper()
	if len(rec.Data) == 0 {
		e.Errorf("%s returned a record without its data", method)
		return
	}
	want := e.edition(rec.Key, int(rec.Data[0]), base)
	want.Version = rec.Version
	if diff := e.diff(&rec, &want); diff != "" {
		e.Errorf("%s returned a mixture: the data begins with %d, and there is %s", method, rec.Data[0], diff)
	}
}

func tornReads(e *env) {
	key, base := e.name("a"), time.Now().Add(time.Hour)
	e.save(e.edition(key, 0, base))
	ctx, stop := context.WithCancel(e.ctx)
	var versions sync.Map // version to edition
	var reads atomic.Int32
	together(5, func(n int) {
		if n == 0 {
			defer stop()
			e.publish(key, base, &versions, &reads)
			return
		}
		for ctx.Err() == nil {
			e.readAll(e.handle(n), key, n, base, &versions)
			reads.Add(1)
		}
	})
}

// publish saves one edition after the other until there have been enough of them and enough reads.
func (e *env) publish(key string, base time.Time, versions *sync.Map, reads *atomic.Int32) {
	rec, err := e.store.Load(e.ctx, key)
	for n := 1; err == nil && (n < 10*rounds() || int(reads.Load()) < 10*rounds()); n++ {
		next := e.edition(key, n, base)
		next.Version = rec.Version
		if rec, err = e.store.Save(e.ctx, next); err == nil {
			versions.Store(rec.Version, byte(n))
		}
	}
	if err != nil {
		e.Errorf("saving while others read = %v", err)
	}
}

// readAll reads the record by one of the methods and checks what comes.
func (e *env) readAll(h store.Store, key string, n int, base time.Time, versions *sync.Map) {
	check := func(method string, rec store.Record) {
		e.whole(method, rec, base)
		if edition, ok := versions.Load(rec.Version); ok && len(rec.Data) > 0 && edition != rec.Data[0] {
			e.Errorf("%s returned version %d with the data of another", method, rec.Version)
		}
	}
	rec, err := h.Load(e.ctx, key)
	if err != nil {
		e.Errorf("Load while the record is saved = %v, want the record before or after", err)
		return
	}
	check("Load", rec)
	rec.Version = 0
	if rec, _ = h.Save(e.ctx, rec); rec.Version != 0 {
		check("Save with ErrConflict", rec)
	}
	if s, ok := h.(store.Indexer); ok && n%2 == 0 {
		found, _ := s.BySubject(e.ctx, fmt.Sprint(e.unique, "subject", n%4))
		for _, rec := range found {
			check("BySubject", rec)
		}
	}
	if s, ok := h.(store.Lister); ok && n%2 == 1 {
		found, _ := e.pages(s, key, 10)
		for _, rec := range found {
			check("List", rec)
		}
	}
}
