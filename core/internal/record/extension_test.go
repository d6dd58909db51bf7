package record

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/cloakroom-go/sessions/core/store"
)

// laterVersion returns a record of another version, as a later release would write it: with
// whatever contents, and the checksum of everything at its end.
func laterVersion(version byte, contents []byte) []byte {
	data := append([]byte{version}, contents...)
	return binary.BigEndian.AppendUint32(data, checksum(data))
}

// A record of a later version is told from a damaged one by the checksum at its end.
func TestLaterVersion(t *testing.T) {
	t.Parallel()
	for version := range 256 {
		wanted := ErrFormat
		if version <= formatVersion {
			wanted = ErrDamaged
		}
		for _, contents := range []string{"", "x", "something of another layout"} {
			rec := store.Record{Data: laterVersion(byte(version), []byte(contents))}
			_, err := decodeRecord(rec)
			if err != wanted { //nolint:errorlint // It is not wrapped.
				t.Errorf("version %d with %q: error is %v, want %v", version, contents, err, wanted)
			}
		}
	}
	data := laterVersion(2, []byte("something of another layout"))
	for n := range data {
		_, err := decodeRecord(store.Record{Data: data[:n]})
		equal(t, "cut to "+strconv.Itoa(n), err, ErrDamaged)
	}
	for at := range data {
		for bit := range 8 {
			damaged := bytes.Clone(data)
			damaged[at] ^= 1 << bit
			_, err := decodeRecord(store.Record{Data: damaged})
			equal(t, "with bit "+strconv.Itoa(8*at+bit)+" changed", err, ErrDamaged)
		}
	}
	_, err := decodeRecord(store.Record{Data: append(bytes.Clone(data), 0)})
	want(t, err, ErrDamaged)
}

// A field with an even tag may be skipped, one with an odd tag may not.
func TestExtensions(t *testing.T) {
	t.Parallel()
	var none Extensions
	for name, tc := range map[string]struct {
		extensions Extensions
		wanted     error
	}{
		"even":                      {none.AppendExtension(2, []byte("x")), nil},
		"zero":                      {none.AppendExtension(0, nil), nil},
		"several, in any order":     {none.AppendExtension(4, []byte("x")).AppendExtension(2, []byte("y")), nil},
		"largest even":              {none.AppendExtension(1<<64-2, []byte("x")), nil},
		"odd":                       {none.AppendExtension(1, []byte("x")), ErrFormat},
		"largest odd":               {none.AppendExtension(1<<64-1, nil), ErrFormat},
		"odd after even":            {none.AppendExtension(2, []byte("x")).AppendExtension(3, nil), ErrFormat},
		"even after odd":            {none.AppendExtension(3, []byte("x")).AppendExtension(2, nil), ErrFormat},
		"tag without a field":       {Extensions{2}, ErrDamaged},
		"odd tag without a field":   {Extensions{1}, ErrDamaged},
		"field that is cut":         {Extensions{2, 5, 'x'}, ErrDamaged},
		"tag that does not end":     {Extensions{0x82}, ErrDamaged},
		"tag beyond 64 bits":        {append(bytes.Repeat([]byte{0xff}, 10), 1, 0), ErrDamaged},
		"odd, then one that is cut": {none.AppendExtension(1, nil)[:1:1], ErrDamaged},
	} {
		_, h, entries := sample()
		h.Extensions = tc.extensions
		s, err := decodeRecord(encode(&store.Record{}, &h, entries).Record)
		equal(t, name, err, tc.wanted)
		if err == nil {
			equal(t, name+": kept", string(s.Header().Extensions), string(tc.extensions))
		}
	}
}

// Decode finds damage before it looks at the format: a field of a later release is believed only
// in a record with the right checksum.
func TestDamageBeforeExtensions(t *testing.T) {
	t.Parallel()
	_, h, entries := sample()
	h.Extensions = h.Extensions.AppendExtension(1, []byte("critical"))
	rec := encode(&store.Record{}, &h, entries).Record
	s := Snapshot{Record: rec}
	equal(t, "as written", s.Decode(), ErrFormat)
	for at := range int(s.values) {
		for bit := range 8 {
			damaged := rec
			damaged.Data = bytes.Clone(rec.Data)
			damaged.Data[at] ^= 1 << bit
			_, err := decodeRecord(damaged)
			equal(t, "with bit "+strconv.Itoa(8*at+bit)+" changed", err, ErrDamaged)
		}
	}
}
