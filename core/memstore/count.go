package memstore

import (
	"context"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count returns how many records have a key that starts with prefix. It takes the shards one after the other, as List does.
func (s *Store) Count(ctx context.Context, prefix string) (n int, err error) {
	for cursor := ""; ; {
		page, next, err := s.List(ctx, prefix, cursor, 1)
		if err != nil {
			return 0, err
		}
		if n, cursor = n+len(page), next; cursor == "" {
			return n, nil
		}
	}
}
