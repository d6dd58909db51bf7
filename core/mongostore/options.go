package mongostore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// The defaults that zero values of [Options] stand for.
const (
	DefaultMaxData       = 4 << 20
	DefaultPurgeInterval = 5 * time.Minute
	DefaultPurgeBatch    = 500
	DefaultPurgeTimeout  = 30 * time.Second
)

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

	// PurgeInterval is how often the store deletes expired documents itself, give or take a quarter so that several
	// processes do not keep step. Zero: every 5 minutes once [Store.Migrate] has found that the server has no TTL
	// indexes, otherwise never. Positive: always, from [New] on. Negative: never.
	PurgeInterval time.Duration

	// PurgeBatch is how many documents one command of the purge deletes at most. Zero: 500.
	PurgeBatch int

	// PurgeTimeout bounds each batch of the purge. Zero: 30 seconds.
	PurgeTimeout time.Duration

	// Logger is told when the server has no TTL indexes and when a purge fails. Nil: [slog.Default].
	Logger *slog.Logger
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
	case o.PurgeBatch < 0:
		return fmt.Errorf("sessions: mongostore: Options.PurgeBatch is %d: set a number of documents, or 0 for %d", o.PurgeBatch, DefaultPurgeBatch)
	case o.PurgeInterval > 0 && o.PurgeInterval < time.Millisecond:
		return fmt.Errorf("sessions: mongostore: Options.PurgeInterval is %v: set at least a millisecond, 0 for %v where the server has no TTL indexes, or a negative one for no purge", o.PurgeInterval, DefaultPurgeInterval)
	case o.PurgeTimeout < 0:
		return fmt.Errorf("sessions: mongostore: Options.PurgeTimeout is %v: set a duration, or 0 for %v", o.PurgeTimeout, DefaultPurgeTimeout)
	}
	return nil
}

// withDefaults returns the options with each zero value replaced by what it stands for, but for PurgeInterval, whose zero
// depends on the server.
func (o Options) withDefaults() Options {
	o.MaxData = or(o.MaxData, DefaultMaxData)
	o.WriteConcern = or(o.WriteConcern, writeconcern.Majority())
	o.PurgeBatch = or(o.PurgeBatch, DefaultPurgeBatch)
	o.PurgeTimeout = or(o.PurgeTimeout, DefaultPurgeTimeout)
	o.Logger = or(o.Logger, slog.Default())
	return o
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
