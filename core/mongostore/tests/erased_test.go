package tests_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/cloakroom-go/sessions/internal/faulttest"
)

// TestErased looks at every document of every collection in the database, whoever has made the collection. It does not
// look at what a server has for its own use, such as a log of operations.
func TestErased(t *testing.T) {
	t.Parallel()
	collection := newCollection(t)
	db := collection.Database()
	faulttest.Erased(t, migrated(t, collection, quiet()), func() (all []byte) {
		names, err := db.ListCollectionNames(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			docs, err := db.Collection(name).Find(t.Context(), bson.D{})
			if err != nil {
				t.Fatal(err)
			}
			for docs.Next(t.Context()) {
				all = append(all, docs.Current...)
			}
			if err := docs.Err(); err != nil {
				t.Fatal(err)
			}
		}
		return all
	})
}
