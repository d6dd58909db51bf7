// Package record implements the record format, version 1: how a session is laid out in the
// bytes that a store keeps. docs/record-format.md describes the format for other languages.
//
// A fixed header and the table of keys come first, under one checksum. The values follow back
// to back, so that one key is read without touching the others.
package record

import (
	"errors"
	"hash/crc32"
)

const (
	formatVersion = 1

	flagHistory  = 1 << 0 // The secret was rotated.
	flagOwnIdle  = 1 << 1 // The session has an idle timeout of its own.
	flagAccount  = 1 << 2 // There is an account.
	flagRemember = 1 << 3 // The cookie outlives the browser, whatever the manager's policy.
	flagForget   = 1 << 4 // The cookie ends with the browser, unless flagRemember is set too.
	flagPast     = 1 << 5 // There are secrets of the past.
	flagEnded    = 1 << 6 // The session has ended: the record is a mark.
	flagExtended = 1 << 7 // There are extensions.
)

var (
	// ErrDamaged is returned for a record whose bytes are not a valid encoding.
	ErrDamaged = errors.New("sessions: record is damaged")
	// ErrFormat is returned for a record of a later format, which a later release has written.
	ErrFormat = errors.New("sessions: record has a format of a later release")
)

// castagnoli is a variable because looking the table up for each record takes too long.
var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // A constant table.

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }
