package core

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
)

// The record format, version 1; docs/record-format.md describes it for other languages. A fixed head and the table of keys
// come first, under one checksum; the values follow back to back, so that one key is read without touching the others.
const (
	formatVersion = 1

	flagLineage   = 1 << 0 // the secret was renewed
	flagOwnExpiry = 1 << 1 // the idle timeout was set for this session and does not follow the policy
	flagAccount   = 1 << 2 // it is known how or from where the subject signed in
	flagRemember  = 1 << 3 // the cookie outlives the browser, whatever the policy
	flagForget    = 1 << 4 // the cookie ends with the browser, whatever the policy
	flagsKnown    = flagLineage | flagOwnExpiry | flagAccount | flagRemember | flagForget
)

var (
	errDamaged = errors.New("sessions: record is damaged")
	errFormat  = errors.New("sessions: record has an unknown format version")
)

// head is what a record says about itself. Times are milliseconds of the Unix epoch.
type head struct {
	digest  digest // of the current secret
	created int64
	seen    int64 // last use
	issued  int64 // when the life of session and cookie was last extended
	idle    int64 // the idle timeout in milliseconds; 0: permanent
	auth    int64 // when the subject signed in; 0: never
	own     bool  // idle was set for this session
	span    cookieSpan
	name    []byte
	subject []byte
	lineage lineage // of the secret
	account account // of the subject
}

// snapshot is a record as the store has it, with its head decoded. The slices point into the record's data.
type snapshot struct {
	rec    Record
	head   head
	count  int
	table  []byte // count times: key length, key, value length
	values []byte
}

// entry is one key with its encoded value.
type entry struct {
	key   []byte
	value []byte
}

// decodeRecord reads the record's data. Whatever the bytes are, it neither panics nor allocates.
func decodeRecord(rec Record) (snapshot, error) {
	s := snapshot{rec: rec}
	r := reader{data: rec.Data}
	if version := r.byte(); version != formatVersion {
		return snapshot{}, errFormat
	}
	s.head.read(&r)
	s.count = r.length()
	start := r.at
	total := 0
	for range s.count {
		r.bytes()
		total += r.length()
		if r.failed || total > len(rec.Data) {
			return snapshot{}, errDamaged
		}
	}
	s.table = r.since(start)
	sum := crc32.Checksum(r.since(0), crc32.MakeTable(crc32.Castagnoli))
	if stored := r.uint32(); r.failed || stored != sum || len(rec.Data)-r.at != total {
		return snapshot{}, errDamaged
	}
	s.values = rec.Data[r.at:]
	return s, nil
}

func (h *head) read(r *reader) {
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		r.failed = true
	}
	r.fixed(h.digest[:])
	h.created, h.seen, h.issued = r.millis(), r.millis(), r.millis()
	h.idle, h.auth = r.millis(), r.millis()
	h.own = flags&flagOwnExpiry != 0
	h.span = spanOf(flags)
	h.name, h.subject = r.bytes(), r.bytes()
	if flags&flagLineage != 0 {
		h.lineage = r.bytes()
		r.failed = r.failed || !h.lineage.valid()
	}
	if flags&flagAccount != 0 {
		h.account = r.bytes()
		r.failed = r.failed || !h.account.valid()
	}
	r.failed = r.failed || h.span > spanForget
}

// encodeRecord returns the snapshot of a record with this head and these entries. Key, version and the rest of rec are
// kept.
func encodeRecord(rec Record, h *head, entries []entry) snapshot {
	// Close to what it takes, because the store keeps all of it: the fixed part with its times, and two lengths to an
	// entry.
	size := 80 + len(h.name) + len(h.subject) + len(h.lineage) + len(h.account)
	for i := range entries {
		size += len(entries[i].key) + len(entries[i].value) + 3
	}
	b := append(make([]byte, 0, size), formatVersion)
	b = h.append(b)
	b = binary.AppendUvarint(b, uint64(len(entries)))
	start := len(b)
	for i := range entries {
		b = appendBytes(b, entries[i].key)
		b = binary.AppendUvarint(b, uint64(len(entries[i].value)))
	}
	end := len(b)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	values := len(b)
	for i := range entries {
		b = append(b, entries[i].value...)
	}
	rec.Data = slices.Clip(b)
	return snapshot{rec: rec, head: *h, count: len(entries), table: b[start:end], values: b[values:]}
}

func (h *head) append(b []byte) []byte {
	b = append(append(b, h.flags()), h.digest[:]...)
	for _, n := range [...]int64{h.created, h.seen, h.issued, h.idle, h.auth} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = appendBytes(appendBytes(b, h.name), h.subject)
	for _, part := range [...][]byte{h.lineage, h.account} {
		if len(part) != 0 {
			b = appendBytes(b, part)
		}
	}
	return b
}

func (h *head) flags() (flags byte) {
	if len(h.lineage) != 0 {
		flags |= flagLineage
	}
	if h.own {
		flags |= flagOwnExpiry
	}
	if len(h.account) != 0 {
		flags |= flagAccount
	}
	return flags | h.span.flag()
}

// cookieSpan says whether a session's cookie outlives the browser.
type cookieSpan uint8

const (
	spanPolicy   cookieSpan = iota // as the manager has it
	spanRemember                   // it does
	spanForget                     // it does not
	spanDamaged                    // both at once
)

func (s cookieSpan) flag() byte { return [...]byte{0, flagRemember, flagForget, 0}[s] }

func spanOf(flags byte) cookieSpan {
	switch flags & (flagRemember | flagForget) {
	case 0:
		return spanPolicy
	case flagRemember:
		return spanRemember
	case flagForget:
		return spanForget
	}
	return spanDamaged
}

// since returns when the current secret was made.
func (h *head) since() int64 { return max(h.created, h.auth, h.lineage.renewed()) }

// each calls visit with each entry in order.
func (s *snapshot) each(visit func(key, value []byte)) {
	r := reader{data: s.table}
	at := 0
	for range s.count {
		key, size := r.bytes(), int(r.uvarint())
		visit(key, s.values[at:at+size:at+size])
		at += size
	}
}

// find returns the encoded value under key.
func (s *snapshot) find(key string) (value []byte, ok bool) {
	r := reader{data: s.table}
	at := 0
	for range s.count {
		name, size := r.bytes(), int(r.uvarint())
		if string(name) == key {
			return s.values[at : at+size : at+size], true
		}
		at += size
	}
	return nil, false
}

// stored reports whether the snapshot is of a record that is in the store.
func (s *snapshot) stored() bool { return s.rec.Version != 0 }

// reader takes fields off the front of data. After a failure it only returns zero values.
type reader struct {
	data   []byte
	at     int
	failed bool
}

func (r *reader) since(start int) []byte {
	if r.failed {
		return nil
	}
	return r.data[start:r.at]
}

func (r *reader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.data)-r.at {
		r.failed = true
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at : r.at]
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) fixed(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *reader) bytes() []byte { return r.take(r.length()) }

// length reads a length, which can never exceed the data it is part of.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.failed = true
		return 0
	}
	return int(n)
}

// maxMillis keeps times far from overflowing when durations are added to them.
const maxMillis = math.MaxInt64 / 4

func (r *reader) millis() int64 {
	n := r.uvarint()
	if n > maxMillis {
		r.failed = true
		return 0
	}
	return int64(n)
}

func (r *reader) uvarint() uint64 {
	if r.failed {
		return 0
	}
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		r.failed = true
		return 0
	}
	r.at += size
	return n
}

func appendBytes(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}

// sameBytes reports whether the encoded value is what is stored already; absent differs from empty.
func sameBytes(a []byte, aOK bool, b []byte, bOK bool) bool {
	return aOK == bOK && bytes.Equal(a, b)
}
