package record

import (
	"encoding/binary"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// A reader reads fields from the front of data. After a failure it returns zero values.
type reader struct {
	data   []byte
	at     int
	failed bool
}

// fail skips the rest of the data.
func (r *reader) fail() { r.at, r.failed = len(r.data), true }

// offset returns where the next field begins.
func (r *reader) offset() uint32 { return uint32(r.at) }

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

// length reads a length, which cannot exceed the length of the data.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) millis() int64 {
	n := r.uvarint()
	if n > ticket.MaxMillis {
		r.fail()
		return 0
	}
	return int64(n)
}

// uvarint reads a number. Most numbers are below 128, so this case can be inlined.
func (r *reader) uvarint() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint64 {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		r.fail()
		return 0
	}
	r.at += size
	return n
}

// sizes skips count entries of the table of keys and returns the sum of their values' lengths.
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

// entry reads a key and the length of its value. It has a fast path for lengths below 128,
// because most lengths are and a session may have many entries.
func (r *reader) entry() (key []byte, size int) {
	if start := r.at + 1; start <= len(r.data) {
		end := start + int(r.data[r.at])
		if end < start+0x80 && end < len(r.data) && r.data[end] < 0x80 {
			r.at = end + 1
			return r.data[start:end:end], int(r.data[end])
		}
	}
	return r.bytes(), r.length()
}

// appendBytes appends a field that reader.bytes reads.
func appendBytes(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}
