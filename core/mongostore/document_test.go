package mongostore

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

func TestDate(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	last := time.Date(9999, 12, 31, 23, 59, 59, 998_000_000, time.UTC)
	for _, c := range []struct{ in, out time.Time }{
		{time.Time{}, time.Time{}},
		{at, at},
		{at.Add(1), at.Add(time.Millisecond)},
		{at.Add(time.Millisecond - 1), at.Add(time.Millisecond)},
		{time.Unix(-1, 1), time.Unix(-1, 1_000_000)},
		{last, last},
	} {
		d, err := toDate(c.in)
		if got := fromDate(d); err != nil || !got.Equal(c.out) {
			t.Errorf("toDate(%v) = %v, %v, want %v", c.in, got, err, c.out)
		}
	}
	for _, far := range []time.Time{last.Add(1), last.Add(time.Millisecond), last.AddDate(1, 0, 0), time.Unix(1<<62, 0), time.Unix(-1<<62, 0)} {
		if d, err := toDate(far); !errors.Is(err, errTime) {
			t.Errorf("toDate(%v) = %v, %v, want errTime", far, d, err)
		}
	}
}

func TestLargestFits(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("x", maxName)
	rec := store.Record{Key: name, Subject: name, Data: make([]byte, greatestMaxData), Version: math.MaxInt64}
	raw, err := bson.Marshal(encode(&rec, never))
	if err != nil || len(raw) > 16<<20 {
		t.Errorf("the largest document has %d bytes, %v, want 16 MiB at most", len(raw), err)
	}
	got, ok := decode(raw)
	if !ok || got.Key != name || got.Subject != name || len(got.Data) != greatestMaxData || got.Version != math.MaxInt64 || !got.Expires.IsZero() {
		t.Error("it comes back as another record")
	}
}

func TestNewVersion(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{0: true}
	for range 1000 {
		v := storekit.NewVersion(7)
		if seen[v] || v > math.MaxInt64 || uint64(storekit.SignedVersion(v)) != v {
			t.Fatalf("version %d is there already or does not fit", v)
		}
		seen[v] = true
	}
	if storekit.SignedVersion(1<<63) >= 0 || storekit.SignedVersion(math.MaxUint64) >= 0 {
		t.Error("a version that no document has could equal one")
	}
}

// FuzzDecode gives it any bytes. Nothing of what it returns may be the bytes themselves.
func FuzzDecode(f *testing.F) {
	rec := store.Record{Key: "k", Subject: "s", Data: []byte("data"), Version: 1}
	raw, err := bson.Marshal(encode(&rec, never))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if key, ok := decodeKey(raw, 0); !ok && key != "" {
			t.Errorf("a document that is none of ours has the key %q", key)
		}
		got, ok := decode(raw)
		if !ok && (got.Version != 0 || got.Data != nil) {
			t.Errorf("a document that is none of ours is %+v", got)
		}
		if !ok {
			return
		}
		want := bytes.Clone(got.Data)
		clear(raw)
		if got.Version == 0 || got.Version > math.MaxInt64 || !bytes.Equal(got.Data, want) {
			t.Errorf("decoded %+v, and its data was %q", got, want)
		}
	})
}

// TestRedact has a server quote the document that a rule of the collection refuses.
func TestRedact(t *testing.T) {
	t.Parallel()
	details, err := bson.Marshal(bson.D{{Key: "consideredValue", Value: "a secret"}})
	if err != nil {
		t.Fatal(err)
	}
	refused := mongo.WriteException{
		WriteErrors: mongo.WriteErrors{{Code: 121, Message: "Document failed validation", Details: details, Raw: details}},
		Raw:         details,
	}
	if !strings.Contains(refused.Error(), "a secret") {
		t.Fatal("the driver does not quote the document, so this test is of no use")
	}
	got := redact(refused)
	var again mongo.WriteException
	if !errors.As(got, &again) || strings.Contains(got.Error(), "a secret") || again.Raw != nil || again.WriteErrors[0].Raw != nil {
		t.Errorf("redact = %#v, want the error without the document", got)
	}
	refused.WriteErrors[0].Code = 10334
	if got := redact(refused); !errors.Is(got, store.ErrTooLarge) {
		t.Errorf("redact of a refusal for size = %v, want ErrTooLarge", got)
	}
	if redact(nil) != nil {
		t.Error("redact makes an error of success")
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for code, want := range map[int32]bool{238: true, 115: true, 67: true, 13: false, 85: false, 86: false} {
		if got := isUnsupported(mongo.CommandError{Code: code}); got != want {
			t.Errorf("the refusal of an index with code %d says that there is no such kind: %v, want %v", code, got, want)
		}
	}
	if isUnsupported(nil) || isUnsupported(errServerPurges) {
		t.Error("what is no answer of a server says nothing about it")
	}
}

func TestDefectOf(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		kind    string
		options bson.D
	}{
		"":                     {"collection", nil},
		"is a view":            {"view", nil},
		"is a timeseries":      {"timeseries", nil},
		"is capped":            {"collection", bson.D{{Key: "capped", Value: true}}},
		"has the collation en": {"collection", bson.D{{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}}}}},
	} {
		raw, err := bson.Marshal(c.options)
		if c.options == nil {
			raw, err = nil, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := defectOf(&mongo.CollectionSpecification{Type: c.kind, Options: raw}); got != want {
			t.Errorf("defectOf = %q, want %q", got, want)
		}
	}
	simple, err := bson.Marshal(bson.D{{Key: "collation", Value: bson.D{{Key: "locale", Value: "simple"}}}})
	if got := defectOf(&mongo.CollectionSpecification{Type: "collection", Options: simple}); got != "" || err != nil {
		t.Errorf("defectOf of a collection that compares bytes = %q, %v", got, err)
	}
}
