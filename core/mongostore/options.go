package mongostore

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// DefaultMaxData is what a zero [Options.MaxData] stands for.
const DefaultMaxData = 4 << 20

// largest is what MongoDB takes in a document, less room for all that is not data.
const largest = 16<<20 - 8<<10

// Options configures a [Store]. The zero value is the safe default.
type Options struct {
	// MaxData bounds the length of a record's data; a longer one is [store.ErrTooLarge] and nothing is sent. MongoDB takes
	// documents of 16 MiB, so 16 MiB less 8 KiB is the most. Zero: 4 MiB.
	MaxData int

	// WriteConcern says when a write counts as done. Nil: when the majority of the replica set has it, so that no failover
	// undoes it. With less, a session deleted or changed just before a failover may be there again as it was.
	WriteConcern *writeconcern.WriteConcern

	// Linearizable makes Load ask the majority whether its primary still is the primary, each time. Without it a primary
	// that has been cut off from the others, and has not noticed yet (some ten seconds), still returns sessions as they were
	// before, deleted ones too; it cannot write any. It costs a round trip between the servers per Load.
	Linearizable bool
}

// check says what is impossible about the options and what to do about it.
func (o Options) check(collection *mongo.Collection) error {
	switch {
	case collection == nil:
		return errors.New("sessions: mongostore: the *mongo.Collection is nil: hand in client.Database(name).Collection(name)")
	case o.MaxData < 0 || o.MaxData > largest:
		return fmt.Errorf("sessions: mongostore: Options.MaxData is %d: set a length in bytes of at most %d, or 0 for %d", o.MaxData, largest, DefaultMaxData)
	case !o.WriteConcern.Acknowledged():
		return errors.New("sessions: mongostore: Options.WriteConcern asks for no answer, and without one no save knows whether it won: use writeconcern.Majority(), or nil")
	case !o.WriteConcern.IsValid():
		return errors.New("sessions: mongostore: Options.WriteConcern contradicts itself: use writeconcern.Majority(), or nil")
	}
	return nil
}

// withDefaults returns the options with each zero value replaced by what it stands for.
func (o Options) withDefaults() Options {
	o.MaxData = or(o.MaxData, DefaultMaxData)
	o.WriteConcern = or(o.WriteConcern, writeconcern.Majority())
	return o
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
