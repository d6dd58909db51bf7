package bench

import (
	"fmt"
	"strings"
)

// payload is what a session holds besides its counter: the same value under each key.
type payload struct {
	name  string
	keys  []string
	value string
}

// fiveKeys returns the payload of most benchmarks.
func fiveKeys() *payload { return shortKeys(5) }

// shortKeys returns a payload with n keys, including the counter. Each other key holds 16
// bytes.
func shortKeys(n int) *payload {
	p := &payload{name: fmt.Sprint(n, " keys"), value: strings.Repeat("v", 16)}
	for i := range n - 1 {
		p.keys = append(p.keys, fmt.Sprint("key-", i))
	}
	if n == 1 {
		p.name = "1 key"
	}
	return p
}

// oneBlob returns a payload with the counter and one value of the given size.
func oneBlob(kib int) *payload {
	return &payload{
		name: fmt.Sprint(kib, " KiB"), keys: []string{"blob"}, value: strings.Repeat("v", kib<<10),
	}
}

// payloads returns the payloads for which reading and changing one key is compared.
func payloads() []*payload {
	return []*payload{
		shortKeys(1), shortKeys(10), shortKeys(100), oneBlob(1), oneBlob(16), oneBlob(64),
	}
}
