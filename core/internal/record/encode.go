package record

import (
	"encoding/binary"
	"slices"
)

// An Entry is a key with its encoded value.
type Entry struct {
	Key   []byte
	Value []byte
}

// Encode sets the data of s.Record to this header and these entries. The other fields of
// s.Record stay.
func (s *Snapshot) Encode(h *Header, entries []Entry) {
	s.Times, s.count = h.Times, uint32(len(entries))
	b := append(make([]byte, 0, sizeOf(h, entries)), formatVersion, h.flags())
	b = append(b, h.Digest[:]...)
	for _, n := range [...]int64{h.Created, h.Seen, h.Extended, h.Idle, h.Authenticated} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	s.identity = uint32(len(b))
	b = binary.AppendUvarint(h.append(b), uint64(len(entries)))
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
}

// sizeOf estimates the size of the encoded record. The estimate is close because the store
// keeps the whole allocation: the fixed part with its times, and two lengths for each entry.
func sizeOf(h *Header, entries []Entry) int {
	size := 80 + len(h.CookieName) + len(h.Subject) + len(h.History) + len(h.Account) +
		len(h.Past) + len(h.Ended) + len(h.Extensions)
	for i := range entries {
		size += len(entries[i].Key) + len(entries[i].Value) + 3
	}
	return size
}
