package tests_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestErased looks at the key and the value of every item that the server lists. What a deleted item leaves in the
// server's memory until another one takes its place cannot be read by any command.
func TestErased(t *testing.T) {
	t.Parallel()
	address := testserver.Start(t, testserver.Memcached{}).Addr()
	s, server := open(t, memcachedstore.Options{Servers: []string{address}}), newRaw(t, address)
	faulttest.Erased(t, s, func() (all []byte) {
		for _, key := range server.keys() {
			all = append(append(append(all, key...), '\n'), server.value(key)...)
		}
		return all
	})
}

// keys asks for the keys of all items. A list lacks those that the server moves while it makes the list, so keys asks until
// there are as many as the server says that it has.
func (r *raw) keys() (keys []string) {
	r.t.Helper()
	eventually(r.t, "the server does not list all of its items", func() bool {
		keys = nil
		for _, line := range r.lines("lru_crawler metadump all") {
			if name, ok := strings.CutPrefix(strings.Fields(line)[0], "key="); ok {
				key, err := url.PathUnescape(name)
				if err != nil {
					r.t.Fatalf("the server lists %q: %v", line, err)
				}
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		return slices.Contains(r.lines("stats"), fmt.Sprint("STAT curr_items ", len(keys)))
	})
	return keys
}

// lines sends a command that is answered by a list, and returns the lines of it.
func (r *raw) lines(command string) (lines []string) {
	r.t.Helper()
	if _, err := fmt.Fprint(r.conn, command, "\r\n"); err != nil {
		r.t.Fatal(err)
	}
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			r.t.Fatal(err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "END" || strings.HasPrefix(line, "BUSY") {
			return lines
		}
		lines = append(lines, line)
	}
}
