package sessiontest_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
)

// TestConformance makes sure that a store in between is as good as the one within.
func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Config{
		New: func(testing.TB) store.Store {
			return sessiontest.NewStore(memstore.New(memstore.Options{MaxBytes: 32 << 20}))
		},
		InProcess: true,
		TooLarge:  32<<20 + 1,
	})
}

// TestConformanceOfABareStore has nothing optional within.
func TestConformanceOfABareStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Config{
		New:       func(testing.TB) store.Store { return sessiontest.NewStore(&bare{memstore.New(memstore.Options{})}) },
		InProcess: true,
	})
}
