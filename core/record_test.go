package core

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// sample returns a record with everything in it.
func sample() (Record, head, []entry) {
	h := head{
		digest: digest{1},
		life: life{
			created: 1_700_000_000_000, seen: 1_700_000_001_000, issued: 1_700_000_002_000, idle: 3_600_000, auth: 1_700_000_003_000, own: true,
			span: spanRemember,
		},
		holder: holder{
			name: []byte("session"), subject: []byte("ann"),
			lineage: lineage(nil).extend(secret{2}, secret{3}, 1_700_000_001_000, 1_700_000_031_000),
			account: newAccount(&Auth{Methods: []string{"pwd", "otp"}, Level: 2}, device{ip: "192.0.2.1", agent: "browser"}),
		},
	}
	entries := []entry{{[]byte("visits"), []byte("1")}, {[]byte(""), []byte{}}, {[]byte("note"), []byte(`"x"`)}}
	return encodeRecord(&Record{Key: "k", Version: 7}, &h, entries).rec, h, entries
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rec, h, entries := sample()
	snap, err := decodeRecord(rec)
	want(t, err, nil)
	equal(t, "head", fmt.Sprintf("%+v", snap.head()), fmt.Sprintf("%+v", h))
	equal(t, "count", int(snap.count), len(entries))
	i := 0
	snap.each(func(k, v []byte) {
		if !bytes.Equal(k, entries[i].key) || !bytes.Equal(v, entries[i].value) {
			t.Errorf("entry %d is %q: %q", i, k, v)
		}
		_, got, ok := snap.find(string(k))
		if !ok || !bytes.Equal(got, v) {
			t.Errorf("find(%q) gives %q, %v", k, got, ok)
		}
		i++
	})
	if _, _, ok := snap.find("absent"); ok {
		t.Error("found what is not there")
	}
	head := snap.head()
	again := encodeRecord(&rec, &head, entries)
	equal(t, "encoded again", string(again.rec.Data), string(rec.Data))
}

// headEnd returns where the values of a record begin: what lies before is under the checksum.
func headEnd(tb testing.TB, rec Record) int {
	tb.Helper()
	snap, err := decodeRecord(rec)
	want(tb, err, nil)
	return int(snap.values)
}

// S2: each bit of the head is guarded; so is each length.
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
	want(t, err, errDamaged)
}

// S3: lengths that promise more than there is cost nothing.
func TestS3LengthBombs(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	rec, _, _ := sample()
	end := headEnd(t, rec)
	for at := range end {
		bomb := Record{Data: append(bytes.Clone(rec.Data[:at]), bytes.Repeat([]byte{0xff}, 64)...)}
		if n := testing.AllocsPerRun(1, func() { _, _ = decodeRecord(bomb) }); n > 0 {
			t.Fatalf("a bomb at %d costs %v allocations", at, n)
		}
	}
}

// S2 and S5 through a request: absent, an event, a new session on the next write, and nothing else fails.
func TestS2DamagedRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		damage func(data []byte) []byte
		why    error
	}{
		"garbage":         {func([]byte) []byte { return []byte("garbage") }, errFormat},
		"empty":           {func([]byte) []byte { return nil }, errFormat},
		"cut":             {func(b []byte) []byte { return b[:len(b)/2] }, errDamaged},
		"S5 next version": {func(b []byte) []byte { b[0] = formatVersion + 1; return b }, errFormat},
		"unknown flag":    {func(b []byte) []byte { b[1] |= 1 << 7; return b }, errDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events recorder
			log, out := debugLog()
			store := newSpy()
			m := newTestManager(t, Options{Store: store, OnEvent: events.add, Logger: log})
			c := newClient(t, m)
			c.visit(set(t, 1))
			old := c.ticketOf()
			rec := store.stored(t, key(m.prefix, old.id))
			rec.Data = tc.damage(bytes.Clone(rec.Data))
			_, err := store.store.Save(t.Context(), rec)
			want(t, err, nil)
			reply := c.visit(func(s *Session) {
				equal(t, "IsNew", s.IsNew(), true)
				equal(t, "visits", visits.Get(s), 0)
			})
			equal(t, "Set-Cookie", reply.SetCookie, "")
			c.visit(set(t, 2))
			equal(t, "the id is used again", c.ticketOf().id == old.id, false)
			found := false
			for _, e := range events.after(t, m) {
				if e.Kind == EventUndecodable {
					found = true
					want(t, e.Err, tc.why)
					equal(t, "id", e.SessionID, old.id.String())
				}
			}
			equal(t, "event", found, true)
			if !strings.Contains(out.String(), "undecodable") {
				t.Error("the operator is not told")
			}
		})
	}
}

// Damage that comes while a request runs ends the session for that request.
func TestS2DamageBeforeTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(set(t, 1))
	s := c.arrive()
	rec := store.stored(t, m.prefix+c.id())
	rec.Data = []byte("garbage")
	_, err := store.store.Save(t.Context(), rec)
	want(t, err, nil)
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
}

// S2: a record of somebody else's making that has a key twice costs no other key what it is given.
func TestS2KeyTwice(t *testing.T) {
	t.Parallel()
	h := head{holder: holder{name: []byte("session")}}
	twice := encodeRecord(&Record{}, &h, []entry{{[]byte("a"), []byte("1")}, {[]byte("a"), []byte("2")}})
	base := snapshot{rec: twice.rec}
	want(t, base.decode(), nil)
	d := &delta{}
	d.put(change{key: []byte("a"), value: []byte("3"), present: true})
	d.put(change{key: []byte("b"), value: []byte("4"), present: true})
	if out := d.entries(nil, &base); len(out) != 3 || string(out[2].key) != "b" {
		t.Errorf("the new key is not there: %q", out)
	}
}

// A damaged value is that value's damage only.
func TestS2DamagedValue(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, visits.Set(s, 1), nil); want(t, note.Set(s, "x"), nil) })
	rec := store.stored(t, m.prefix+c.id())
	rec.Data = bytes.Clone(rec.Data)
	at := bytes.LastIndex(rec.Data, []byte(`"x"`))
	rec.Data[at] = '?'
	_, err := store.store.Save(t.Context(), rec)
	want(t, err, nil)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		_, ok := note.Lookup(s)
		equal(t, "the damaged one is there", ok, false)
	})
}

func FuzzRecord(f *testing.F) {
	rec, h, entries := sample()
	f.Add(rec.Data, uint16(0), byte(0))
	f.Add(rec.Data, uint16(40), byte(1))
	f.Add([]byte{}, uint16(0), byte(0))
	h.lineage, h.account, h.own, h.subject = nil, nil, false, nil
	f.Add(encodeRecord(&Record{}, &h, entries[:1]).rec.Data, uint16(3), byte(0x80))
	end := headEnd(f, rec)
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		// Whatever the bytes are: no panic, and what decodes comes back from its own encoding.
		if snap, err := decodeRecord(Record{Data: data, Version: 1}); err == nil {
			again(t, &snap)
		} else if !errors.Is(err, errDamaged) && !errors.Is(err, errFormat) {
			t.Fatalf("unknown error %v", err)
		}
		// One byte of a good head: it never becomes somebody else's.
		damaged := bytes.Clone(rec.Data)
		damaged[int(at)%end] ^= flip
		snap, err := decodeRecord(Record{Data: damaged})
		if flip != 0 && err == nil {
			t.Fatalf("damage at %d reads as subject %q", int(at)%end, snap.subject())
		}
	})
}

// again encodes what was decoded and compares.
func again(t *testing.T, snap *snapshot) {
	t.Helper()
	var entries []entry
	snap.each(func(k, v []byte) {
		entries = append(entries, entry{k, v})
		if _, _, ok := snap.find(string(k)); !ok {
			t.Fatalf("%q is listed and not found", k)
		}
	})
	head := snap.head()
	second, err := decodeRecord(encodeRecord(&snap.rec, &head, entries).rec)
	if err != nil || fmt.Sprintf("%+v", second.head()) != fmt.Sprintf("%+v", head) ||
		!bytes.Equal(second.rec.Data[second.values:], snap.rec.Data[snap.values:]) || second.count != snap.count {
		t.Fatalf("encoded again it is another record: %v", err)
	}
}
