// Package uuidtext formats and parses UUIDs in their canonical text form. Store keys end in
// one.
package uuidtext

import "github.com/google/uuid"

// Length is the length of the canonical form.
const Length = 36

// ID is the binary form of a UUID. Because this package is internal, an exported function with
// an ID parameter can be called from this module only.
type ID [16]byte

// pairs holds the two hexadecimal digits of every byte value.
const pairs = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
	"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" +
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f" +
	"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f" +
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" +
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf" +
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf" +
	"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

// Put writes the canonical form of id to the start of dst, which must have room for it. The
// assignments are unrolled because a loop takes three times as long.
func Put(dst []byte, id *ID) {
	text := (*[Length]byte)(dst)
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	text[0], text[1] = pair(id[0])
	text[2], text[3] = pair(id[1])
	text[4], text[5] = pair(id[2])
	text[6], text[7] = pair(id[3])
	text[9], text[10] = pair(id[4])
	text[11], text[12] = pair(id[5])
	text[14], text[15] = pair(id[6])
	text[16], text[17] = pair(id[7])
	text[19], text[20] = pair(id[8])
	text[21], text[22] = pair(id[9])
	text[24], text[25] = pair(id[10])
	text[26], text[27] = pair(id[11])
	text[28], text[29] = pair(id[12])
	text[30], text[31] = pair(id[13])
	text[32], text[33] = pair(id[14])
	text[34], text[35] = pair(id[15])
}

func pair(b byte) (high, low byte) {
	p := pairs[2*int(b):]
	return p[0], p[1]
}

// Parse sets id from the canonical form and reports whether text is one. It accepts no other
// spelling, such as capital letters. If it returns false, the contents of id are undefined.
func Parse(text string, id *ID) bool {
	if len(text) != Length {
		return false
	}
	parsed, err := uuid.Parse(text) // It also accepts capital letters.
	*id = ID(parsed)
	var canonical [Length]byte
	Put(canonical[:], id)
	return err == nil && string(canonical[:]) == text
}
