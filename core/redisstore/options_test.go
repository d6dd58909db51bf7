package redisstore

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// wrapped is a client of another make.
type wrapped struct{ redis.UniversalClient }

// pipeliner returns a client that hides the one below it.
func pipeliner(t *testing.T, client *redis.Client) redis.UniversalClient {
	t.Helper()
	p, err := client.AutoPipeline()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// cachingNode makes a cluster's clients of nodes.
func cachingNode(o *redis.Options) *redis.Client {
	o.ClientSideCacheConfig = &redis.ClientSideCacheConfig{}
	return redis.NewClient(o)
}

func stallingNode(o *redis.Options) *redis.Client {
	o.ContextTimeoutEnabled = false
	return redis.NewClient(o)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	for name, c := range map[string]struct {
		client  redis.UniversalClient
		options Options
		says    string
	}{
		"no client":            {nil, Options{}, "redis.NewClient"},
		"nil client":           {(*redis.Client)(nil), Options{}, "redis.NewClient"},
		"nil cluster client":   {(*redis.ClusterClient)(nil), Options{}, "redis.NewClient"},
		"stalls":               {redis.NewClient(&redis.Options{}), Options{}, "ContextTimeoutEnabled: true"},
		"universal stalls":     {redis.NewUniversalClient(&redis.UniversalOptions{}), Options{}, "ContextTimeoutEnabled: true"},
		"cluster stalls":       {redis.NewClusterClient(&redis.ClusterOptions{}), Options{}, "ContextTimeoutEnabled: true"},
		"sentinel stalls":      {redis.NewFailoverClient(&redis.FailoverOptions{}), Options{}, "ContextTimeoutEnabled: true"},
		"replicas":             {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, ReadOnly: true}), Options{}, "ReadOnly"},
		"replicas by latency":  {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, RouteByLatency: true}), Options{}, "RouteByLatency"},
		"replicas by chance":   {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, RouteRandomly: true}), Options{}, "RouteRandomly"},
		"ring":                 {redis.NewRing(&redis.RingOptions{ContextTimeoutEnabled: true}), Options{}, "use a cluster"},
		"auto pipeliner":       {pipeliner(t, good), Options{}, "hand in the client itself"},
		"caching":              {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}), Options{}, "ClientSideCacheConfig off"},
		"caching of one's own": {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, ClientSideCache: redis.NewLocalCache(redis.CacheConfig{})}), Options{AcceptEviction: true}, "ClientSideCache and"},
		"universal caching":    {redis.NewUniversalClient(&redis.UniversalOptions{ContextTimeoutEnabled: true, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}), Options{}, "ClientSideCacheConfig off"},
		"caching of a node":    {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, NewClient: cachingNode}), Options{}, "ClientSideCacheConfig off"},
		"caching of a clone":   {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}).WithTimeout(time.Second), Options{}, "ClientSideCacheConfig off"},
		"nil of another make":  {(*wrapped)(nil), Options{}, "redis.NewClient"},
		"stalls of a node":     {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, NewClient: stallingNode}), Options{}, "ContextTimeoutEnabled: true"},
		"negative data length": {good, Options{MaxData: -1}, "or 0 for"},
	} {
		s, err := New(c.client, c.options)
		if s != nil || err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "sessions: redisstore: ") {
			t.Errorf("%s: New = %v, %v, want an error that says %q", name, s, err, c.says)
		}
	}
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client  redis.UniversalClient
		options Options
		sharded bool
	}{
		"single":        {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), Options{AcceptEviction: true}, false},
		"stalls":        {redis.NewClient(&redis.Options{}), Options{AcceptStalls: true, AcceptEviction: true}, false},
		"sentinel":      {redis.NewFailoverClient(&redis.FailoverOptions{ContextTimeoutEnabled: true}), Options{AcceptEviction: true}, false},
		"cluster":       {redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true}), Options{AcceptEviction: true}, true},
		"behind proxy":  {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), Options{Sharded: true, AcceptEviction: true}, true},
		"another make":  {wrapped{}, Options{AcceptEviction: true}, true},
		"other prefix":  {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), Options{IndexPrefix: "x:", MaxData: 7, AcceptEviction: true}, false},
		"universal one": {redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:1", "localhost:2"}, ContextTimeoutEnabled: true}), Options{AcceptEviction: true}, true},
	} {
		s, err := New(c.client, c.options)
		if err != nil {
			t.Errorf("%s: New = %v", name, err)
			continue
		}
		if s.options.Sharded != c.sharded {
			t.Errorf("%s: the store is sharded: %v, want %v", name, s.options.Sharded, c.sharded)
		}
	}
	s, err := New(wrapped{}, Options{AcceptEviction: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.options.IndexPrefix != "sessions-of:" || s.options.MaxData != 4<<20 {
		t.Errorf("the defaults are %+v", s.options)
	}
	if _, _, err := s.List(t.Context(), "", "", 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("List with a client that does not tell its servers = %v, want errors.ErrUnsupported", err)
	}
}

// stored is a session of somebody as it is stored: version 7, ending 1001 ms after the epoch.
const stored = "cloakroom:0000000000000007:0000000000001001:8:somebodydata"

func TestEncodeRoundTrips(t *testing.T) {
	t.Parallel()
	rec := store.Record{Key: "k", Subject: "somebody", Data: []byte("data"), Expires: time.UnixMilli(1001)}
	if got := encode(&rec, 7); string(got) != stored || cap(got) > len(got)+8 {
		t.Errorf("encode = %q with room for %d bytes, want %q", got, cap(got), stored)
	}
	for _, expires := range []time.Time{{}, time.UnixMilli(1), time.UnixMilli(maxExpiry - 2000), time.Unix(1<<40, 0)} {
		for _, subject := range []string{"", "a", ":", "1:2", "\r\n\x00", strings.Repeat("s", 100_000)} {
			for _, data := range []string{"", "d", ":", "\x00\n", strings.Repeat("d", 100_000)} {
				rec := store.Record{Key: "k", Subject: subject, Data: []byte(data), Expires: expires}
				got, err := decode("k", encode(&rec, math.MaxUint64), time.Time{})
				if err != nil || got.Key != "k" || got.Version != math.MaxUint64 || got.Subject != subject || string(got.Data) != data || !got.Expires.Equal(expires) {
					t.Errorf("ends %v, subject of %d bytes, data of %d: came back changed, %v", expires, len(subject), len(data), err)
				}
			}
		}
	}
}

func TestS2DecodeHostileBytes(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1000)
	if rec, err := decode("k", []byte(stored), now); err != nil || rec.Version != 7 || rec.Subject != "somebody" || string(rec.Data) != "data" {
		t.Fatalf("decode of a good record = %+v, %v", rec, err)
	}
	var hostile []string
	for n := range len(stored) - len("data") {
		hostile = append(hostile, stored[:n])
	}
	for _, change := range [][2]string{
		{"cloakroom", "Cloakroom"},
		{"0007", "0000"},
		{"0007", "000x"},
		{"0007", "000A"},
		{"0007", "+007"},
		{"0007:", "00070"},
		{"1001", "100x"},
		{"1001", "1000"},
		{"0000000000001001", "9007199254740993"},
		{"0000000000001001", "-000000000001001"},
		{"0000000000001001", "            1001"},
		{"1001:", "1001 "},
		{":8:", ":13:"},
		{":8:", ":-8:"},
		{":8:", "::"},
		{":8:", ":x:"},
		{":8:", ":99999999999999999999:"},
		{":8:", ":8"},
	} {
		hostile = append(hostile, strings.Replace(stored, change[0], change[1], 1))
	}
	for _, text := range hostile {
		if rec, err := decode("k", []byte(text), now); !errors.Is(err, store.ErrNotFound) || rec.Version != 0 || rec.Data != nil {
			t.Errorf("decode(%q) = %+v, %v, want ErrNotFound and no record", text, rec, err)
		}
	}
}

// TestDecodeSharesNoRoom has a caller append to the data of a record, against the contract: it must not meet another's.
func TestDecodeSharesNoRoom(t *testing.T) {
	t.Parallel()
	rec, err := decode("k", append([]byte(stored), "more"...)[:len(stored)], time.UnixMilli(1000))
	if err != nil || cap(rec.Data) != len(rec.Data) {
		t.Errorf("data of %d bytes has room for %d, %v", len(rec.Data), cap(rec.Data), err)
	}
}

func TestX1MillisRoundUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t    time.Time
		want int64
	}{
		{time.Time{}, 0},
		{time.UnixMilli(5), 5},
		{time.UnixMilli(5).Add(1), 6},
		{time.UnixMilli(6).Add(-1), 6},
		{time.Unix(0, 0), 1},
		{time.Unix(-5, 0), 1},
		{time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), 1},
		{time.Unix(-9_300_000_000_000_000, 0), 1},
		{time.Unix(-1<<62, 0), 1},
		{time.Unix(1<<62, 0), 0},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 253402300799000},
	} {
		if got := unixMillis(c.t); got != c.want {
			t.Errorf("unixMillis(%v) = %d, want %d", c.t, got, c.want)
		}
	}
}

// TestDraftCountsWrites is about what the client does with an argument, on which telling a resent save from a first one depends.
func TestDraftCountsWrites(t *testing.T) {
	t.Parallel()
	next := newDraft(&store.Record{Subject: "somebody", Data: []byte("data")})
	for want := 1; want < 3; want++ {
		b, err := next.MarshalBinary()
		if err != nil || !strings.HasPrefix(string(b), next.String()+":") || next.sent != want {
			t.Errorf("MarshalBinary = %q, %v, and counts %d, want %q and %d", b, err, next.sent, next.String(), want)
		}
	}
	sending := redis.NewCmd(t.Context(), "evalsha", next)
	cmd := sending.String()
	if !strings.Contains(cmd, next.String()) || strings.Contains(cmd, "data") || strings.Contains(cmd, "somebody") {
		t.Errorf("a printed command is %q, want one with the version and without subject and data", cmd)
	}
	if next.sent != 2 {
		t.Error("printing a command counts as sending it")
	}
	next.sendAs(sending)
	for _, c := range []struct {
		outcome string
		err     error
		want    int
	}{
		{"no reply", io.EOF, 3},
		{"moved", replyError("MOVED 1 a:1"), 3},
		{"no reply after a redirect", nil, 4}, // the client repeats it by itself, without a word
		{"ask", replyError("ASK 1 a:1"), 4},
	} {
		if c.err != nil {
			sending.SetErr(c.err)
		}
		if _, err := next.MarshalBinary(); err != nil || next.sent != c.want {
			t.Errorf("%s: the next one counts %d, %v, want %d", c.outcome, next.sent, err, c.want)
		}
	}
	sending.SetErr(replyError("NOSCRIPT no script"))
	if next.sendAs(redis.NewCmd(t.Context(), "eval", next)); next.sent != 3 {
		t.Errorf("no script: counts %d, want 3", next.sent)
	}
}

func TestSubjectCursorsRoundTrip(t *testing.T) {
	t.Parallel()
	first, err := parseSubjectCursor("s", "")
	if err != nil || first.scan != "0" || first.run != "" || first.after != "" {
		t.Fatalf("the first position = %+v, %v", first, err)
	}
	at := subjectCursor{subject: first.subject, run: "0123456789abcdef", scan: "18446744073709551615", after: ""}
	good := []subjectCursor{at, {first.subject, "0", "7", "session:a:b"}, {first.subject, "0", "0", "\x00 \n"}}
	for _, c := range good {
		if got, err := parseSubjectCursor("s", c.String()); err != nil || got != c {
			t.Errorf("parseSubjectCursor(%q) = %+v, %v, want %+v", c, got, err, c)
		}
		if _, err := parseSubjectCursor("t", c.String()); err == nil {
			t.Errorf("the cursor %q of one subject is accepted for another", c)
		}
	}
	begins, huge, odd, noRun := at, at, at, at
	begins.scan, huge.scan, odd.scan, noRun.run = "0", "18446744073709551616", "07", ""
	for _, cursor := range []string{
		"x", "0", ":", ":::::", "subject", "subject:", "00000000-0-7", begins.String(), huge.String(), odd.String(), noRun.String(),
		" " + at.String(), strings.Replace(at.String(), "subject", "Subject", 1), strings.Replace(at.String(), "0123", "x123", 1),
		at.String()[:len(at.String())-1],
	} {
		if got, err := parseSubjectCursor("s", cursor); err == nil {
			t.Errorf("parseSubjectCursor(%q) = %+v, want an error", cursor, got)
		}
	}
}

func TestPositionsRoundTrip(t *testing.T) {
	t.Parallel()
	nodes := []*redis.Client{redis.NewClient(&redis.Options{Addr: "a:1"}), redis.NewClient(&redis.Options{Addr: "b:1"})}
	first, err := parsePosition("", nodes)
	if err != nil || first.node != 0 || first.scanCursor != 0 {
		t.Fatalf("the first position = %+v, %v", first, err)
	}
	at := position{first.nodesSum, 1, math.MaxUint64}
	if got, err := parsePosition(at.String(), nodes); err != nil || got != at {
		t.Errorf("parsePosition(%q) = %+v, %v, want %+v", at, got, err, at)
	}
	if _, err := parsePosition(at.String(), nodes[:1]); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("a cursor of other servers: %v, want an error that says to start again", err)
	}
	beyond := position{first.nodesSum, 2, 0}
	for _, cursor := range []string{"x", "0", "0:0", beyond.String(), at.String() + " ", "+" + at.String(), first.String() + "x", "zzzzzzzz-0-0"} {
		if got, err := parsePosition(cursor, nodes); err == nil {
			t.Errorf("parsePosition(%q) = %+v, want an error", cursor, got)
		}
	}
}
