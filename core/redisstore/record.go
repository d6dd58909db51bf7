package redisstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// A session is stored as one string of these parts, separated by colons:
//
//	cloakroom   the mark by which the store recognizes its own values
//	version     16 lowercase hexadecimal digits
//	expiry      16 decimal digits: milliseconds since the Unix epoch, 0 for never
//	length      the length of the subject in bytes
//	subject     followed by the data, without a colon
//
// The scripts rely on the offsets of version and expiry, and overwrite the expiry in place.
// What remains of a deleted session ends after the version.
const (
	magic        = "cloakroom:"
	digits       = 16 // of the version and of the expiry
	expiryOffset = len(magic) + digits + 1
	headerSize   = expiryOffset + digits + 1
)

// appendVersion appends the beginning of a session with that version.
func appendVersion(b []byte, version uint64) []byte {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], version)
	return hex.AppendEncode(append(b, magic...), number[:])
}

// versionPrefix returns the beginning of a session with that version, or "" if the version is
// 0.
func versionPrefix(version uint64) string {
	if version == 0 {
		return ""
	}
	var room [expiryOffset]byte
	return string(appendVersion(room[:0], version))
}

// appendExpiry appends an expiry, padded with zeros.
func appendExpiry(b []byte, expires time.Time) []byte {
	var room [digits]byte
	number := strconv.AppendInt(room[:0], unixMillis(expires), 10)
	b = append(b, "0000000000000000"[:digits-len(number)]...)
	return append(b, number...)
}

// encode returns the string to store for a record.
func encode(rec *store.Record, version uint64) []byte {
	// lengthDigits has room for the length of most subjects and the colon. A longer one costs
	// a second allocation.
	const lengthDigits = 5
	b := make([]byte, 0, headerSize+lengthDigits+len(rec.Subject)+len(rec.Data))
	b = append(appendVersion(b, version), ':')
	b = append(appendExpiry(b, rec.Expires), ':')
	b = append(strconv.AppendInt(b, int64(len(rec.Subject)), 10), ':') // as in subjectPart
	b = append(b, rec.Subject...)
	return append(b, rec.Data...)
}

// subjectPart returns what follows the header of a record of that subject.
func subjectPart(subject string) string { return strconv.Itoa(len(subject)) + ":" + subject }

// decode returns the record of a stored string. It returns ErrNotFound if the string is not a
// session, or an expired one. The record's data share the memory of stored.
func decode(key string, stored []byte, now time.Time) (store.Record, error) {
	rec, ok := decodeHeader(stored)
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

// decodeHeader returns a record with the version and the expiry of a stored string, and
// reports whether the string begins like a session. It does not look at what follows the
// header.
func decodeHeader(stored []byte) (rec store.Record, ok bool) {
	if len(stored) < headerSize || stored[expiryOffset-1] != ':' || stored[headerSize-1] != ':' {
		return rec, false
	}
	version, _ := strconv.ParseUint(string(stored[len(magic):expiryOffset-1]), 16, 64)
	expiry, err := strconv.ParseUint(string(stored[expiryOffset:headerSize-1]), 10, 63)
	var prefix [expiryOffset]byte
	if version == 0 || !bytes.HasPrefix(stored, appendVersion(prefix[:0], version)) ||
		err != nil || expiry > maxExpiry {
		return rec, false
	}
	return store.Record{Version: version, Expires: fromUnixMillis(int64(expiry))}, true
}

// maxExpiry is the latest expiry in milliseconds, in more than 280,000 years: the largest
// number up to which scripts count exactly. A later one is stored as never.
const maxExpiry = 1 << 53

// unixMillis returns t in milliseconds since the Unix epoch, rounded up so that no record ends
// early. Since 0 means never, it returns 1 for times up to the epoch.
func unixMillis(t time.Time) int64 {
	if t.IsZero() || t.Unix() >= maxExpiry/1000 {
		return 0
	}
	if t.Unix() < 0 { // UnixMilli overflows for times in the far past
		return 1
	}
	return max(t.Add(time.Millisecond-1).UnixMilli(), 1)
}

// fromUnixMillis is the inverse of unixMillis.
func fromUnixMillis(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}

// ttlMillis returns for how many milliseconds from now the server keeps a record with that
// expiry. 0 means forever.
func ttlMillis(expires, now time.Time) int64 {
	at := unixMillis(expires)
	if at == 0 {
		return 0
	}
	return max(at-now.UnixMilli(), 1)
}

// draft is an encoded record with a new version, to be sent to the server. It counts how often
// a server may have stored it. That can be more than once, because the client repeats a command
// if the connection fails before the reply arrives. It also repeats one that a server has
// refused, as on a cluster while a slot moves. Such a server has stored nothing.
type draft struct {
	version uint64
	stored  []byte
	sent    int
	command *redis.Cmd // that sends it
}

// newDraft returns a draft of rec with a new version.
func newDraft(rec *store.Record) *draft {
	version := storekit.NewVersion(rec.Version)
	return &draft{version: version, stored: encode(rec, version)}
}

// sendAs makes cmd the command that sends the draft.
func (d *draft) sendAs(cmd *redis.Cmd) {
	d.discountRefusal()
	d.command = cmd
}

// MarshalBinary returns the encoded record. The client calls it each time it sends the
// command.
func (d *draft) MarshalBinary() ([]byte, error) {
	d.discountRefusal()
	d.sent++
	return d.stored, nil
}

// discountRefusal takes back the count of the last time if the reply was an error. Then it
// clears the error, because the client may send the command again without setting another.
func (d *draft) discountRefusal() {
	if d.sent == 0 || d.command == nil {
		return
	}
	if _, refused := errors.AsType[redis.Error](d.command.Err()); refused {
		d.sent--
		d.command.SetErr(nil)
	}
}

// String returns the version, for programs that log commands. The record must not be logged.
func (d *draft) String() string { return versionPrefix(d.version) }
