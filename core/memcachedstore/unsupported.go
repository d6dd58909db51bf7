package memcachedstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloakroom-go/sessions/core/store"
)

var (
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Counter = (*Store)(nil)
)

// BySubject returns [errors.ErrUnsupported].
func (s *Store) BySubject(context.Context, string) ([]store.Record, error) {
	return nil, fmt.Errorf("memcached: by subject: %w", errors.ErrUnsupported)
}

// List returns [errors.ErrUnsupported].
func (s *Store) List(context.Context, string, string, int) ([]store.Record, string, error) {
	return nil, "", fmt.Errorf("memcached: list: %w", errors.ErrUnsupported)
}

// Count returns [errors.ErrUnsupported].
func (s *Store) Count(context.Context, string) (int, error) {
	return 0, fmt.Errorf("memcached: count: %w", errors.ErrUnsupported)
}
