package memstore_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
)

func config() storetest.Config {
	const bound = 32 << 20
	return storetest.Config{
		New: func(testing.TB) store.Store {
			return memstore.New(memstore.Options{MaxBytes: bound})
		},
		InProcess: true,
		TooLarge:  bound + 1,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config())
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, config())
}
