package memcachedstore

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// An item's value is a header and the record's data: a magic number (8 bytes), the version (8), the expiry in seconds of the Unix epoch (8)
// and its nanoseconds (4; never is noExpiry), the length of the subject (4), the subject. All numbers are big endian.
const (
	magic      = "cloakrm\x01"
	headerSize = 8 + 8 + 8 + 4 + 4
	noExpiry   = math.MaxUint32
)

// overhead is what the server adds to key and value within its limit on items: measured as 59 with 1.6.18; the rest is reserve.
const overhead = 96

// smallestItem leaves room for a key, a header and a little data. Memcached itself takes no limit below 1 KiB.
const smallestItem = 1024

// size returns how much of the servers' limit the record takes.
func (s *Store) size(rec *store.Record) int {
	return overhead + len(wireKey(rec.Key)) + headerSize + len(rec.Subject) + len(rec.Data)
}

// item is a record as the server has it.
type item struct {
	token   uint64 // of the server, changed with each write; unique in the life of one server process only
	version uint64 // of ours, never used again; 0: there is no item, or it is none of ours
	expires time.Time
	subject string
	data    []byte
}

// live reports whether the item is a record that may be returned.
func (i *item) live(now time.Time) bool {
	return i.version != 0 && (i.expires.IsZero() || now.Before(i.expires))
}

func (i *item) record(key string) store.Record {
	return store.Record{Key: key, Subject: i.subject, Data: i.data, Expires: i.expires, Version: i.version}
}

// encode appends the item's value.
func (i *item) encode(b []byte) []byte {
	seconds, nanos := int64(0), uint32(noExpiry)
	if !i.expires.IsZero() {
		seconds, nanos = i.expires.Unix(), uint32(i.expires.Nanosecond()) //nolint:gosec // G115: below a billion
	}
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, i.version)
	b = binary.BigEndian.AppendUint64(b, uint64(seconds)) // decode undoes it
	b = binary.BigEndian.AppendUint32(b, nanos)
	b = binary.BigEndian.AppendUint32(b, uint32(len(i.subject))) //nolint:gosec // G115: far below, as the item's size is
	b = append(b, i.subject...)
	return append(b, i.data...)
}

// decode reads an item's value, whatever bytes it is made of. What encode has not written is an item of version 0.
func decode(value []byte) (i item) {
	if len(value) < headerSize || !bytes.HasPrefix(value, []byte(magic)) {
		return item{}
	}
	i.version = binary.BigEndian.Uint64(value[8:])
	seconds := int64(binary.BigEndian.Uint64(value[16:])) //nolint:gosec // G115: undoes what encode does
	nanos := binary.BigEndian.Uint32(value[24:])
	if nanos != noExpiry {
		i.expires = time.Unix(seconds, int64(nanos))
	}
	if never := nanos == noExpiry; never && seconds != 0 || !never && (nanos >= 1e9 || i.expires.IsZero()) {
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
	// slack is how much longer than the record the server may keep the item. The server's clock is coarse, and may be ahead of
	// ours; the record's end to the instant is in its value.
	slack = time.Minute
	// lastSecond is the last one that memcached can count to. It takes a later one for a time in the past.
	lastSecond = math.MaxInt32
)

// expiry returns the item's expiry as the server takes it: always a point in time, since a number of seconds to go is one only up to 30
// days. 0 is never: for permanent records, and for those that outlive the server's calendar.
func expiry(expires time.Time) string {
	if expires.IsZero() || expires.Unix() >= lastSecond-int64(slack/time.Second)-1 {
		return "0"
	}
	return strconv.FormatInt(expires.Add(slack+time.Second-1).Unix(), 10)
}
