package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/store"
)

// sample returns a record in which every field is set.
func sample() (store.Record, Header, []Entry) {
	h := Header{
		Digest: ticket.Digest{1},
		Times: Times{
			Created: 1_700_000_000_000, Seen: 1_700_000_001_000, Extended: 1_700_000_002_000, Idle: 3_600_000, Authenticated: 1_700_000_003_000, OwnIdle: true,
			Cookie: CookieRemember,
		},
		Identity: Identity{
			CookieName: []byte("session"), Subject: []byte("ann"),
			History: ticket.History(nil).Append(ticket.Secret{2}, ticket.Secret{3}, 1_700_000_001_000, 1_700_000_031_000),
			Account: NewAccount(&Proof{Methods: []string{"pwd", "otp"}, Levels: at(2, 1_700_000_003_000)}, Device{IP: "192.0.2.1", UserAgent: "browser"}),
			Past: ticket.NewPast([]ticket.Line{
				{Kind: ticket.Over, Until: 1_700_000_031_000, Digest: ticket.Digest{4}},
				{
					Kind: ticket.Former, Digest: ticket.Digest{5}, Authenticated: 1_700_000_000_500,
					Proof: NewAccount(&Proof{Methods: []string{"pwd"}, Levels: at(1, 1_700_000_000_500)}, Device{}),
				},
			}),
			Ended:      []byte("signed_out"),
			Extensions: Extensions(nil).AppendExtension(2, []byte("later")).AppendExtension(300, nil),
		},
	}
	entries := []Entry{{[]byte("visits"), []byte("1")}, {[]byte(""), []byte{}}, {[]byte("note"), []byte(`"x"`)}}
	return encode(&store.Record{Key: "k", Version: 7}, &h, entries).Record, h, entries
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rec, h, entries := sample()
	snap, err := decodeRecord(rec)
	want(t, err, nil)
	equal(t, "head", fmt.Sprintf("%+v", snap.Header()), fmt.Sprintf("%+v", h))
	equal(t, "count", int(snap.count), len(entries))
	i := 0
	snap.Each(func(k, v []byte) {
		if !bytes.Equal(k, entries[i].Key) || !bytes.Equal(v, entries[i].Value) {
			t.Errorf("entry %d is %q: %q", i, k, v)
		}
		_, got, ok := snap.Find(string(k))
		if !ok || !bytes.Equal(got, v) {
			t.Errorf("find(%q) gives %q, %v", k, got, ok)
		}
		i++
	})
	if _, _, ok := snap.Find("absent"); ok {
		t.Error("found what is not there")
	}
	head := snap.Header()
	again := encode(&rec, &head, entries)
	equal(t, "encoded again", string(again.Record.Data), string(rec.Data))
}

// The zero Snapshot stands for a session that is not stored.
func TestEmptySnapshot(t *testing.T) {
	t.Parallel()
	var s Snapshot
	equal(t, "stored", s.Stored(), false)
	equal(t, "subject", s.Subject(), "")
	equal(t, "cookie name", string(s.CookieName()), "")
	equal(t, "digest", s.Digest(), ticket.Digest{})
	equal(t, "secret since", s.SecretSince(), 0)
	equal(t, "entries", s.Len(), 0)
	equal(t, "has a past", s.HasPast(), false)
	equal(t, "undelivered", s.Undelivered(), false)
	equal(t, "has ended", s.HasEnded(), false)
	equal(t, "reason", s.Ended(), "")
	equal(t, "header", fmt.Sprintf("%+v", s.Header()), fmt.Sprintf("%+v", Header{}))
	s.Each(func(_, _ []byte) { t.Error("it has an entry") })
	if _, _, ok := s.Find(""); ok {
		t.Error("it has a value")
	}
	want(t, s.Decode(), ErrDamaged)
}

func TestSnapshotAccessors(t *testing.T) {
	t.Parallel()
	rec, h, entries := sample()
	s, err := decodeRecord(rec)
	want(t, err, nil)
	equal(t, "stored", s.Stored(), true)
	equal(t, "subject", s.Subject(), "ann")
	equal(t, "cookie name", string(s.CookieName()), "session")
	equal(t, "digest", s.Digest(), h.Digest)
	equal(t, "entries", s.Len(), len(entries))
	equal(t, "history", string(s.Identity().History), string(h.History))
	equal(t, "account", string(s.Identity().Account), string(h.Account))
	equal(t, "past", string(s.Identity().Past), string(h.Past))
	equal(t, "has a past", s.HasPast(), true)
	equal(t, "undelivered", s.Undelivered(), true)
	equal(t, "has ended", s.HasEnded(), true)
	equal(t, "reason", s.Ended(), "signed_out")
	equal(t, "extensions", string(s.Identity().Extensions), string(h.Extensions))
	name, value, _ := s.Find("note")
	equal(t, "room behind a key", cap(name), len(name))
	equal(t, "room behind a value", cap(value), len(value))
	equal(t, "room behind the data", cap(rec.Data), len(rec.Data))
}

// SecretSince is the time of the start, of the last login or of the last rotation, whichever is
// latest.
func TestSecretSince(t *testing.T) {
	t.Parallel()
	rotated := ticket.History(nil).Append(ticket.Secret{2}, ticket.Secret{3}, 300, 400)
	for name, tc := range map[string]struct {
		h      Header
		wanted int64
	}{
		"start":               {Header{Times: Times{Created: 100, Seen: 900, Extended: 900}}, 100},
		"login":               {Header{Times: Times{Created: 100, Authenticated: 200}}, 200},
		"rotation":            {Header{Times: Times{Created: 100, Authenticated: 200}, Identity: Identity{History: rotated}}, 300},
		"login after renewal": {Header{Times: Times{Created: 100, Authenticated: 500}, Identity: Identity{History: rotated}}, 500},
	} {
		s := encode(&store.Record{}, &tc.h, nil)
		equal(t, name, s.SecretSince(), tc.wanted)
	}
}

// Each value of CookiePersistence is read back.
func TestCookiePersistenceFlags(t *testing.T) {
	t.Parallel()
	for _, p := range []CookiePersistence{CookiePolicy, CookieRemember, CookieForget, CookieLasting} {
		s, err := decodeRecord(encode(&store.Record{}, &Header{Times: Times{Cookie: p}}, nil).Record)
		want(t, err, nil)
		equal(t, "persistence", s.Cookie, p)
	}
}

// resum corrects the checksum of a record whose values take n bytes.
func resum(rec *store.Record, n int) {
	end := len(rec.Data) - n - 4
	binary.BigEndian.PutUint32(rec.Data[end:], checksum(rec.Data[:end]))
}

// Records with a correct checksum and impossible contents are refused.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	late := Times{Created: ticket.MaxMillis + 1}
	for name, rec := range map[string]store.Record{
		"extensions that are missing": withFlags(flagExtended),
		"past that is missing":        withFlags(flagPast),
		"end that is missing":         withFlags(flagEnded),
		"history that is missing":     withFlags(flagHistory),
		"account that is missing":     withFlags(flagAccount),
		"impossible time":             encode(&store.Record{}, &Header{Times: late}, nil).Record,
		"impossible history":          encode(&store.Record{}, &Header{Identity: Identity{History: make(ticket.History, 23)}}, nil).Record,
		"impossible account":          encode(&store.Record{}, &Header{Identity: Identity{Account: Account{1}}}, nil).Record,
		"impossible past":             encode(&store.Record{}, &Header{Identity: Identity{Past: make(ticket.Past, 51)}}, nil).Record,
		"past that is cut":            encode(&store.Record{}, &Header{Identity: Identity{Past: ticket.Past{1, 2}}}, nil).Record,
		"past of nine lines":          encode(&store.Record{}, &Header{Identity: Identity{Past: nineLines()}}, nil).Record,
	} {
		if _, err := decodeRecord(rec); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error is %v, want %v", name, err, ErrDamaged)
		}
	}
	_, err := decodeRecord(encode(&store.Record{}, &Header{Times: Times{Created: ticket.MaxMillis}}, nil).Record)
	want(t, err, nil)
}

// withFlags returns a record whose flags announce a field that it does not have: in its place
// stands the number of entries, which is read as an empty field.
func withFlags(flags byte) store.Record {
	rec := encode(&store.Record{}, &Header{}, nil).Record
	rec.Data[1] |= flags
	resum(&rec, 0)
	return rec
}

func nineLines() ticket.Past {
	line := ticket.Line{Kind: ticket.Twin, Until: 1, Digest: ticket.Digest{1}}
	one := ticket.NewPast([]ticket.Line{line})
	return bytes.Repeat(one, ticket.MaxLines+1)
}

// A record has a past if a secret from before is still remembered, and is undelivered if the time
// of one has not begun.
func TestHasPast(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000_000
	renewed := func(until int64) ticket.History {
		return ticket.History(nil).Append(ticket.Secret{2}, ticket.Secret{3}, now, until)
	}
	lines := func(kind ticket.Kind, until int64) ticket.Past {
		return ticket.NewPast([]ticket.Line{{Kind: kind, Until: until, Digest: ticket.Digest{1}}})
	}
	for name, tc := range map[string]struct {
		id                Identity
		past, undelivered bool
	}{
		"nothing":              {Identity{}, false, false},
		"account":              {Identity{Account: NewAccount(&Proof{Levels: at(1, 5)}, Device{})}, false, false},
		"renewed":              {Identity{History: renewed(ticket.Undelivered)}, true, true},
		"renewed, delivered":   {Identity{History: renewed(now + 1)}, true, false},
		"renewed, no grace":    {Identity{History: renewed(now)}, false, false},
		"stepped up":           {Identity{Past: lines(ticket.Former, ticket.Undelivered)}, true, true},
		"stepped up, spent":    {Identity{Past: lines(ticket.Spent, now)}, true, false},
		"over":                 {Identity{Past: lines(ticket.Over, now)}, true, false},
		"twin":                 {Identity{Past: lines(ticket.Twin, ticket.Undelivered)}, true, true},
		"twin and a renewal":   {Identity{History: renewed(now + 1), Past: lines(ticket.Twin, ticket.Undelivered)}, true, true},
		"over and undelivered": {Identity{History: renewed(ticket.Undelivered), Past: lines(ticket.Over, now)}, true, true},
	} {
		s, err := decodeRecord(encode(&store.Record{}, &Header{Identity: tc.id}, nil).Record)
		want(t, err, nil)
		equal(t, name+": has a past", s.HasPast(), tc.past)
		equal(t, name+": undelivered", s.Undelivered(), tc.undelivered)
		equal(t, name+": has ended", s.HasEnded(), false)
	}
}

// A touch changes only the expiry of the store's record. The times are derived from it.
func TestApplyTouchedExpiry(t *testing.T) {
	t.Parallel()
	const seen, hour = 1_700_000_000_000, 3_600_000
	for name, tc := range map[string]struct {
		idle    int64
		expires int64 // after seen; 0 for never
		now     int64 // after seen
		wanted  int64 // after seen
	}{
		"not touched":                    {hour, hour, 1000, 0},
		"touched":                        {hour, 2*hour + 5, 2 * hour, hour + 5},
		"touched by a clock ahead":       {hour, 2 * hour, hour / 2, hour / 2},
		"rounded up to a second":         {hour, hour + 1000, 5000, 0},
		"a little more than rounding":    {hour, hour + 1001, 5000, 1001},
		"rounding of a short timeout":    {5000, 5500, 5000, 0},
		"touch of a short timeout":       {5000, 5501, 5000, 501},
		"permanent":                      {0, hour, hour, 0},
		"record that never expires":      {hour, 0, hour, 0},
		"earlier, as under a lifetime":   {hour, hour / 2, hour, 0},
		"now is before the last use":     {hour, 2 * hour, -hour, 0},
		"clock behind, touched a little": {hour, hour + 2000, 500, 0},
	} {
		s := Snapshot{Times: Times{Created: 1, Seen: seen, Extended: seen - 7, Idle: tc.idle}}
		if tc.expires != 0 {
			s.Record.Expires = time.UnixMilli(seen + tc.expires)
		}
		s.ApplyTouchedExpiry(seen + tc.now)
		issued := int64(seen - 7)
		if tc.wanted != 0 {
			issued = seen + tc.wanted
		}
		equal(t, name+": seen", s.Seen, seen+tc.wanted)
		equal(t, name+": issued", s.Extended, issued)
	}
}

// headEnd returns where the values of a record begin. Everything before them is under the
// checksum.
func headEnd(tb testing.TB, rec store.Record) int {
	tb.Helper()
	snap, err := decodeRecord(rec)
	want(tb, err, nil)
	return int(snap.values)
}

// S2: the checksum guards each bit of the header, and each length is checked.
func TestS2EveryBitOfTheHead(t *testing.T) {
	t.Parallel()
	rec, _, _ := sample()
	for at := range headEnd(t, rec) {
		for bit := range 8 {
			damaged := rec
			damaged.Data = bytes.Clone(rec.Data)
			damaged.Data[at] ^= 1 << bit
			if _, err := decodeRecord(damaged); err == nil {
				t.Fatalf("byte %d, bit %d: the damage is not noticed", at, bit)
			}
		}
	}
	for n := range len(rec.Data) {
		short := rec
		short.Data = rec.Data[:n]
		if _, err := decodeRecord(short); err == nil {
			t.Fatalf("cut to %d bytes: the damage is not noticed", n)
		}
	}
	long := rec
	long.Data = append(bytes.Clone(rec.Data), 0)
	_, err := decodeRecord(long)
	want(t, err, ErrDamaged)
}

// S3: a length beyond the end of the data costs no memory.
func TestS3LengthBombs(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	rec, _, _ := sample()
	end := headEnd(t, rec)
	for at := range end {
		bomb := store.Record{Data: append(bytes.Clone(rec.Data[:at]), bytes.Repeat([]byte{0xff}, 64)...)}
		if n := testing.AllocsPerRun(1, func() { _, _ = decodeRecord(bomb) }); n > 0 {
			t.Fatalf("a bomb at %d costs %v allocations", at, n)
		}
	}
}

func FuzzRecord(f *testing.F) {
	rec, h, entries := sample()
	f.Add(rec.Data, uint16(0), byte(0))
	f.Add(rec.Data, uint16(40), byte(1))
	f.Add([]byte{}, uint16(0), byte(0))
	f.Add(laterVersion(2, rec.Data), uint16(1), byte(0x20))
	h.Extensions = h.Extensions.AppendExtension(7, []byte("critical"))
	f.Add(encode(&store.Record{}, &h, entries).Record.Data, uint16(1), byte(0x40))
	h.Extensions = nil
	f.Add(encode(&store.Record{}, &h, entries).Record.Data, uint16(1), byte(0x80))
	h.Ended = nil
	f.Add(encode(&store.Record{}, &h, entries).Record.Data, uint16(150), byte(4))
	h.Past = ticket.NewPast(make([]ticket.Line, 1))
	f.Add(encode(&store.Record{}, &h, entries).Record.Data, uint16(150), byte(1))
	h.Past = nil
	h.History, h.Account, h.OwnIdle, h.Subject = nil, nil, false, nil
	f.Add(encode(&store.Record{}, &h, entries[:1]).Record.Data, uint16(3), byte(0x80))
	end := headEnd(f, rec)
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		// Decoding any bytes does not panic, and what decodes can be encoded again.
		if snap, err := decodeRecord(store.Record{Data: data, Version: 1}); err == nil {
			again(t, &snap)
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) {
			t.Fatalf("unknown error %v", err)
		}
		// A header in which one byte was changed does not decode.
		damaged := bytes.Clone(rec.Data)
		damaged[int(at)%end] ^= flip
		snap, err := decodeRecord(store.Record{Data: damaged})
		if flip != 0 && err == nil {
			t.Fatalf("damage at %d reads as subject %q", int(at)%end, snap.Subject())
		}
	})
}

// again encodes a decoded record again and compares the two.
func again(t *testing.T, snap *Snapshot) {
	t.Helper()
	var entries []Entry
	snap.Each(func(k, v []byte) {
		entries = append(entries, Entry{k, v})
		if _, _, ok := snap.Find(string(k)); !ok {
			t.Fatalf("%q is listed and not found", k)
		}
	})
	head := snap.Header()
	second, err := decodeRecord(encode(&snap.Record, &head, entries).Record)
	if err != nil || fmt.Sprintf("%+v", second.Header()) != fmt.Sprintf("%+v", head) ||
		!bytes.Equal(second.Record.Data[second.values:], snap.Record.Data[snap.values:]) || second.count != snap.count {
		t.Fatalf("encoded again it is another record: %v", err)
	}
}

func decodeRecord(rec store.Record) (snap Snapshot, err error) {
	snap.Record = rec
	err = snap.Decode()
	return snap, err
}

// equal fails the test unless got equals wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}

// want fails the test unless err is the target, or nil if the target is nil.
func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("error is %v, want %v", err, target)
	}
}

// encode returns the snapshot of a record with this header and these entries.
func encode(rec *store.Record, h *Header, entries []Entry) Snapshot {
	s := Snapshot{Record: *rec}
	s.Encode(h, entries)
	return s
}
