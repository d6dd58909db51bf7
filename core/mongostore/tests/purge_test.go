package tests_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *syncBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// expireSome puts n documents into the collection that expired long ago, as if no purge had run.
func expireSome(t *testing.T, collection *mongo.Collection, n int) {
	t.Helper()
	for i := range n {
		doc := bson.D{
			{Key: "_id", Value: fmt.Sprint("old", i)},
			{Key: "v", Value: int64(7)},
			{Key: "e", Value: bson.NewDateTimeFromTime(time.Now().Add(-time.Hour))},
			{Key: "d", Value: []byte("old")},
		}
		if _, err := collection.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, collection *mongo.Collection) int64 {
	t.Helper()
	n, err := collection.CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// withoutTTL skips the test on a server that deletes expired documents by itself, at times that no test knows.
func withoutTTL(t *testing.T) {
	t.Helper()
	if testserver.Shared(t, testserver.Mongo{}).External() {
		t.Skip("the server may have TTL indexes")
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	var kept []store.Record
	for _, rec := range []store.Record{record("lives"), {Key: "permanent", Data: []byte("for ever")}} {
		saved, err := s.Save(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, saved)
	}
	expireSome(t, collection, 7)
	for i, want := range []int{3, 3, 1, 0} {
		if n, err := s.Purge(t.Context(), 3); n != want || err != nil {
			t.Errorf("Purge number %d of at most 3 = %d, %v, want %d", i+1, n, err, want)
		}
	}
	for _, rec := range kept {
		if _, err := s.Load(t.Context(), rec.Key); err != nil {
			t.Errorf("Load(%q) after the purge = %v", rec.Key, err)
		}
	}
}

// TestPurgeSparesTheNew has a key come to new life after the purge has found its old document, and before it deletes.
func TestPurgeSparesTheNew(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	expireSome(t, collection, 2)
	set.breakNext(func(_ command, do func() []byte) []byte {
		if _, err := s.Save(t.Context(), record("old0")); err != nil {
			t.Errorf("Save = %v", err)
		}
		return do()
	})
	if n, err := s.Purge(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v, want 1", n, err)
	}
	if _, err := s.Load(t.Context(), "old0"); err != nil {
		t.Errorf("Load of the new record = %v", err)
	}
}

// TestX4PurgeIsNotNeeded has expired documents that nothing deletes: they are there for nobody.
func TestX4PurgeIsNotNeeded(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	collection := newCollection(t)
	s := newStore(t, collection, quiet()) // nothing migrated either
	expireSome(t, collection, 1)
	old := store.Record{Key: "old0", Version: 7, Data: []byte("old"), Expires: time.Now().Add(time.Hour)}
	if _, err := s.Load(t.Context(), old.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
	if _, err := s.Save(t.Context(), old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Save = %v, want ErrNotFound", err)
	}
	if err := s.Touch(t.Context(), old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Touch = %v, want ErrNotFound", err)
	}
	if page, _, err := s.List(t.Context(), "", "", 10); len(page) != 0 || err != nil {
		t.Errorf("List = %v, %v, want nothing", page, err)
	}
	old.Version = 0
	if saved, err := s.Save(t.Context(), old); err != nil || saved.Version == 7 {
		t.Errorf("Save of a new record = version %d, %v, want another version than that of the expired one", saved.Version, err)
	}
}

// TestPurgeWithTTL pretends a server that has TTL indexes, or indexes that look like one but do not do the work of one.
func TestPurgeWithTTL(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	expireSome(t, collection, 1)
	id := bson.D{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "name", Value: "_id_"}}
	index := func(field string, more ...bson.E) bson.D {
		return append(bson.D{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: field, Value: 1}}}, {Key: "name", Value: field}}, more...)
	}
	ttl := bson.E{Key: "expireAfterSeconds", Value: 0}
	partial := bson.E{Key: "partialFilterExpression", Value: bson.D{{Key: "s", Value: bson.D{{Key: "$exists", Value: true}}}}}
	set.pretendIndexes(id, index("s"), index("e", ttl))
	for range 2 {
		if n, err := s.Purge(t.Context(), 10); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Purge where the server does it = %d, %v, want ErrUnsupported", n, err)
		}
	}
	for name, indexes := range map[string][]bson.D{
		"none":            {id},
		"an ordinary one": {id, index("e")},
		"of other dates":  {id, index("e"), index("seen", ttl)},
		"of some only":    {id, index("e", ttl, partial)},
	} {
		set.pretendIndexes(indexes...)
		if n, err := s.Purge(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("Purge with a TTL index (%s) = %d, %v, want 1", name, n, err)
		}
		expireSome(t, collection, 1)
	}
}

// TestPurgeOfNothing purges a collection that does not exist.
func TestPurgeOfNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, newCollection(t), quiet())
	if n, err := s.Purge(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("Purge = %d, %v, want nothing", n, err)
	}
}

// TestManagerPurges leaves the purge to a manager.
func TestManagerPurges(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	expireSome(t, collection, 7)
	log := &syncBuffer{}
	m, err := core.NewManager(core.Options{Store: s, PurgeInterval: time.Second, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is purged", func() bool { return count(t, collection) == 0 })
	if err := m.Close(t.Context()); err != nil || log.String() != "" {
		t.Errorf("Close = %v, and the log says %q", err, log)
	}
}

func indexes(t *testing.T, collection *mongo.Collection) map[string]mongo.IndexSpecification {
	t.Helper()
	all, err := collection.Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]mongo.IndexSpecification)
	for _, index := range all {
		byName[index.Name] = index
	}
	return byName
}

// TestMigrateWithoutTTL meets a server that refuses partial and TTL indexes: it gets ordinary ones.
func TestMigrateWithoutTTL(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate again = %v", err)
	}
	found := indexes(t, collection)
	for _, name := range []string{"s_1__id_1", "e_1"} {
		if index, ok := found[name]; !ok || index.ExpireAfterSeconds != nil {
			t.Errorf("the index %s is %+v, want an ordinary one", name, index)
		}
	}
}

// TestIndexes is what the server is asked for. The index of subjects has the keys in their order and nothing that a touch
// changes, and no documents without a subject. Each index is asked for again without what the server does not support.
func TestIndexes(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, c := range set.commands() {
		if c.name == "createIndexes" {
			index := c.body.Lookup("indexes", "0")
			asked = append(asked, fmt.Sprint(index.Document().Lookup("key"), index.Document().Lookup("partialFilterExpression"), index.Document().Lookup("expireAfterSeconds")))
		}
	}
	const subjects, expiries = `{"s": {"$numberInt":"1"},"_id": {"$numberInt":"1"}} `, `{"e": {"$numberInt":"1"}}  `
	want := subjects + `{"s": {"$exists": true}} ,` + subjects + ` ,` + expiries + `{"$numberInt":"0"},` + expiries
	if got := strings.Join(asked, ","); got != want {
		t.Errorf("the server was asked for %s\nwant %s", got, want)
	}
}

// TestMigrateWithTTL needs a real MongoDB: set TEST_MONGO_URL.
func TestMigrateWithTTL(t *testing.T) {
	t.Parallel()
	if !testserver.Shared(t, testserver.Mongo{}).External() {
		t.Log("not tested on this server: it refuses TTL indexes, which TestMigrateWithoutTTL tests")
		return
	}
	collection := newCollection(t)
	s := migrated(t, collection, quiet())
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate again = %v", err)
	}
	if index := indexes(t, collection)["e_1"]; index.ExpireAfterSeconds == nil || *index.ExpireAfterSeconds != 0 {
		t.Errorf("the index is %+v, want a TTL index", index)
	}
	if n, err := s.Purge(t.Context(), 10); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Purge where the server does it = %d, %v, want ErrUnsupported", n, err)
	}
}
