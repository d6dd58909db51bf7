package memstore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
	"github.com/cloakroom-go/sessions/core/store"
)

// TestErased deletes the records of a subject, small ones and a large one, and looks at what the store refers to. No entry,
// index or list leads to them any more. The bytes of a small record stay in its chunk, where no call reads them, until the
// store drops the chunk: at the latest when the records beside it have been saved again and the chunk is full.
func TestErased(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	var others, erased []store.Record
	for n := range 2000 {
		others = append(others, s.must(t, typical(n, fmt.Sprint("other", n%7))))
	}
	for n := range 100 {
		rec := typical(1_000_000+n, "the-erased-subject")
		rec.Data = fmt.Append(nil, "the-erased-data", strings.Repeat("x", n%2*largeData))
		erased = append(erased, s.must(t, rec))
	}
	traces := []string{"the-erased-subject", "the-erased-data"}
	for _, rec := range erased {
		var id uuidtext.ID
		if !uuidtext.Parse(rec.Key[len("session:"):], &id) {
			t.Fatalf("%q has no id", rec.Key)
		}
		traces = append(traces, string(id[:]))
	}
	if found := s.found(traces); len(found) != len(traces) {
		t.Fatalf("%d of %d traces are found before anything is deleted, so nothing is tested", len(found), len(traces))
	}
	for _, rec := range erased {
		if err := s.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, s) // Every entry has its place in the index and the lists, and no list has more.
	for i := range s.shards {
		for e := range s.shards[i].entries.len {
			if s.shards[i].subjectOf(e) == "the-erased-subject" {
				t.Errorf("%q is still there", s.shards[i].keyOf(e))
			}
		}
		if _, ok := s.shards[i].subjects[s.shards[i].holderOf("the-erased-subject")]; ok {
			t.Error("the subject still has a list")
		}
	}
	for range 10 {
		for i := range others {
			others[i] = s.must(t, others[i])
		}
	}
	for _, text := range s.found(traces) {
		t.Errorf("a chunk still has %q, or in hexadecimal %s", text, hex.EncodeToString([]byte(text)))
	}
}

// found returns those of the texts that are anywhere in the chunks of the arenas, whether a record has them or not.
func (s *Store) found(texts []string) (found []string) {
	var all []byte
	for i := range s.shards {
		for _, c := range s.shards[i].arena.chunks {
			if c != nil {
				all = append(append(append(all, c.buf...), c.subjects.String()...), c.large...)
			}
		}
	}
	for _, text := range texts {
		if bytes.Contains(all, []byte(text)) {
			found = append(found, text)
		}
	}
	return found
}
