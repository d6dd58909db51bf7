package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// editions is a record that one goroutine saves over and over while others read it. Subject,
// data and expiry of each edition follow from its number, so a mixture of two editions can be
// recognized.
type editions struct {
	*env
	key       string
	base      time.Time
	byVersion sync.Map // from uint64 to the number of the edition, a byte
	reads     atomic.Int32
}

func tornReads(e *env) {
	ed := &editions{env: e, key: e.name("a"), base: time.Now().Add(time.Hour)}
	e.save(ed.edition(0))
	ctx, stop := context.WithCancel(e.ctx)
	concurrently(5, func(n int) {
		if n == 0 {
			defer stop()
			ed.saveAll()
			return
		}
		for ctx.Err() == nil {
			ed.read(n)
			ed.reads.Add(1)
		}
	})
}

// edition returns edition number n of the record.
func (ed *editions) edition(n int) store.Record {
	return store.Record{
		Key:     ed.key,
		Subject: fmt.Sprint(ed.unique, "subject", n%4),
		Data:    bytes.Repeat([]byte{byte(n)}, 1<<14+n%256*16),
		Expires: ed.base.Add(time.Duration(n%256) * time.Minute),
	}
}

// saveAll saves editions until there have been enough of them and enough reads.
func (ed *editions) saveAll() {
	enough := 10 * rounds()
	rec, err := ed.store.Load(ed.ctx, ed.key)
	for n := 1; err == nil && (n < enough || int(ed.reads.Load()) < enough); n++ {
		next := ed.edition(n)
		next.Version = rec.Version
		if rec, err = ed.store.Save(ed.ctx, next); err == nil {
			ed.byVersion.Store(rec.Version, byte(n))
		}
	}
	if err != nil {
		ed.Errorf("saving while others read = %v", err)
	}
}

// read reads the record by several methods and checks what they return.
func (ed *editions) read(n int) {
	h := ed.handle(n)
	rec, err := h.Load(ed.ctx, ed.key)
	if err != nil {
		ed.Errorf("Load while the record is saved = %v, want the record before or after", err)
		return
	}
	ed.check("Load", rec)
	rec.Version = 0
	if rec, _ = h.Save(ed.ctx, rec); rec.Version != 0 {
		ed.check("Save with ErrConflict", rec)
	}
	if s, ok := h.(store.Indexer); ok && n%2 == 0 {
		found, _ := s.BySubject(ed.ctx, fmt.Sprint(ed.unique, "subject", n%4))
		for _, rec := range found {
			ed.check("BySubject", rec)
		}
	}
	if s, ok := h.(store.Lister); ok && n%2 == 1 {
		found, _ := ed.pages(s, ed.key, 10)
		for _, rec := range found {
			ed.check("List", rec)
		}
	}
}

// check checks that all parts of rec belong to the same edition, and that it is the one saved
// with rec's version.
func (ed *editions) check(method string, rec store.Record) {
	ed.Helper()
	if len(rec.Data) == 0 {
		ed.Errorf("%s returned a record without its data", method)
		return
	}
	number := rec.Data[0]
	want := ed.edition(int(number))
	want.Version = rec.Version
	want.Key = rec.Key
	if diff := ed.diff(&rec, &want); diff != "" {
		ed.Errorf("%s returned a mixture of records: the data begins with %d, but there is %s",
			method, number, diff)
	}
	if saved, ok := ed.byVersion.Load(rec.Version); ok && saved != number {
		ed.Errorf("%s returned version %d with the data of another version", method, rec.Version)
	}
}
