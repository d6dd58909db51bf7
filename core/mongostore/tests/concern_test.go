package tests_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
)

// careless is a client that reads from secondaries and does not wait for them when it writes.
func careless() *options.ClientOptions {
	return options.Client().
		SetReadPreference(readpref.Secondary()).
		SetReadConcern(readconcern.Available()).
		SetWriteConcern(writeconcern.W1())
}

// exercise makes every call once, each with success. Only a purge may say that there is no need for it.
func exercise(ctx context.Context, t *testing.T, s *mongostore.Store) {
	t.Helper()
	rec, err := s.Save(ctx, record("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Migrate", "Load", "Touch", "BySubject", "SubjectKeys", "List", "Save", "Delete", "Purge"} {
		if err := calls(s, rec)[name](ctx); err != nil && (name != "Purge" || !errors.Is(err, errors.ErrUnsupported)) {
			t.Errorf("%s = %v", name, err)
		}
	}
}

// TestReadsFromPrimary has a secondary that must not be asked, and writes that must reach the majority.
func TestReadsFromPrimary(t *testing.T) {
	t.Parallel()
	for _, linearizable := range []bool{false, true} {
		set := newReplicaSet(t)
		o := quiet()
		o.Linearizable = linearizable
		s, _ := set.open(t, careless(), o)
		exercise(t.Context(), t, s)
		finds, strict := 0, 0
		for _, c := range set.commands() {
			if c.secondary {
				t.Errorf("%s was sent to the secondary", c.name)
			}
			if w, _ := c.body.Lookup("writeConcern", "w").StringValueOK(); writes(c.name) && w != "majority" {
				t.Errorf("%s has the write concern %q, want majority", c.name, w)
			}
			if c.name != "find" {
				continue
			}
			finds++
			switch level, _ := c.body.Lookup("readConcern", "level").StringValueOK(); level {
			case "linearizable":
				strict++
			case "local":
			default:
				t.Errorf("find has the read concern %q", level)
			}
		}
		if want := map[bool]int{true: 1}[linearizable]; strict != want || finds < 4 {
			t.Errorf("with Linearizable %v, %d of %d finds are linearizable, want %d: that of Load", linearizable, strict, finds, want)
		}
	}
}

// TestWriteConcern takes the one that was asked for.
func TestWriteConcern(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	o := quiet()
	o.WriteConcern = writeconcern.W1()
	s, _ := set.open(t, options.Client(), o)
	exercise(t.Context(), t, s)
	for _, c := range set.commands() {
		if w, _ := c.body.Lookup("writeConcern", "w").AsInt64OK(); writes(c.name) && w != 1 {
			t.Errorf("%s has the write concern %v, want 1", c.name, c.body.Lookup("writeConcern"))
		}
	}
}

// TestNotInTransaction makes the calls with a context in which the application has a transaction.
func TestNotInTransaction(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	session, err := collection.Database().Client().StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	if err := session.StartTransaction(); err != nil {
		t.Fatal(err)
	}
	exercise(mongo.NewSessionContext(t.Context(), session), t, s)
	seen := set.commands()
	for _, c := range seen {
		if !c.body.Lookup("autocommit").IsZero() {
			t.Errorf("%s is part of the application's transaction", c.name)
		}
	}
	if len(seen) < 8 {
		t.Errorf("the server saw %d commands", len(seen))
	}
}

// loseReply has the server do its work and the driver never hear of it.
func loseReply(_ command, do func() []byte) []byte {
	_ = do()
	return nil
}

// TestRepeatedByDriver loses replies of writes, so that the driver sends them again: the answer is success, and not a
// conflict with oneself.
func TestRepeatedByDriver(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	rec := record("a")
	for _, write := range []struct {
		name string
		do   func() error
	}{
		{"create", func() (err error) { rec, err = s.Save(t.Context(), rec); return err }},
		{"replace", func() (err error) { rec, err = s.Save(t.Context(), rec); return err }},
		{"Touch", func() error { rec.Expires = rec.Expires.Add(3600e9); return s.Touch(t.Context(), rec) }},
		{"Delete", func() error { return s.Delete(t.Context(), rec.Key) }},
	} {
		set.commands()
		set.breakNext(loseReply)
		if err := write.do(); err != nil {
			t.Errorf("%s whose first reply was lost = %v, want success", write.name, err)
		}
		set.repeated(t, write.name)
		if got, err := s.Load(t.Context(), rec.Key); write.name != "Delete" && (err != nil || got.Version != rec.Version || !got.Expires.Equal(rec.Expires)) {
			t.Errorf("Load after %s = %+v, %v", write.name, got, err)
		}
	}
}

// repeated checks that the driver has sent a write twice under one number, which a real replica set would know it by.
func (r *replicaSet) repeated(t *testing.T, name string) {
	t.Helper()
	var numbers []int64
	for _, c := range r.commands() {
		if n, ok := c.body.Lookup("txnNumber").Int64OK(); ok && writes(c.name) {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) != 2 || numbers[0] != numbers[1] {
		t.Errorf("%s: the writes have the numbers %v, want one twice", name, numbers)
	}
}

// TestRepeatedOverExpired is TestRepeatedByDriver for a new record that takes the place of an expired one.
func TestRepeatedOverExpired(t *testing.T) {
	t.Parallel()
	withoutTTL(t)
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	expireSome(t, collection, 1)
	updates := 0
	var lose func(c command, do func() []byte) []byte
	lose = func(c command, do func() []byte) []byte {
		if c.name != "update" {
			set.breakNext(lose)
			return do()
		}
		updates++
		return loseReply(c, do)
	}
	set.breakNext(lose)
	rec, err := s.Save(t.Context(), record("old0"))
	if err != nil || updates != 1 {
		t.Errorf("Save over an expired record whose reply was lost %d times = %v, want success and once", updates, err)
	}
	if got, err := s.Load(t.Context(), "old0"); err != nil || got.Version != rec.Version {
		t.Errorf("Load = %+v, %v, want what was saved", got, err)
	}
}

// TestExtendedMeanwhile has a new record find an expired one in its place, which a machine whose clock is behind extends
// before it can be replaced: it lives, and the new record is a conflict.
func TestExtendedMeanwhile(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, collection := set.open(t, options.Client(), quiet())
	expireSome(t, collection, 1)
	extend := bson.D{{Key: "$set", Value: bson.D{{Key: "e", Value: bson.NewDateTimeFromTime(record("").Expires)}}}}
	set.breakNext(func(_ command, insert func() []byte) []byte {
		set.breakNext(func(_ command, replace func() []byte) []byte {
			if _, err := collection.UpdateByID(t.Context(), "old0", extend); err != nil {
				t.Errorf("the extension = %v", err)
			}
			return replace()
		})
		return insert()
	})
	if current, err := s.Save(t.Context(), record("old0")); !errors.Is(err, store.ErrConflict) || current.Version != 7 {
		t.Errorf("Save = version %d, %v, want that of before and ErrConflict", current.Version, err)
	}
}

// TestRealConflictAfterRepeat has somebody else save between the two times: that is a conflict.
func TestRealConflictAfterRepeat(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	set.breakNext(func(_ command, _ func() []byte) []byte {
		if _, err := s.Save(t.Context(), rec); err != nil {
			t.Errorf("the other Save = %v", err)
		}
		return nil
	})
	if current, err := s.Save(t.Context(), rec); !errors.Is(err, store.ErrConflict) || current.Version == 0 || current.Version == rec.Version {
		t.Errorf("Save = version %d, %v, want the other's and ErrConflict", current.Version, err)
	}
}

// TestFailover has the primary step down: the driver finds the next and repeats the write there.
func TestFailover(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	const notWritablePrimary = int32(10107)
	refusal := bson.D{
		{Key: "ok", Value: float64(0)},
		{Key: "code", Value: notWritablePrimary},
		{Key: "codeName", Value: "NotWritablePrimary"},
		{Key: "errmsg", Value: "not primary"},
		{Key: "errorLabels", Value: bson.A{"RetryableWriteError"}},
	}
	set.breakNext(func(c command, _ func() []byte) []byte { return response(c.message, refusal) })
	if _, err := s.Save(t.Context(), rec); err != nil {
		t.Errorf("Save while the primary steps down = %v, want success", err)
	}
}

// TestUnconfirmedByMajority has the primary alone take the write, for the others are away: the answer is no success.
func TestUnconfirmedByMajority(t *testing.T) {
	t.Parallel()
	set := newReplicaSet(t)
	s, _ := set.open(t, options.Client(), quiet())
	rec, err := s.Save(t.Context(), record("a"))
	if err != nil {
		t.Fatal(err)
	}
	const writeConcernFailed = int32(64)
	unconfirmed := bson.D{
		{Key: "n", Value: int32(1)},
		{Key: "nModified", Value: int32(1)},
		{Key: "ok", Value: float64(1)},
		{Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: writeConcernFailed}, {Key: "codeName", Value: "WriteConcernFailed"}, {Key: "errmsg", Value: "waiting for replication timed out"},
		}},
	}
	later := rec
	later.Expires = rec.Expires.Add(3600e9)
	for name, call := range map[string]func() error{
		"create":  func() error { _, err := s.Save(t.Context(), record("b")); return err },
		"replace": func() error { _, err := s.Save(t.Context(), rec); return err },
		"Touch":   func() error { return s.Touch(t.Context(), later) },
		"Delete":  func() error { return s.Delete(t.Context(), rec.Key) },
	} {
		set.breakNext(func(c command, _ func() []byte) []byte { return response(c.message, unconfirmed) })
		if err := call(); err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s that the majority has not confirmed = %v, want a failure", name, err)
		}
	}
}

// TestOwnEncoding has a client that encodes strings in its own way. The store's documents are as ever.
func TestOwnEncoding(t *testing.T) {
	t.Parallel()
	registry := bson.NewRegistry()
	registry.RegisterTypeEncoder(reflect.TypeFor[string](), bson.ValueEncoderFunc(
		func(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
			return w.WriteSymbol(v.String())
		},
	))
	p := newPlace(t)
	collection := p.collection(t, options.Client().SetRegistry(registry).SetBSONOptions(&options.BSONOptions{NilSliceAsEmpty: true}))
	exercise(t.Context(), t, newStore(t, collection, quiet()))
}
