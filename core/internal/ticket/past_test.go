package ticket

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
)

// lineOf returns a line for the secret that counts up from first.
func lineOf(kind Kind, until int64, first byte) Line {
	s := counting(first)
	return Line{Kind: kind, Until: until, Digest: s.Digest()}
}

func equalLine(tb testing.TB, what string, got, wanted *Line) {
	tb.Helper()
	equal(tb, what+": kind", got.Kind, wanted.Kind)
	equal(tb, what+": until", got.Until, wanted.Until)
	equal(tb, what+": authenticated", got.Authenticated, wanted.Authenticated)
	equal(tb, what+": digest", got.Digest, wanted.Digest)
	equal(tb, what+": proof", string(got.Proof), string(wanted.Proof))
}

func TestPastRoundTrip(t *testing.T) {
	t.Parallel()
	former := lineOf(Former, Undelivered, 3)
	former.Authenticated, former.Proof = 1_767_225_660_000, []byte("how they proved it")
	latest := lineOf(Former, MaxMillis, 5)
	latest.Authenticated, latest.Proof = MaxMillis, []byte(strings.Repeat("p", 0xffff))
	for name, lines := range map[string][]Line{
		"none": nil,
		"one":  {lineOf(Over, 2000, 1)},
		"each kind": {
			lineOf(Over, 1, 1), lineOf(Spent, 1000, 2), former, lineOf(Twin, Undelivered, 4),
			lineOf(LesserTwin, 2000, 5),
		},
		"largest": {latest, lineOf(Twin, MaxMillis, 6)},
	} {
		p := NewPast(lines)
		equal(t, name+": Valid", p.Valid(), true)
		equal(t, name+": spare memory", cap(p)-len(p), 0)
		got := p.Lines()
		equal(t, name+": lines", len(got), len(lines))
		for i := range got {
			equalLine(t, name+": line "+strconv.Itoa(i), &got[i], &lines[i])
		}
		equal(t, name+": encoded again", string(NewPast(got)), string(p))
	}
}

// The encoding of a line is written down for other languages; see docs/record-format.md.
func TestPastEncoding(t *testing.T) {
	t.Parallel()
	line := lineOf(Former, 0x0102030405, 7)
	line.Authenticated, line.Proof = 0x0a0b0c, []byte{2, 0, 0}
	p := NewPast([]Line{line})
	wanted := "\x03" + "\x00\x00\x00\x01\x02\x03\x04\x05" + "\x00\x00\x00\x00\x00\x0a\x0b\x0c" +
		string(line.Digest[:]) + "\x00\x03" + "\x02\x00\x00"
	equal(t, "encoding", string(p), wanted)
	for kind, number := range map[Kind]byte{Over: 1, Spent: 2, Former: 3, Twin: 4, LesserTwin: 5} {
		equal(t, "number of a kind", byte(kind), number)
	}
}

// A Past keeps the newest MaxLines lines.
func TestPastOfManyLines(t *testing.T) {
	t.Parallel()
	const n = MaxLines + 3
	lines := make([]Line, n)
	for i := range lines {
		lines[i] = lineOf(Twin, int64(i+1), byte(i))
	}
	p := NewPast(lines)
	equal(t, "Valid", p.Valid(), true)
	equal(t, "lines", len(p.Lines()), MaxLines)
	for i := range lines {
		s := counting(byte(i))
		line, ok := p.Find(&s)
		equal(t, "line "+strconv.Itoa(i)+" is there", ok, i >= n-MaxLines)
		if ok {
			equal(t, "its end", line.Until, int64(i+1))
		}
	}
	extra := append(append(Past{}, p...), NewPast(lines[:1])...)
	equal(t, "one line too many is valid", extra.Valid(), false)
}

func TestPastFind(t *testing.T) {
	t.Parallel()
	p := NewPast([]Line{lineOf(Over, 1, 1), lineOf(Spent, 2, 2), lineOf(Twin, 3, 3)})
	for first, kind := range map[byte]Kind{1: Over, 2: Spent, 3: Twin} {
		s := counting(first)
		line, ok := p.Find(&s)
		equal(t, "found", ok, true)
		equal(t, "kind", line.Kind, kind)
		s[31] ^= 1
		_, ok = p.Find(&s)
		equal(t, "found with another bit", ok, false)
	}
	digest := lineOf(Over, 1, 1).Digest
	asSecret := Secret(digest)
	_, ok := p.Find(&asSecret)
	equal(t, "a digest finds its line", ok, false)
	s := counting(1)
	_, ok = Past(nil).Find(&s)
	equal(t, "found in an empty past", ok, false)
}

// A past is invalid if it is cut, and if a kind or a time is impossible.
func TestPastValid(t *testing.T) {
	t.Parallel()
	former := lineOf(Former, Undelivered, 2)
	former.Authenticated, former.Proof = 1000, []byte("pwd")
	lines := []Line{lineOf(Over, 2000, 1), former, lineOf(Twin, Undelivered, 3)}
	p := NewPast(lines)
	ends := map[int]bool{0: true}
	for i := range lines {
		ends[len(NewPast(lines[:i+1]))] = true
	}
	for n := range p {
		equal(t, "valid when cut to "+strconv.Itoa(n), p[:n].Valid(), ends[n])
	}
	equal(t, "a byte too many", append(append(Past{}, p...), 0).Valid(), false)
	for name, tc := range map[string]struct {
		at    int
		value uint64
		valid bool
	}{
		"latest until":         {1, MaxMillis, true},
		"until too late":       {1, MaxMillis + 1, false},
		"until is negative":    {1, 1 << 63, false},
		"latest proof":         {9, MaxMillis, true},
		"proof too late":       {9, MaxMillis + 1, false},
		"proof before its era": {9, 1 << 63, false},
	} {
		changed := append(Past{}, p...)
		binary.BigEndian.PutUint64(changed[tc.at:], tc.value)
		equal(t, name, changed.Valid(), tc.valid)
	}
	for kind := range 256 {
		changed := append(Past{}, p...)
		changed[0] = byte(kind)
		equal(t, "kind "+strconv.Itoa(kind), changed.Valid(), kind >= 1 && kind <= 5)
	}
	long := append(Past{}, p...)
	binary.BigEndian.PutUint16(long[lineSize-2:], 0xffff)
	equal(t, "proof longer than the data", long.Valid(), false)
}

func TestPastUndelivered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lines  []Line
		wanted bool
	}{
		"none":  {nil, false},
		"known": {[]Line{lineOf(Twin, 1, 1), lineOf(Spent, 2000, 2)}, false},
		"first": {[]Line{lineOf(Twin, Undelivered, 1), lineOf(Spent, 2000, 2)}, true},
		"last":  {[]Line{lineOf(Over, 1, 1), lineOf(Former, Undelivered, 2)}, true},
	} {
		equal(t, name, NewPast(tc.lines).Undelivered(), tc.wanted)
	}
}

// The time of a line ends at its instant, and it is forgotten a minute later. A time that has not
// begun does not end.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		until, now       int64
		ended, forgotten bool
	}{
		{1000, 0, false, false},
		{1000, 999, false, false},
		{1000, 1000, true, false},
		{1000, 999 + Remembered, true, false},
		{1000, 1000 + Remembered, true, true},
		{MaxMillis, MaxMillis - 1, false, false},
		{Undelivered, 0, false, false},
		{Undelivered, MaxMillis, false, false},
	} {
		line := lineOf(Twin, tc.until, 1)
		name := strconv.FormatInt(tc.until, 10) + " at " + strconv.FormatInt(tc.now, 10)
		equal(t, name+": Ended", line.Ended(tc.now), tc.ended)
		equal(t, name+": Forgotten", line.Forgotten(tc.now), tc.forgotten)
	}
}

// FuzzPast reads any bytes without a panic. What is valid is encoded again as it was.
func FuzzPast(f *testing.F) {
	former := lineOf(Former, Undelivered, 2)
	former.Authenticated, former.Proof = 1000, []byte("pwd")
	f.Add([]byte(nil))
	f.Add([]byte(NewPast([]Line{lineOf(Over, 2000, 1)})))
	f.Add([]byte(NewPast([]Line{lineOf(Spent, 2000, 1), former, lineOf(Twin, Undelivered, 3)})))
	f.Add([]byte(NewPast(make([]Line, MaxLines))))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Past(data)
		s := counting(1)
		p.Find(&s)
		p.Undelivered()
		lines := p.Lines()
		if p.Valid() {
			equal(t, "encoded again", string(NewPast(lines)), string(p))
		}
	})
}
