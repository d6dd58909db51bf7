package memcachedstore

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// The value of an item is a header, the subject and the data. The header has these fields, all
// numbers in big-endian order:
//
//	magic    8 bytes
//	version  8 bytes
//	seconds  8 bytes, the expiry in seconds since the Unix epoch
//	nanos    4 bytes, the nanoseconds of the expiry, or noExpiry
//	length   4 bytes, the length of the subject
const (
	magic      = "cloakrm\x01"
	headerSize = 8 + 8 + 8 + 4 + 4
	noExpiry   = math.MaxUint32
)

// itemOverhead is what the server adds to the size of key and value when it applies its limit.
// With memcached 1.6.18 it is 59 bytes; the rest is a reserve.
const itemOverhead = 96

// leastMaxItem is the smallest valid Options.MaxItem, as with memcached itself. It has room
// for a key, a header and a little data.
const leastMaxItem = 1024

// itemSize returns how much of the server's limit the record needs.
func itemSize(rec *store.Record) int {
	return itemOverhead + len(wireKey(rec.Key)) + headerSize + len(rec.Subject) + len(rec.Data)
}

// item is a record as the server stores it.
type item struct {
	token   uint64 // the server's CAS token; unique only until the server restarts
	version uint64 // the record's version, never used again; 0 if the value is not a record
	expires time.Time
	subject string
	data    []byte
}

// live reports whether the item is a record that has not expired.
func (i *item) live(now time.Time) bool {
	return i.version != 0 && (i.expires.IsZero() || now.Before(i.expires))
}

func (i *item) record(key string) store.Record {
	return store.Record{
		Key: key, Subject: i.subject, Data: i.data, Expires: i.expires, Version: i.version,
	}
}

// encode appends the item's value to b.
func (i *item) encode(b []byte) []byte {
	seconds, nanos := int64(0), uint32(noExpiry)
	if !i.expires.IsZero() {
		seconds = i.expires.Unix()
		nanos = uint32(i.expires.Nanosecond()) //nolint:gosec // G115: below a billion
	}
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, i.version)
	b = binary.BigEndian.AppendUint64(b, uint64(seconds)) // decode reverses the conversion
	b = binary.BigEndian.AppendUint32(b, nanos)
	length := uint32(len(i.subject)) //nolint:gosec // G115: below MaxItem
	b = binary.BigEndian.AppendUint32(b, length)
	b = append(b, i.subject...)
	return append(b, i.data...)
}

// decode returns the item of a value. Its data share the memory of value. Its version is 0 if
// encode has not written the value.
func decode(value []byte) (i item) {
	if len(value) < headerSize || !bytes.HasPrefix(value, []byte(magic)) {
		return item{}
	}
	i.version = binary.BigEndian.Uint64(value[8:])
	seconds := int64(binary.BigEndian.Uint64(value[16:])) //nolint:gosec // G115: reverses encode
	nanos := binary.BigEndian.Uint32(value[24:])
	if nanos != noExpiry {
		i.expires = time.Unix(seconds, int64(nanos))
	}
	never := nanos == noExpiry
	if never && seconds != 0 || !never && (nanos >= 1e9 || i.expires.IsZero()) {
		return item{}
	}
	subject, rest := uint64(binary.BigEndian.Uint32(value[28:])), value[headerSize:]
	if subject > uint64(len(rest)) {
		return item{}
	}
	i.subject, i.data = string(rest[:subject]), rest[subject:len(rest):len(rest)]
	return i
}

const (
	// expirySlack is how much longer than the record the server keeps the item. The server's
	// clock is coarse and may be ahead. The exact expiry is in the value.
	expirySlack = time.Minute
	// maxExpiry is the latest expiry of an item. Memcached takes a later one for a time in the
	// past.
	maxExpiry = math.MaxInt32
)

// wireExpiry returns the expiry of the item, as the server expects it, for a record with that
// expiry. It is always a point in time, because memcached allows a number of seconds from now
// only up to 30 days. It is 0, for never, if the record never expires or expires after
// maxExpiry.
func wireExpiry(expires time.Time) string {
	if expires.IsZero() || expires.Unix() >= maxExpiry-int64(expirySlack/time.Second)-1 {
		return "0"
	}
	return strconv.FormatInt(expires.Add(expirySlack+time.Second-1).Unix(), 10)
}
