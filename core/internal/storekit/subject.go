package storekit

import "strings"

// EncodeSubjectCursor returns the cursor of the page of a subject's keys that begins after key.
// Like that of [EncodeCursor] it contains all that the store has to know.
func EncodeSubjectCursor(subject, key string) string {
	return EncodeCursor(subjectPrefix(subject) + key)
}

// DecodeSubjectCursor returns the key in a cursor. It reports false if EncodeSubjectCursor cannot
// have returned the cursor for that subject. It does not check the bytes of the key.
func DecodeSubjectCursor(cursor, subject string) (key string, ok bool) {
	prefix := subjectPrefix(subject)
	text, ok := DecodeCursor(cursor, prefix)
	return strings.TrimPrefix(text, prefix), ok
}

// subjectPrefix returns the part of a cursor before the key. Neither subjects nor keys contain
// its last byte, because they are [Printable], so the cursor of one subject is never that of
// another, nor a cursor of a list.
func subjectPrefix(subject string) string { return subject + "\n" }
