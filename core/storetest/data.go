package storetest

import (
	"bytes"
	"fmt"

	"github.com/cloakroom-go/sessions/core/store"
)

func dataCases() []testCase {
	return []testCase{
		{
			name: "RoundTrip", run: dataRoundTrip,
			rule: "Data comes back byte for byte, whatever it is: empty, every byte value, no text, 64 KiB. It is no string, no JSON and no number to the store.",
		},
		{
			name: "SubjectRoundTrip", run: subjectRoundTrip,
			rule: "The subject comes back as it was saved, whatever printable characters are in it.",
		},
		{
			name: "SavedStaysUntouched", run: savedStaysUntouched,
			rule: "The store never writes into the Data handed to Save, nor behind its end into spare capacity; the session goes on using those bytes.",
		},
		{
			name: "LoadedStaysUntouched", run: loadedStaysUntouched,
			rule: "Data that the store returned never changes afterwards, whatever happens to the record; a request may be reading it still.",
		},
	}
}

func payloads() [][]byte {
	every := make([]byte, 0, 256)
	for b := range 256 {
		every = append(every, byte(b))
	}
	return [][]byte{
		nil,
		{},
		{0},
		{0, 0, 0},
		{0xff},
		every,
		bytes.Repeat(every, 256), // 64 KiB
		make([]byte, 1<<16),
		[]byte("12"),
		[]byte("-1"),
		[]byte("1e3"),
		[]byte("null"),
		[]byte("a\x00b\x00"),
		[]byte("line\r\nEND\r\n"),
		[]byte("VALUE x 0 1\r\n"),
		[]byte("\xc3\x28 is not UTF-8"),
		[]byte("'; DROP TABLE sessions; --"),
		[]byte("trailing blanks   "),
	}
}

func dataRoundTrip(e *env) {
	rec := e.record("replaced")
	for i, data := range payloads() {
		created := e.record(fmt.Sprint("created", i))
		created.Data = bytes.Clone(data)
		e.stored(e.save(created))
		rec.Data = bytes.Clone(data)
		rec = e.save(rec)
		e.stored(rec)
	}
}

func subjectRoundTrip(e *env) {
	for i, name := range lookalikes() {
		rec := e.record(fmt.Sprint("record", i))
		rec.Subject = e.name(name)
		e.stored(e.save(rec))
	}
}

// guarded returns a copy of data with spare capacity, and a check that neither has been written to.
func guarded(data []byte) (handed []byte, intact func() bool) {
	const spare, mark = 64, 0xA5
	room := make([]byte, 0, len(data)+spare)
	room = append(room, data...)
	whole := room[:cap(room)]
	for i := len(data); i < len(whole); i++ {
		whole[i] = mark
	}
	want := bytes.Clone(whole)
	return room, func() bool { return bytes.Equal(whole, want) }
}

func savedStaysUntouched(e *env) {
	var checks []func() bool
	rec := e.record("a")
	save := func(content string) {
		handed, intact := guarded([]byte(content))
		checks = append(checks, intact)
		rec.Data = handed
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
	handed, intact := guarded([]byte("refused"))
	checks = append(checks, intact)
	stale.Version, stale.Data = 0, handed
	e.refused(stale, store.ErrConflict)
	e.disturb(rec)
	for i, intact := range checks {
		if !intact() {
			e.Errorf("the Data handed to Save number %d, or the spare room behind it, has been written to", i+1)
		}
	}
}

func loadedStaysUntouched(e *env) {
	rec := e.record("a")
	rec.Data, rec.Subject = []byte("aaaaaaaaaaaaaaaa"), e.name("subject")
	rec = e.save(rec)
	held := e.holdAll(rec)
	rec.Data = []byte("bbbbbbbbbbbbbbbb")
	rec = e.save(rec)
	held = append(held, e.holdAll(rec)...)
	e.disturb(rec)
	for _, h := range held {
		if !bytes.Equal(h.got, h.copied) {
			e.Errorf("Data returned by %s was %q and is %q now", h.method, h.copied, h.got)
		}
	}
}

// held is Data that the store returned, and what it was then.
type held struct {
	method      string
	got, copied []byte
}

// holdAll gets the record by every method that returns records.
func (e *env) holdAll(rec store.Record) (all []held) {
	e.Helper()
	hold := func(method string, recs ...store.Record) {
		for _, r := range recs {
			all = append(all, held{method, r.Data, bytes.Clone(r.Data)})
		}
	}
	loaded, err := e.store.Load(e.ctx, rec.Key)
	if err != nil {
		e.Fatalf("Load = %v", err)
	}
	hold("Load", loaded)
	stale := rec
	stale.Version = 0
	if current, _ := e.store.Save(e.ctx, stale); current.Version != 0 {
		hold("Save with ErrConflict", current)
	}
	if s, ok := e.store.(store.Indexer); ok {
		found, _ := s.BySubject(e.ctx, rec.Subject)
		hold("BySubject", found...)
	}
	if s, ok := e.store.(store.Lister); ok {
		hold("List", e.walk(s, rec.Key, 10)...)
	}
	return all
}

// disturb does to the record, and around it, what could make a store reuse its bytes.
func (e *env) disturb(rec store.Record) {
	e.Helper()
	if s, ok := e.store.(store.Toucher); ok {
		_ = s.Touch(e.ctx, extended(rec, rec.Expires.Add(60e9)))
	}
	rec.Data = bytes.Repeat([]byte("x"), len(rec.Data))
	e.save(rec)
	if err := e.store.Delete(e.ctx, rec.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	for i := range 20 {
		other := e.record(fmt.Sprint("other", i))
		other.Data = bytes.Repeat([]byte("y"), len(rec.Data))
		e.save(other)
		e.stored(e.create(fmt.Sprint("more", i)))
	}
}
