package storetest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func dataCases() []testCase {
	return []testCase{
		{
			name: "RoundTrip", run: dataRoundTrip,
			rule: "Data is returned byte for byte, whether it is empty, binary, text or 64 KiB " +
				"long. The store does not interpret it as a string, as JSON or as a number.",
		},
		{
			name: "SubjectRoundTrip", run: subjectRoundTrip,
			rule: "The subject is returned as it was saved, whatever printable characters it " +
				"contains.",
		},
		{
			name: "SavedStaysUntouched", run: savedStaysUntouched,
			rule: "The store never writes into the Data passed to Save, nor into spare capacity " +
				"after it. The session continues to use those bytes.",
		},
		{
			name: "LoadedStaysUntouched", run: loadedStaysUntouched,
			rule: "Data that the store returned never changes afterwards, whatever happens to " +
				"the record. A request may still be reading it.",
		},
	}
}

func dataRoundTrip(e *env) {
	rec := e.record("replaced")
	for i, data := range payloads() {
		created := e.record(fmt.Sprint("created", i))
		created.Data = bytes.Clone(data)
		e.wantStored(e.save(created))
		rec.Data = bytes.Clone(data)
		rec = e.save(rec)
		e.wantStored(rec)
	}
}

func subjectRoundTrip(e *env) {
	for i, name := range similarNames() {
		e.wantStored(e.createFor(fmt.Sprint("record", i), e.name(name)))
	}
}

// guardedCopy returns a copy of data with spare capacity, and a function that reports whether
// neither has been written to.
func guardedCopy(data []byte) (guarded []byte, intact func() bool) {
	const spare, mark = 64, 0xA5
	guarded = make([]byte, 0, len(data)+spare)
	guarded = append(guarded, data...)
	whole := guarded[:cap(guarded)]
	for i := len(data); i < len(whole); i++ {
		whole[i] = mark
	}
	want := bytes.Clone(whole)
	return guarded, func() bool { return bytes.Equal(whole, want) }
}

func savedStaysUntouched(e *env) {
	var checks []func() bool
	rec := e.record("a")
	save := func(content string) {
		guarded, intact := guardedCopy([]byte(content))
		checks = append(checks, intact)
		rec.Data = guarded
		saved, err := e.store.Save(e.ctx, rec)
		if err != nil {
			e.Fatalf("Save = %v", err)
		}
		rec.Version = saved.Version
	}
	save("the first")
	save("another ")
	save("longer than the others")
	stale := rec
	guarded, intact := guardedCopy([]byte("refused"))
	checks = append(checks, intact)
	stale.Version, stale.Data = 0, guarded
	e.wantRefused(stale, store.ErrConflict)
	e.provokeReuse(rec)
	for i, intact := range checks {
		if !intact() {
			e.Errorf("the store wrote into the Data of Save number %d or its spare capacity", i+1)
		}
	}
}

func loadedStaysUntouched(e *env) {
	rec := e.record("a")
	rec.Data, rec.Subject = []byte("aaaaaaaaaaaaaaaa"), e.name("subject")
	rec = e.save(rec)
	all := e.loadEveryWay(rec)
	rec.Data = []byte("bbbbbbbbbbbbbbbb")
	rec = e.save(rec)
	all = append(all, e.loadEveryWay(rec)...)
	e.provokeReuse(rec)
	for _, l := range all {
		if !bytes.Equal(l.data, l.original) {
			e.Errorf("Data returned by %s was %q and is now %q", l.method, l.original, l.data)
		}
	}
}

// loaded is Data that the store returned, with a copy of what it was then.
type loaded struct {
	method         string
	data, original []byte
}

// loadEveryWay loads the record by every method that returns records.
func (e *env) loadEveryWay(rec store.Record) (all []loaded) {
	e.Helper()
	add := func(method string, recs ...store.Record) {
		for _, r := range recs {
			all = append(all, loaded{method, r.Data, bytes.Clone(r.Data)})
		}
	}
	got, err := e.store.Load(e.ctx, rec.Key)
	if err != nil {
		e.Fatalf("Load = %v", err)
	}
	add("Load", got)
	stale := rec
	stale.Version = 0
	if current, _ := e.store.Save(e.ctx, stale); current.Version != 0 {
		add("Save with ErrConflict", current)
	}
	if s, ok := e.store.(store.Indexer); ok {
		found, _ := s.BySubject(e.ctx, rec.Subject)
		add("BySubject", found...)
	}
	if s, ok := e.store.(store.Lister); ok {
		add("List", e.walk(s, rec.Key, 10)...)
	}
	return all
}

// provokeReuse changes and deletes the record and saves others, which may lead a store to
// reuse its bytes.
func (e *env) provokeReuse(rec store.Record) {
	e.Helper()
	if s, ok := e.store.(store.Toucher); ok {
		_ = s.Touch(e.ctx, withExpires(rec, rec.Expires.Add(time.Minute)))
	}
	rec.Data = bytes.Repeat([]byte("x"), len(rec.Data))
	e.save(rec)
	e.delete(rec.Key)
	for i := range 20 {
		other := e.record(fmt.Sprint("other", i))
		other.Data = bytes.Repeat([]byte("y"), len(rec.Data))
		e.save(other)
		e.wantStored(e.create(fmt.Sprint("more", i)))
	}
}
