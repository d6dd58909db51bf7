package memstore

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count returns how many records have a key that starts with prefix. It takes the shards one after the other, as List
// does, but makes no records.
func (s *Store) Count(_ context.Context, prefix string) (n int, err error) {
	now := time.Now()
	for i := range s.shards {
		n += s.shards[i].count(prefix, now)
	}
	return n, nil
}
