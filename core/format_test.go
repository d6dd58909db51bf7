package core

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// documentedRecords returns the records that docs/record-format.md shows in hexadecimal.
func documentedRecords(t *testing.T) []record.Snapshot {
	t.Helper()
	page, err := os.ReadFile("../docs/record-format.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []record.Snapshot
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

// TestDocumentedRecords checks the examples of docs/record-format.md, which programs in other
// languages rely on.
func TestDocumentedRecords(t *testing.T) {
	t.Parallel()
	all := documentedRecords(t)
	if len(all) != 4 {
		t.Fatalf("the page has %d worked examples, want 4", len(all))
	}
	first, second := counting(0), counting(0)
	tail := counting(32)
	copy(second[16:], tail[16:])
	h := all[0].Header()
	if !h.Digest.Matches(&first) {
		t.Error("first example: the digest is not the secret's")
	}
	h.Digest = ticket.Digest{}
	equal(t, "header of the first example", fmt.Sprintf("%+v", h), fmt.Sprintf("%+v", record.Header{
		Times: record.Times{
			Created: 1767225600000, Seen: 1767229200000, Extended: 1767225600000, Idle: 2592000000, Authenticated: 1767225660000,
		},
		Identity: record.Identity{CookieName: []byte("session"), Subject: []byte("ann")},
	}))
	_, visits, _ := all[0].Find("visits")
	_, theme, _ := all[0].Find("theme")
	equal(t, "visits and theme", string(visits)+string(theme), `3"dark"`)
	h = all[1].Header()
	equal(t, "renewal of the second example", h.History.Rotated(), h.Seen)
	equal(t, "own expiry of the second example", h.OwnIdle, true)
	equal(t, "cookie of the second example", h.Cookie, record.CookieRemember)
	equal(t, "digest of the second example", h.Digest, second.Digest())
	equal(t, "retired secrets of the second example", h.History.Len(), 1)
	for at, accepted := range map[int64]bool{h.Seen: true, h.Seen + 29_999: true, h.Seen + 30_000: false} {
		current, ok := h.History.Current(first, h.Digest, at)
		equal(t, "the sealed secret of the second example at "+sprint(at), ok && current == second, accepted)
	}
	equal(t, "the history of the second example", h.History.Issued(&first) && h.History.Issued(&second), true)
	equal(t, "authentication of the second example", fmt.Sprint(h.Account.Proof()), "{[pwd otp] [{2 1767225660000}]}")
	equal(t, "device of the second example", h.Account.Device(), record.Device{IP: "192.0.2.7", UserAgent: "Mozilla/5.0"})
	third := counting(0x60)
	h = all[2].Header()
	equal(t, "digest of the third example", h.Digest, third.Digest())
	equal(t, "authentication of the third example", fmt.Sprint(h.Account.Proof()), "{[pwd otp] [{2 1767229200000}]}")
	equal(t, "undelivered, in the third example", all[2].Undelivered(), true)
	v := verified{snap: all[2], ticket: ticket.Ticket{Secret: first}}
	equal(t, "standing of the former secret of the third example", v.standingAt(h.Seen, 0), standingFormer)
	at, proof := v.formerProof()
	equal(t, "former proof of the third example", fmt.Sprint(at, proof), "1767225660000 {[pwd] [{1 1767225660000}]}")
	added := record.Extensions(nil).AppendExtension(2, []byte("new"))
	equal(t, "extensions of the third example", string(h.Extensions), string(added))
	h = all[3].Header()
	equal(t, "end of the fourth example", Reason(all[3].Ended()), ReasonSignedOut)
	equal(t, "subject, proof and values of the fourth example", string(h.Subject)+sprint(h.Authenticated)+sprint(all[3].Len()), "00")
	equal(t, "extensions of the fourth example", string(h.Extensions), string(added))
	for secret, wanted := range map[ticket.Secret]standing{first: standingEnded, third: standingEnded, second: standingUnknown} {
		v := verified{snap: all[3], ticket: ticket.Ticket{Secret: secret}}
		equal(t, "standing of a secret of the fourth example", v.standingAt(h.Seen, 0), wanted)
	}
	id := uuid.MustParse("019b7705-5400-7a3c-8d21-5f0e6c7b9a42")
	equal(t, "cookie value", textOf(&ticket.Ticket{ID: id, Secret: first}), "AZt3BVQAejyNIV8ObHuaQgABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f")
	ks := keyspace{prefix: "session:", cookieName: "session"}
	equal(t, "index key", ks.subjectKey("ann"), "vSnWVV7wrm2XTRA1Vd_YxfnsdZo0yOEPspg6jhWjQmA")
}
