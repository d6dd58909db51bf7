package storetest

import (
	"bytes"
	"strings"
)

// similarNames returns ends of keys and subjects that backends are known to confuse.
func similarNames() []string {
	return []string{
		"a", "A", "aa", "a:", "a:b", "a::b", "a:b:", ":a", "a*", "a?", "*", "?",
		"[a]", "[^a]", "[a-z]", `\`, `\*`, `a\`, "a%", "%", "a_", "_",
		"{a}", "{a}b", "{}", "a'", `a"`, "a'--", "a;", "a/b", "a/../b", "..", "a.b", "$a", "a$",
		"a|b", "#a", "a,b", "a=b", "a&b", "%61", "a%00", "`a`", "<a>", "~a", "a+b", "a@1", "!a",
	}
}

// hostileNames returns ends of keys and subjects that the manager never produces and that must
// do no harm.
func hostileNames() []string {
	return []string{
		"", " ", "\x00", "\n", "\r\n", "a b", "a\x00", "\x00a", "a\n", "a\r\n",
		"a 0 0 1\r\nx\r\n", "a\r\ndelete a\r\n", "a\t", "\x7f", "\xff\xfe", "a\xc3\x28",
		"ä", "\u202e", "é", "e\u0301", "\U0010ffff",
		"a' OR '1'='1", `{"$ne":null}`, "a\\u0000", "../../etc",
		strings.Repeat("a", 251), strings.Repeat("a", 256),
		strings.Repeat("k", 65536), strings.Repeat("k", 1<<20),
	}
}

// everyByte returns one byte of each value.
func everyByte() []byte {
	every := make([]byte, 0, 256)
	for b := range 256 {
		every = append(every, byte(b))
	}
	return every
}

// largeData returns 64 KiB of all byte values.
func largeData() []byte { return bytes.Repeat(everyByte(), 256) }

// payloads returns Data of every kind.
func payloads() [][]byte {
	return [][]byte{
		nil,
		{},
		{0},
		{0, 0, 0},
		{0xff},
		everyByte(),
		largeData(),
		make([]byte, 1<<16),
		[]byte("12"),
		[]byte("-1"),
		[]byte("1e3"),
		[]byte("null"),
		[]byte("a\x00b\x00"),
		[]byte("line\r\nEND\r\n"),
		[]byte("VALUE x 0 1\r\n"),
		[]byte("\xc3\x28 is not UTF-8"),
		[]byte("'; DROP TABLE sessions; --"),
		[]byte("trailing blanks   "),
	}
}
