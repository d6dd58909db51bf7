package tests_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestDocument is what the package comment says about documents, for those who read them with other tools.
func TestDocument(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), store.Record{Key: "anonymous", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	want := bson.D{
		{Key: "_id", Value: "a"},
		{Key: "v", Value: int64(rec.Version)},
		{Key: "e", Value: bson.NewDateTimeFromTime(rec.Expires)},
		{Key: "s", Value: "somebody"},
		{Key: "d", Value: bson.Binary{Data: []byte("data of a")}},
	}
	if got := stored(t, collection, "a"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the document is %v, want %v", got, want)
	}
	got := stored(t, collection, "anonymous")
	never := bson.NewDateTimeFromTime(time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC))
	if len(got) != 4 || got[2].Value != never {
		t.Errorf("the document of a permanent anonymous session is %v, want it to expire with the year 9999 and no subject", got)
	}
}

func stored(t *testing.T, collection *mongo.Collection, key string) (doc bson.D) {
	t.Helper()
	if err := collection.FindOne(t.Context(), bson.D{{Key: "_id", Value: key}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestS2ForeignDocuments has documents that the store has not written: they count as absent, and those beside them are
// found all the same.
func TestS2ForeignDocuments(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	good, err := s.Save(t.Context(), record("k9"))
	if err != nil {
		t.Fatal(err)
	}
	later := bson.NewDateTimeFromTime(time.Now().Add(time.Hour))
	for i, fields := range []bson.D{
		{},
		{{Key: "v", Value: "1"}, {Key: "e", Value: later}, {Key: "d", Value: []byte("x")}},
		{{Key: "v", Value: int64(-1)}, {Key: "e", Value: later}, {Key: "d", Value: []byte("x")}},
		{{Key: "v", Value: int64(1)}, {Key: "e", Value: "tomorrow"}, {Key: "d", Value: []byte("x")}},
		{{Key: "v", Value: int64(1)}, {Key: "e", Value: later}, {Key: "d", Value: "text"}},
		{{Key: "v", Value: int64(1)}, {Key: "e", Value: later}, {Key: "s", Value: "somebody"}},
		{{Key: "v", Value: int64(1)}, {Key: "e", Value: later}, {Key: "s", Value: int32(1)}, {Key: "d", Value: []byte("x")}},
	} {
		key := fmt.Sprint("k", i)
		if _, err := collection.InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: key}}, fields...)); err != nil {
			t.Fatal(err)
		}
		foreign(t, s, key)
	}
	if found, err := s.BySubject(t.Context(), "somebody"); err != nil || len(found) != 1 || found[0].Key != good.Key {
		t.Errorf("BySubject = %v, %v, want %s alone", found, err, good.Key)
	}
	if keys := walk(t, s, "k", 2); !slices.Equal(keys, []string{good.Key}) {
		t.Errorf("List = %v, want %s alone", keys, good.Key)
	}
	if err := s.Delete(t.Context(), "k1"); err != nil {
		t.Errorf("Delete = %v", err)
	}
	if _, err := s.Save(t.Context(), record("k1")); err != nil {
		t.Errorf("Save after Delete = %v", err)
	}
}

// foreign checks that the document under key is no record.
func foreign(t *testing.T, s *mongostore.Store, key string) {
	t.Helper()
	if rec, err := s.Load(t.Context(), key); !errors.Is(err, store.ErrNotFound) || rec.Version != 0 {
		t.Errorf("Load(%s) = %+v, %v, want ErrNotFound", key, rec, err)
	}
	if rec, err := s.Save(t.Context(), record(key)); !errors.Is(err, store.ErrConflict) || rec.Version != 0 {
		t.Errorf("Save(%s) = %+v, %v, want ErrConflict and no record", key, rec, err)
	}
	rec := record(key)
	rec.Version = 99
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save(%s, version 99) = %v, want ErrNotFound", key, err)
	}
	if err := s.Touch(t.Context(), rec); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Touch(%s) = %v, want ErrNotFound", key, err)
	}
}

// walk returns the keys of all records with a prefix.
func walk(t *testing.T, s *mongostore.Store, prefix string, limit int) (keys []string) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := s.List(t.Context(), prefix, cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			keys = append(keys, rec.Key)
		}
		if cursor = next; cursor == "" {
			return keys
		}
	}
}

// TestS1Size has a server that takes what MongoDB would refuse: the store refuses it first, and what was stored stays.
func TestS1Size(t *testing.T) {
	t.Parallel()
	most := 1 << 20
	if testserver.Shared(t, testserver.Mongo{}).External() {
		most = 16<<20 - 8<<10 // MongoDB itself has its say
	}
	o := quiet()
	o.MaxData = most
	s := migrated(t, newCollection(t), o)
	rec, err := s.Save(t.Context(), store.Record{Key: "large", Data: bytes.Repeat([]byte("x"), most)})
	if err != nil {
		t.Fatalf("Save of as much as may be = %v", err)
	}
	rec.Data = append(rec.Data, 'x')
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save of more = %v, want ErrTooLarge", err)
	}
	if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version || len(got.Data) != most {
		t.Errorf("Load = version %d with %d bytes, %v, want what was saved", got.Version, len(got.Data), err)
	}
}

// TestCommands counts what each call sends.
func TestCommands(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Load", "Touch", "BySubject", "SubjectKeys", "List", "Save", "create", "Delete"} {
		set.commands()
		if err := calls(s, rec)[name](t.Context()); err != nil {
			t.Errorf("%s = %v", name, err)
		}
		if sent := set.commands(); len(sent) != 1 {
			t.Errorf("%s sends %d commands, want one", name, len(sent))
		}
	}
	set.commands()
	if _, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrConflict) || len(set.commands()) != 2 {
		t.Errorf("Save of another version = %v, want ErrConflict after two commands", err)
	}
}
