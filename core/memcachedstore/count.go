package memcachedstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count answers [errors.ErrUnsupported].
func (s *Store) Count(context.Context, string) (int, error) {
	return 0, fmt.Errorf("memcached: count: %w", errors.ErrUnsupported)
}
