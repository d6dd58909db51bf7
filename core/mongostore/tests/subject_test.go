package tests_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// many creates n records of a subject in one command and returns their keys in order.
func many(t *testing.T, collection *mongo.Collection, subject string, n int) (keys []string) {
	t.Helper()
	var docs []bson.D
	for i := range n {
		key := fmt.Sprintf("%s:%05d", subject, i)
		keys = append(keys, key)
		docs = append(docs, bson.D{
			{Key: "_id", Value: key},
			{Key: "v", Value: int64(i + 1)},
			{Key: "e", Value: bson.NewDateTimeFromTime(time.Now().Add(time.Hour))},
			{Key: "s", Value: subject},
			{Key: "d", Value: bson.Binary{Data: []byte("x")}},
		})
	}
	// The last first, so that the order of the keys is not that of the documents.
	slices.Reverse(docs)
	if _, err := collection.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestSubjectKeys walks 2,000 records of a subject, among others.
func TestSubjectKeys(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	want := many(t, collection, "many", 2000)
	many(t, collection, "man", 10)
	many(t, collection, "many-others", 10)
	if _, err := s.Save(t.Context(), store.Record{Key: "anonymous"}); err != nil {
		t.Fatal(err)
	}
	pages := 0
	got := faulttest.WalkSubject(t, s, "many", 100, func([]string) { pages++ })
	if !slices.Equal(got, want) || pages > 21 {
		t.Errorf("a walk finds %d keys in %d pages, want the 2000 of the subject, each once, in 20 or 21", len(got), pages)
	}
	for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 5000: 1000} {
		if page, next, err := s.SubjectKeys(t.Context(), "many", "", limit); err != nil || len(page) != want || next == "" {
			t.Errorf("SubjectKeys(limit %d) = %d keys, next %q, %v, want %d keys", limit, len(page), next, err, want)
		}
	}
}

// TestSubjectKeysTaken takes the records of each page away from the subject before it asks for the next: by deleting them,
// and by saving them under another subject.
func TestSubjectKeysTaken(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	faulttest.SubjectTaken(t, migrated(t, collection, quiet()), 8, func(subject string) []string {
		return many(t, collection, subject, 50)
	})
}

// TestSubjectKeysExpired has expired documents between the others, more in a row than a page has keys.
func TestSubjectKeysExpired(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	keys := many(t, collection, "some", 50)
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: keys[10]}, {Key: "$lt", Value: keys[40]}}}}
	expire := bson.D{{Key: "$set", Value: bson.D{{Key: "e", Value: bson.NewDateTimeFromTime(time.Now())}}}}
	if _, err := collection.UpdateMany(t.Context(), filter, expire); err != nil {
		t.Fatal(err)
	}
	got := faulttest.WalkSubject(t, s, "some", 8, func([]string) {})
	if want := slices.Concat(keys[:10], keys[40:]); !slices.Equal(got, want) {
		t.Errorf("a walk finds %q, want those that have not expired", got)
	}
}

// TestSubjectKeysRefuses checks subjects that no record has, cursors that are none of the subject's, and documents that are
// no records.
func TestSubjectKeysRefuses(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	one := many(t, collection, "one", 3)
	many(t, collection, "two", 3)
	for _, foreign := range []bson.D{
		{{Key: "_id", Value: int32(7)}, {Key: "s", Value: "one"}, {Key: "e", Value: bson.NewDateTimeFromTime(time.Now().Add(time.Hour))}},
		{{Key: "_id", Value: "one:no-date"}, {Key: "s", Value: "one"}, {Key: "e", Value: "tomorrow"}},
		{{Key: "_id", Value: "ä"}, {Key: "s", Value: "one"}, {Key: "e", Value: bson.NewDateTimeFromTime(time.Now().Add(time.Hour))}},
		{{Key: "_id", Value: "no-subject"}, {Key: "e", Value: bson.NewDateTimeFromTime(time.Now().Add(time.Hour))}},
	} {
		if _, err := collection.InsertOne(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
	}
	if got := faulttest.WalkSubject(t, s, "one", 1, func([]string) {}); !slices.Equal(got, one) {
		t.Errorf("a walk beside documents of others finds %q, want %q", got, one)
	}
	for _, subject := range []string{"", "nobody", "line\nend", "é", strings.Repeat("s", 600)} {
		if page, next, err := s.SubjectKeys(t.Context(), subject, "", 10); err != nil || len(page) != 0 || next != "" {
			t.Errorf("SubjectKeys(%.10q) = %q, %q, %v, want nothing", subject, page, next, err)
		}
	}
	_, two, err := s.SubjectKeys(t.Context(), "two", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	_, list, err := s.List(t.Context(), "one", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, cursor := range []string{"x", "one:00000", two, list, encode("one"), encode("k1:one\n"), encode("k1:one\n\xff")} {
		if page, next, err := s.SubjectKeys(t.Context(), "one", cursor, 1); err == nil || len(page) != 0 || next != "" || errors.Is(err, store.ErrNotFound) {
			t.Errorf("SubjectKeys(cursor %.20q) = %q, %q, %v, want an error", cursor, page, next, err)
		}
	}
}

// TestSubjectKeysCommand is what the server is asked for: no more documents than a page has keys, in the order of the index
// that Migrate asks for, and nothing of them but the key and the expiry.
func TestSubjectKeysCommand(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	keys := many(t, collection, "many", 5)
	_, next, err := s.SubjectKeys(t.Context(), "many", "", 2)
	if err != nil {
		t.Fatal(err)
	}
	set.commands()
	if _, _, err := s.SubjectKeys(t.Context(), "many", next, 2); err != nil {
		t.Fatal(err)
	}
	sent := set.commands()
	if len(sent) != 1 {
		t.Fatalf("the server was sent %d commands, want one", len(sent))
	}
	got := ""
	for _, field := range []string{"filter", "sort", "projection", "limit", "singleBatch"} {
		got += field + " " + sent[0].body.Lookup(field).String() + "\n"
	}
	want := `filter {"s": "many","_id": {"$gt": "` + keys[1] + `"}}
sort {"s": {"$numberInt":"1"},"_id": {"$numberInt":"1"}}
projection {"_id": {"$numberInt":"1"},"e": {"$numberInt":"1"}}
limit {"$numberLong":"2"}
singleBatch true
`
	if got != want {
		t.Errorf("the server was asked for %swant %s", got, want)
	}
}

// TestSubjectKeysReadLittle needs a real MongoDB, which says how much it reads: set TEST_MONGO_URL.
func TestSubjectKeysReadLittle(t *testing.T) {
	t.Parallel()
	if !testserver.Shared(t, testserver.Mongo{}).External() {
		t.Log("not tested on this server: it reads every document; TestSubjectKeysCommand tests what it is asked for")
		return
	}
	collection := newCollection(t)
	migrated(t, collection, quiet())
	many(t, collection, "many", 2000)
	many(t, collection, "others", 2000)
	explain := bson.D{{Key: "verbosity", Value: "executionStats"}, {Key: "explain", Value: bson.D{
		{Key: "find", Value: collection.Name()},
		{Key: "filter", Value: bson.D{{Key: "s", Value: "many"}, {Key: "_id", Value: bson.D{{Key: "$gt", Value: "many:01000"}}}}},
		{Key: "sort", Value: bson.D{{Key: "s", Value: 1}, {Key: "_id", Value: 1}}},
		{Key: "projection", Value: bson.D{{Key: "_id", Value: 1}, {Key: "e", Value: 1}}},
		{Key: "limit", Value: 100},
	}}}
	raw, err := collection.Database().RunCommand(t.Context(), explain).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := raw.Lookup("executionStats", "totalDocsExamined").AsInt64OK(); !ok || n > 100 {
		t.Errorf("the server reads %d documents for a page of 100 keys", n)
	}
}
