package record

import (
	"encoding/binary"
	"slices"

	"github.com/cloakroom-go/sessions/core/store"
)

// An Entry is a key with its encoded value.
type Entry struct {
	Key   []byte
	Value []byte
}

// Encode returns the snapshot of a record with this header and these entries. Key, version and
// the other fields of rec are kept.
func Encode(rec *store.Record, h *Header, entries []Entry) Snapshot {
	s := Snapshot{Record: *rec, Times: h.Times, count: uint32(len(entries))}
	b := append(make([]byte, 0, sizeOf(h, entries)), formatVersion, h.flags())
	b = append(b, h.Digest[:]...)
	for _, n := range [...]int64{h.Created, h.Seen, h.Issued, h.Idle, h.Authenticated} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	s.identity = uint32(len(b))
	b = binary.AppendUvarint(h.Identity.append(b), uint64(len(entries)))
	s.keys = uint32(len(b))
	for i := range entries {
		b = appendBytes(b, entries[i].Key)
		b = binary.AppendUvarint(b, uint64(len(entries[i].Value)))
	}
	b = binary.BigEndian.AppendUint32(b, checksum(b))
	s.values = uint32(len(b))
	for i := range entries {
		b = append(b, entries[i].Value...)
	}
	s.Record.Data = slices.Clip(b)
	return s
}

// sizeOf estimates the size of the encoded record. The estimate is close because the store
// keeps the whole allocation: the fixed part with its times, and two lengths for each entry.
func sizeOf(h *Header, entries []Entry) int {
	size := 80 + len(h.CookieName) + len(h.Subject) + len(h.History) + len(h.Account)
	for i := range entries {
		size += len(entries[i].Key) + len(entries[i].Value) + 3
	}
	return size
}
