package fiberstore

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// A value is a magic, which has the version of the format, the version, the expiry as seconds and
// nanoseconds, the length of the subject, the subject, and the data.
const (
	magic      = "cloakrm1"
	headerSize = len(magic) + 8 + 8 + 4 + 4
	noExpiry   = math.MaxUint32 // in place of the nanoseconds
)

// encode returns the value of a record. It shares no memory with the record.
func encode(rec *store.Record) []byte {
	seconds, nanos := int64(0), uint32(noExpiry)
	if !rec.Expires.IsZero() {
		seconds = rec.Expires.Unix()
		nanos = uint32(rec.Expires.Nanosecond()) //nolint:gosec // G115: below a billion
	}
	b := make([]byte, 0, headerSize+len(rec.Subject)+len(rec.Data))
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, rec.Version)
	b = binary.BigEndian.AppendUint64(b, uint64(seconds)) // decode reverses it
	b = binary.BigEndian.AppendUint32(b, nanos)
	length := uint32(len(rec.Subject)) //nolint:gosec // G115: subjects are short
	b = binary.BigEndian.AppendUint32(b, length)
	b = append(b, rec.Subject...)
	return append(b, rec.Data...)
}

// decode returns the record of a value. It shares no memory with the value, which may be the
// storage's own. It returns false for a value that encode has not written.
func decode(key string, value []byte) (rec store.Record, ok bool) {
	if len(value) < headerSize || !bytes.HasPrefix(value, []byte(magic)) {
		return store.Record{}, false
	}
	head, rest := value[len(magic):headerSize], value[headerSize:]
	rec = store.Record{Key: key, Version: binary.BigEndian.Uint64(head)}
	seconds := int64(binary.BigEndian.Uint64(head[8:])) //nolint:gosec // G115: reverses encode
	nanos := binary.BigEndian.Uint32(head[16:])
	if nanos != noExpiry {
		rec.Expires = time.Unix(seconds, int64(nanos))
	}
	subject := uint64(binary.BigEndian.Uint32(head[20:]))
	if rec.Version == 0 || subject > uint64(len(rest)) {
		return store.Record{}, false
	}
	rec.Subject, rec.Data = string(rest[:subject]), bytes.Clone(rest[subject:])
	return rec, true
}

// maxLife is the longest that a storage is asked to keep a value. Some of them count seconds in 32
// bits.
const maxLife = 20 * 365 * 24 * time.Hour

// lifeOf returns how long the storage has to keep the value, in whole seconds, of which some
// storages drop the rest. The value has the exact expiry.
func lifeOf(expires time.Time) time.Duration {
	left := time.Until(expires)
	if expires.IsZero() || left > maxLife {
		return 0
	}
	return left.Truncate(time.Second) + 2*time.Second
}
