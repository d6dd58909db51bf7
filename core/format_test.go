package core

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// documented returns the records that docs/record-format.md spells out in hex.
func documented(t *testing.T) []snapshot {
	t.Helper()
	page, err := os.ReadFile("../docs/record-format.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []snapshot
	for _, block := range regexp.MustCompile("(?s)```\n([0-9a-f\n]+)```").FindAllStringSubmatch(string(page), -1) {
		data, err := hex.DecodeString(strings.ReplaceAll(block[1], "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		s, err := decodeRecord(Record{Data: data})
		if err != nil {
			t.Fatalf("the documented record does not decode: %v", err)
		}
		out = append(out, s)
	}
	return out
}

// counting returns the secret of 32 bytes counting up from first.
func counting(first byte) (s secret) {
	for i := range s {
		s[i] = first + byte(i)
	}
	return s
}

// TestDocumentedRecords holds the page on the record format against the code, for those who read records elsewhere.
func TestDocumentedRecords(t *testing.T) {
	t.Parallel()
	all := documented(t)
	if len(all) != 2 {
		t.Fatalf("the page has %d worked examples, want 2", len(all))
	}
	first, second := counting(0), counting(32)
	h := &all[0].head
	if string(h.name) != "session" || string(h.subject) != "ann" || !h.digest.matches(&first) || h.created != 1767225600000 ||
		h.seen != 1767229200000 || h.issued != 1767225600000 || h.idle != 2592000000 || h.auth != 1767225660000 || h.own || h.grace != 0 {
		t.Errorf("first example: %+v", h)
	}
	visits, _ := all[0].find("visits")
	theme, _ := all[0].find("theme")
	if string(visits) != "3" || string(theme) != `"dark"` || all[0].count != 2 {
		t.Errorf("first example: visits %s, theme %s", visits, theme)
	}
	h = &all[1].head
	if !h.own || h.grace != h.seen+30_000 || !h.previous.matches(&first) || !h.digest.matches(&second) || seal(first, h.seal, h.digest) != second {
		t.Errorf("second example: %+v", h)
	}
	id := uuid.MustParse("019b7705-5400-7a3c-8d21-5f0e6c7b9a42")
	if got := (&ticket{id: id, secret: first}).token(); got != "AZt3BVQAejyNIV8ObHuaQgABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f" {
		t.Errorf("cookie value %s", got)
	}
	m := &Manager{name: "session", prefix: "session:"}
	if got := m.subjectKey("ann"); got != "vSnWVV7wrm2XTRA1Vd_YxfnsdZo0yOEPspg6jhWjQmA" {
		t.Errorf("index key %s", got)
	}
}
