package storekit_test

import (
	"errors"
	"testing"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

func TestRefuseExpired(t *testing.T) {
	t.Parallel()
	outage := errors.New("outage")
	for name, c := range map[string]struct {
		version uint64
		current store.Record
		load    error
		want    error
		record  uint64 // The version of the record that is returned.
	}{
		"absent":                {version: 0, load: store.ErrNotFound, want: store.ErrNotFound},
		"gone":                  {version: 3, load: store.ErrNotFound, want: store.ErrNotFound},
		"created by another":    {version: 0, current: store.Record{Version: 3}, want: store.ErrConflict, record: 3},
		"changed by another":    {version: 3, current: store.Record{Version: 4}, want: store.ErrConflict, record: 4},
		"unchanged":             {version: 3, current: store.Record{Version: 3}, want: store.ErrNotFound},
		"load fails":            {version: 3, load: outage, want: outage},
		"load fails, of create": {version: 0, load: outage, want: outage},
	} {
		rec, err := storekit.RefuseExpired(c.version, c.current, c.load)
		if !errors.Is(err, c.want) || rec.Version != c.record {
			t.Errorf("%s: RefuseExpired = version %d, %v, want version %d, %v", name, rec.Version, err, c.record, c.want)
		}
	}
}
