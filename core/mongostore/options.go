package mongostore

import (
	"cmp"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// DefaultMaxData is the default of [Options.MaxData].
const DefaultMaxData = 4 << 20

// greatestMaxData is the size limit of MongoDB for a document, less room for the other fields.
const greatestMaxData = 16<<20 - 8<<10

// Options configures a [Store]. The zero value is the safe default.
type Options struct {
	// MaxData is the maximum length of a record's data in bytes. Saving a longer record
	// returns [store.ErrTooLarge] and sends nothing. The default is 4 MiB. At most 16 MiB less
	// 8 KiB is possible, since MongoDB accepts documents of up to 16 MiB.
	MaxData int

	// WriteConcern says when a write is acknowledged. The default is "majority": a write is
	// acknowledged when a majority of the replica set has it, so that no failover undoes it.
	// With a weaker concern, a session that was deleted or changed just before a failover may
	// exist again as it was before.
	WriteConcern *writeconcern.WriteConcern

	// Linearizable makes each Load check with a majority of the replica set that its primary
	// is still the primary. Without it, a primary that has been cut off and has not noticed
	// yet, which takes some ten seconds, returns sessions as they were before, including
	// deleted ones; it cannot write any. The check costs a round trip between the servers. The
	// default is false.
	Linearizable bool
}

// validate returns an error that says how to correct the arguments of New if they are invalid.
func (o Options) validate(collection *mongo.Collection) error {
	switch {
	case collection == nil:
		return errors.New("sessions: mongostore: the *mongo.Collection is nil: " +
			"hand in client.Database(name).Collection(name)")
	case o.MaxData < 0 || o.MaxData > greatestMaxData:
		return fmt.Errorf("sessions: mongostore: Options.MaxData is %d: "+
			"set a length in bytes of at most %d, or 0 for %d",
			o.MaxData, greatestMaxData, DefaultMaxData)
	case !o.WriteConcern.Acknowledged():
		return errors.New("sessions: mongostore: Options.WriteConcern asks for no answer, " +
			"and without one no save knows whether it won: " +
			"use writeconcern.Majority(), or nil")
	case !o.WriteConcern.IsValid():
		return errors.New("sessions: mongostore: Options.WriteConcern contradicts itself: " +
			"use writeconcern.Majority(), or nil")
	}
	return nil
}

// withDefaults returns the options with each zero value replaced by its default.
func (o Options) withDefaults() Options {
	o.MaxData = cmp.Or(o.MaxData, DefaultMaxData)
	o.WriteConcern = cmp.Or(o.WriteConcern, writeconcern.Majority())
	return o
}
