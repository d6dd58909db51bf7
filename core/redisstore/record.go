package redisstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// A session is stored as one string of these parts, with a colon between them:
//
//	cloakroom   what tells it from the values of others
//	version     16 hexadecimal digits, in lower case
//	expiry      16 decimal digits: milliseconds of the Unix epoch, 0 for never
//	length      of the subject
//	subject     and, without a colon, the data
//
// The scripts know the places of version and expiry, and change the expiry where it stands. What is left of a deleted
// session ends after its version.
const (
	magic      = "cloakroom:"
	digits     = 16
	expiryAt   = len(magic) + digits + 1
	headerSize = expiryAt + digits + 1
)

// appendVersion appends what a session of that version begins with.
func appendVersion(b []byte, version uint64) []byte {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], version)
	return hex.AppendEncode(append(b, magic...), number[:])
}

// begins is what the session begins with whose version is expected, "" if none is.
func begins(version uint64) string {
	if version == 0 {
		return ""
	}
	var room [expiryAt]byte
	return string(appendVersion(room[:0], version))
}

// appendExpiry appends an instant, with zeros before it.
func appendExpiry(b []byte, expires time.Time) []byte {
	var room [digits]byte
	number := strconv.AppendInt(room[:0], millis(expires), 10)
	b = append(b, "0000000000000000"[:digits-len(number)]...)
	return append(b, number...)
}

// encode returns what is stored for a record.
func encode(rec *store.Record, version uint64) []byte {
	const lengthDigits = 5 // of most subjects, colon included; what is longer costs a second allocation
	b := make([]byte, 0, headerSize+lengthDigits+len(rec.Subject)+len(rec.Data))
	b = append(appendVersion(b, version), ':')
	b = append(appendExpiry(b, rec.Expires), ':')
	b = append(strconv.AppendInt(b, int64(len(rec.Subject)), 10), ':')
	b = append(b, rec.Subject...)
	return append(b, rec.Data...)
}

// decode reads what is stored: ErrNotFound if it is nothing, or not one of ours, or its time is over. The record shares
// its memory.
func decode(key string, stored []byte, now time.Time) (store.Record, error) {
	rec, ok := header(stored)
	if !ok || rec.Expired(now) {
		return store.Record{}, store.ErrNotFound
	}
	text, rest, ok := bytes.Cut(stored[headerSize:], []byte(":"))
	length, err := strconv.ParseUint(string(text), 10, 31)
	if !ok || err != nil || length > uint64(len(rest)) {
		return store.Record{}, store.ErrNotFound
	}
	rec.Key, rec.Subject, rec.Data = key, string(rest[:length]), rest[length:len(rest):len(rest)]
	return rec, nil
}

// header reads version and expiry, and reports whether stored is a session at all. What is damaged behind them it does
// not see.
func header(stored []byte) (rec store.Record, ok bool) {
	if len(stored) < headerSize || stored[expiryAt-1] != ':' || stored[headerSize-1] != ':' {
		return rec, false
	}
	version, _ := strconv.ParseUint(string(stored[len(magic):expiryAt-1]), 16, 64)
	millis, err := strconv.ParseUint(string(stored[expiryAt:headerSize-1]), 10, 63)
	var begin [expiryAt]byte
	if version == 0 || !bytes.HasPrefix(stored, appendVersion(begin[:0], version)) || err != nil || millis > forever {
		return rec, false
	}
	return store.Record{Version: version, Expires: instant(int64(millis))}, true
}

// forever is the last expiry in milliseconds that scripts can count to, hundreds of thousands of years away. Later is never.
const forever = 1 << 53

// millis returns t in milliseconds of the Unix epoch, rounded up so that no record ends early; 0 is never, so what was
// over by 1970 is over a millisecond later.
func millis(t time.Time) int64 {
	if t.IsZero() || t.Unix() >= forever/1000 {
		return 0
	}
	if t.Unix() < 0 { // UnixMilli cannot tell what is very long ago
		return 1
	}
	return max(t.Add(time.Millisecond-1).UnixMilli(), 1)
}

// instant is the reverse of millis.
func instant(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}

// lasting is for how many milliseconds from now on a server keeps what ends then; 0 is for ever.
func lasting(expires, now time.Time) int64 {
	at := millis(expires)
	if at == 0 {
		return 0
	}
	return max(at-now.UnixMilli(), 1)
}

// draft is a record on its way to the server, with a new version. It counts how often it is sent: the client sends a
// command again when it has lost the connection before the reply came.
type draft struct {
	version uint64
	stored  []byte
	sent    int
}

// newDraft returns rec as it is sent, under a new version.
func newDraft(rec *store.Record) *draft {
	version := storekit.NewVersion(rec.Version)
	return &draft{version: version, stored: encode(rec, version)}
}

// MarshalBinary is what the client calls each time it writes the argument.
func (d *draft) MarshalBinary() ([]byte, error) {
	d.sent++
	return d.stored, nil
}

// String returns the version for those who print commands; the rest is not for logs.
func (d *draft) String() string { return begins(d.version) }
