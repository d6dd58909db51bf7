package memcachedstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestItemRoundTrip(t *testing.T) {
	t.Parallel()
	for _, expires := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 5), time.Unix(1<<62, 999999999), time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()} {
		for _, subject := range []string{"", "a", strings.Repeat("s", 1000)} {
			for _, data := range [][]byte{nil, {0}, []byte("VA 1\r\nEN\r\n"), bytes.Repeat([]byte{255}, 1<<16)} {
				in := item{version: 1<<64 - 1, expires: expires, subject: subject, data: data}
				out := decode(in.encode(nil))
				if out.version != in.version || out.subject != subject || !bytes.Equal(out.data, data) || !out.expires.Equal(expires) || out.expires.IsZero() != expires.IsZero() {
					t.Errorf("expires %v, subject of %d bytes, data of %d: came back changed", expires, len(subject), len(data))
				}
			}
		}
	}
}

// FuzzDecode decodes whatever a server may hold. What is accepted must be what encode writes.
func FuzzDecode(f *testing.F) {
	good := item{version: 7, expires: time.Unix(1, 2), subject: "somebody", data: []byte("data")}
	value := good.encode(nil)
	for n := range len(value) + 1 {
		f.Add(value[:n])
	}
	f.Add((&item{version: 1}).encode(nil))
	f.Add([]byte(magic + "0000000000000000\xff\xff\xff\xff\x00\x00\x00\x00"))
	year1 := binary.BigEndian.AppendUint64([]byte(magic+"version."), uint64(time.Time{}.Unix())) // read as no expiry, it would never end
	f.Add(append(year1, make([]byte, 8)...))
	f.Add(append([]byte(magic), bytes.Repeat([]byte{255}, 64)...))
	f.Fuzz(func(t *testing.T, value []byte) {
		i := decode(value)
		if i.version != 0 && !bytes.Equal(i.encode(nil), value) {
			t.Errorf("%q is taken for a record and is none", value)
		}
	})
}

func TestExpiryIsAbsolute(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, life := range []time.Duration{1, time.Second, time.Hour, 30 * 24 * time.Hour, 4000 * 24 * time.Hour} {
		expires := now.Add(life)
		n, err := strconv.ParseInt(wireExpiry(expires), 10, 64)
		if end := time.Unix(n, 0); err != nil || end.Before(expires.Add(expirySlack)) || end.Sub(expires) > expirySlack+time.Second {
			t.Errorf("%v from now the server is told %v, %v", life, end, err)
		}
	}
	edge := int64(maxExpiry) - int64(expirySlack/time.Second) - 1
	for at, want := range map[time.Time]string{
		{}: "0", time.Unix(edge-1, 1): fmt.Sprint(maxExpiry - 1), time.Unix(edge, 0): "0", time.Unix(maxExpiry+1, 0): "0", time.Unix(1<<62, 0): "0",
	} {
		if got := wireExpiry(at); got != want {
			t.Errorf("wireExpiry(%v) = %s, want %s", at, got, want)
		}
	}
}

func TestWireKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "session:0190", "!~", strings.Repeat("k", 250), "sha256", `\0`} {
		if got := wireKey(key); got != key {
			t.Errorf("wireKey(%q) = %q, want the key itself", key, got)
		}
	}
	seen := make(map[string]string)
	hostile := []string{"", " ", "a b", "a\r\n", "a\x00", "\x7f", "ä", "\xff", "sha256:", hashedPrefix + "x", strings.Repeat("k", 251), strings.Repeat("k", 1<<20)}
	for _, key := range append(hostile, wireKey("a b"), wireKey(wireKey("a b"))) {
		got := wireKey(key)
		if !strings.HasPrefix(got, hashedPrefix) || len(got) > maxKey || strings.ContainsAny(got, " \r\n\x00") {
			t.Errorf("wireKey(%.40q) = %q, want a hash", key, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%.40q and %.40q are one key", key, other)
		}
		seen[got] = key
	}
}

func newTestStore(t *testing.T, servers ...string) *Store {
	t.Helper()
	s, err := New(Options{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServersShareKeys checks that keys spread evenly and that a server that leaves or joins moves no others.
func TestServersShareKeys(t *testing.T) {
	t.Parallel()
	const n = 30000
	three := newTestStore(t, "10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211")
	turned := newTestStore(t, "10.0.0.3:11211", "10.0.0.1:11211", "10.0.0.2:11211")
	four := newTestStore(t, "10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211", "10.0.0.4:11211")
	shares := make(map[string]int)
	for i := range n {
		key := fmt.Sprint("session:", i)
		in3, in4 := three.poolFor(key).address, four.poolFor(key).address
		shares[in4]++
		if turned.poolFor(key).address != in3 {
			t.Fatalf("%s moves when the list is written in another order", key)
		}
		if in4 != in3 && in4 != "10.0.0.4:11211" {
			t.Fatalf("%s moves from %s to %s when another server joins", key, in3, in4)
		}
	}
	for address, share := range shares {
		if share < n/4*9/10 || share > n/4*11/10 {
			t.Errorf("%s has %d of %d keys, want about a quarter", address, share, n)
		}
	}
}

// TestServersStay pins the choice: a release that chooses otherwise ends all sessions.
func TestServersStay(t *testing.T) {
	t.Parallel()
	s := newTestStore(t, "a:1", "b:1", "c:1")
	var got strings.Builder
	for i := range 24 {
		got.WriteString(s.poolFor(fmt.Sprint("session:", i)).address[:1])
	}
	if want := "bccbbacccbccccaccaccabcc"; got.String() != want {
		t.Errorf("the servers of the first keys are %s, want %s", &got, want)
	}
}
