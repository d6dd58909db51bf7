package core

import (
	"encoding/hex"
	"fmt"
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
	first, second := counting(0), counting(0)
	tail := counting(32)
	copy(second[sharedSize:], tail[sharedSize:])
	h := all[0].head()
	if !h.digest.matches(&first) {
		t.Error("first example: the digest is not the secret's")
	}
	h.digest = digest{}
	equal(t, "head of the first example", fmt.Sprintf("%+v", h), fmt.Sprintf("%+v", head{
		life:   life{created: 1767225600000, seen: 1767229200000, issued: 1767225600000, idle: 2592000000, auth: 1767225660000},
		holder: holder{name: []byte("session"), subject: []byte("ann")},
	}))
	_, visits, _ := all[0].find("visits")
	_, theme, _ := all[0].find("theme")
	equal(t, "visits and theme", string(visits)+string(theme), `3"dark"`)
	h = all[1].head()
	equal(t, "renewal of the second example", h.lineage.renewed(), h.seen)
	equal(t, "grace of the second example", h.lineage.former(0).until(), h.seen+30_000)
	equal(t, "own expiry of the second example", h.own, true)
	equal(t, "cookie of the second example", h.span, spanRemember)
	equal(t, "digest of the second example", h.digest, second.digest())
	followed, ok := h.lineage.follow(first, h.digest, h.seen)
	equal(t, "the sealed secret of the second example", ok && followed == second, true)
	equal(t, "the line of the second example", h.lineage.bore(&first) && h.lineage.bore(&second), true)
	equal(t, "authentication of the second example", fmt.Sprint(h.account.auth()), "{[pwd otp] 2}")
	equal(t, "device of the second example", h.account.device(), device{ip: "192.0.2.7", agent: "Mozilla/5.0"})
	id := uuid.MustParse("019b7705-5400-7a3c-8d21-5f0e6c7b9a42")
	equal(t, "cookie value", (&ticket{id: id, secret: first}).token(), "AZt3BVQAejyNIV8ObHuaQgABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f")
	m := &Manager{name: "session", prefix: "session:"}
	equal(t, "index key", m.subjectKey("ann"), "vSnWVV7wrm2XTRA1Vd_YxfnsdZo0yOEPspg6jhWjQmA")
}
