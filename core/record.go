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

// head is what a record says about itself.
type head struct {
	life
	holder
	digest digest // of the current secret
}

// life is the part of a head that every request asks for. Times are milliseconds of the Unix epoch.
type life struct {
	created int64
	seen    int64 // last use
	issued  int64 // when the life of session and cookie was last extended
	idle    int64 // the idle timeout in milliseconds; 0: permanent
	auth    int64 // when the subject signed in; 0: never
	own     bool  // idle was set for this session
	span    cookieSpan
}

// holder is the part that says whose the session is. The slices point into the record's data.
type holder struct {
	name    []byte // of the cookie
	subject []byte
	lineage lineage // of the secret
	account account // of the subject
}

// snapshot is a record as the store has it. Only its life is decoded, and where the rest stands: every request makes one.
type snapshot struct {
	rec Record
	life
	count  uint32
	holds  uint32 // where the holder stands in the data
	table  uint32 // where the table of keys stands: count times key length, key, value length
	values uint32 // where the values do
}

// entry is one key with its encoded value.
type entry struct {
	key   []byte
	value []byte
}

// decode reads what s.rec says about itself. Whatever the bytes are, it neither panics nor allocates. After an error only the
// record is of use.
func (s *snapshot) decode() error {
	r := reader{data: s.rec.Data}
	if version := r.byte(); version != formatVersion || len(r.data) > math.MaxInt32 {
		return errFormat
	}
	flags := r.byte()
	r.take(len(digest{}))
	s.readLife(&r, flags)
	s.holds = r.mark()
	if h := r.holder(flags); !h.valid(flags) || s.span > spanForget || flags&^flagsKnown != 0 {
		return errDamaged
	}
	s.count = uint32(r.length())
	s.table = r.mark()
	total := r.sizes(s.count)
	sum := checksum(r.data[:r.at])
	stored := r.uint32()
	s.values = r.mark()
	if r.failed || stored != sum || len(r.data)-r.at != total {
		return errDamaged
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // Looked up again for each record it is dear.

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

func (l *life) readLife(r *reader, flags byte) {
	l.created, l.seen, l.issued = r.millis(), r.millis(), r.millis()
	l.idle, l.auth = r.millis(), r.millis()
	l.own = flags&flagOwnExpiry != 0
	l.span = spanOf(flags)
}

// holder reads the fields that the flags say are there.
func (r *reader) holder(flags byte) (h holder) {
	h.name, h.subject = r.bytes(), r.bytes()
	if flags&flagLineage != 0 {
		h.lineage = r.bytes()
	}
	if flags&flagAccount != 0 {
		h.account = r.bytes()
	}
	return h
}

func (h *holder) valid(flags byte) bool {
	return (flags&flagLineage == 0 || h.lineage.valid()) && (flags&flagAccount == 0 || h.account.valid())
}

// sizes passes over so many keys and lengths of values, and returns the sum of the lengths.
func (r *reader) sizes(count uint32) (total int) {
	for range count {
		_, size := r.entry()
		if total += size; r.failed || total > len(r.data) {
			r.fail()
			break
		}
	}
	return total
}

// entry reads a key and the length of its value. Both lengths are usually below 128, and a session may have many.
func (r *reader) entry() (key []byte, size int) {
	if start := r.at + 1; start <= len(r.data) {
		if end := start + int(r.data[r.at]); end < start+0x80 && end < len(r.data) && r.data[end] < 0x80 {
			r.at = end + 1
			return r.data[start:end:end], int(r.data[end])
		}
	}
	return r.bytes(), r.length()
}

// holder returns whose the session is.
func (s *snapshot) holder() holder {
	if len(s.rec.Data) == 0 {
		return holder{}
	}
	r := reader{data: s.rec.Data, at: int(s.holds)}
	return r.holder(s.rec.Data[1])
}

// name returns that of the cookie.
func (s *snapshot) name() []byte {
	r := reader{data: s.rec.Data, at: int(s.holds)}
	return r.bytes()
}

func (s *snapshot) subject() string { return string(s.holder().subject) }

// digest returns that of the current secret.
func (s *snapshot) digest() (d digest) {
	if len(s.rec.Data) != 0 {
		d = digest(s.rec.Data[2:])
	}
	return d
}

// head returns all that the record says about itself.
func (s *snapshot) head() head { return head{s.life, s.holder(), s.digest()} }

// encodeRecord returns the snapshot of a record with this head and these entries. Key, version and the rest of rec are
// kept.
func encodeRecord(rec *Record, h *head, entries []entry) snapshot {
	// Close to what it takes, because the store keeps all of it: the fixed part with its times, and two lengths to an
	// entry.
	size := 80 + len(h.name) + len(h.subject) + len(h.lineage) + len(h.account)
	for i := range entries {
		size += len(entries[i].key) + len(entries[i].value) + 3
	}
	s := snapshot{rec: *rec, life: h.life, count: uint32(len(entries))}
	b := append(make([]byte, 0, size), formatVersion, h.flags())
	b = append(b, h.digest[:]...)
	for _, n := range [...]int64{h.created, h.seen, h.issued, h.idle, h.auth} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	s.holds = mark(b)
	b = binary.AppendUvarint(h.append(b), uint64(len(entries)))
	s.table = mark(b)
	for i := range entries {
		b = appendBytes(b, entries[i].key)
		b = binary.AppendUvarint(b, uint64(len(entries[i].value)))
	}
	b = binary.BigEndian.AppendUint32(b, checksum(b))
	s.values = mark(b)
	for i := range entries {
		b = append(b, entries[i].value...)
	}
	s.rec.Data = slices.Clip(b)
	return s
}

// mark returns where the next byte goes.
func mark(b []byte) uint32 { return uint32(len(b)) }

func (h *holder) append(b []byte) []byte {
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
func (s *snapshot) since() int64 { return max(s.created, s.auth, s.holder().lineage.renewed()) }

// each calls visit with each entry in order.
func (s *snapshot) each(visit func(key, value []byte)) {
	r := reader{data: s.rec.Data, at: int(s.table)}
	at := int(s.values)
	for range s.count {
		key, size := r.entry()
		visit(key, r.data[at:at+size:at+size])
		at += size
	}
}

// find returns the encoded value under key, and the key as it stands in the record.
func (s *snapshot) find(key string) (name, value []byte, ok bool) {
	r := reader{data: s.rec.Data, at: int(s.table)}
	at := int(s.values)
	for range s.count {
		name, size := r.entry()
		if string(name) == key {
			return name, r.data[at : at+size : at+size], true
		}
		at += size
	}
	return nil, nil, false
}

// stored reports whether the snapshot is of a record that is in the store.
func (s *snapshot) stored() bool { return s.rec.Version != 0 }

// reader takes fields off the front of data. After a failure it only returns zero values.
type reader struct {
	data   []byte
	at     int
	failed bool
}

// fail leaves nothing to be read.
func (r *reader) fail() { r.at, r.failed = len(r.data), true }

// mark returns where the next field begins.
func (r *reader) mark() uint32 { return uint32(r.at) }

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data)-r.at {
		r.fail()
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

func (r *reader) bytes() []byte { return r.take(r.length()) }

// length reads a length, which can never exceed the data it is part of.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n)
}

// maxMillis keeps times far from overflowing when durations are added to them.
const maxMillis = math.MaxInt64 / 4

func (r *reader) millis() int64 {
	n := r.uvarint()
	if n > maxMillis {
		r.fail()
		return 0
	}
	return int64(n)
}

// uvarint reads a number; most are below 128.
func (r *reader) uvarint() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.long()
}

func (r *reader) long() uint64 {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		r.fail()
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
