package storetest

import (
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Config describes the store to test. Only New is required.
type Config struct {
	// New returns the store to test. It is called once for each case. The stores it returns
	// may share their data. New registers with t.Cleanup what has to be closed after the case.
	New func(t testing.TB) store.Store
	// Second returns another handle on the data of first, a store returned by New. It should
	// have its own connections and caches, like a store in a second process. The races then
	// use both handles. If Second is nil, they use one.
	Second func(t testing.TB, first store.Store) store.Store
	// InProcess reports that the store reads the time from [time.Now] in this process, so that
	// a bubble of [testing/synctest] can move its clock. Such a store must not leave a
	// goroutine running after a case.
	InProcess bool
	// Resolution is the unit to which the store rounds an expiry up. It is at most one second.
	// Zero means that the store does not round.
	Resolution time.Duration
	// TooLarge is a length of Data that the store must refuse with [store.ErrTooLarge]. If it
	// is zero, the suite does not test that. In all other cases the suite saves at most 64 KiB
	// in one record and a few MiB in total.
	TooLarge int
}

// check returns what is wrong with the configuration, or an empty string.
func (c *Config) check() string {
	switch {
	case c.New == nil:
		return "storetest: Config.New is missing; it must return the store to test"
	case c.Resolution < 0 || c.Resolution > time.Second:
		return "storetest: Config.Resolution must be between 0 and 1 second, " +
			"because a store may not round an expiry further"
	}
	return ""
}
