package redisstore

import (
	"context"
	"time"
)

// tombstoneTTL is how long the version of a deleted record is kept. It must be longer than a
// call can take, including the client's retries.
const tombstoneTTL = time.Minute

// Delete removes the record under key, and its entry in the index of its user.
//
// On a cluster the index may be on another server. If that fails while the record is removed,
// Delete succeeds, and the entry remains until the index is read or until the record would have
// expired.
func (s *Store) Delete(ctx context.Context, key string) error {
	subject, err := s.scripts.remove.Run(ctx, s.client, []string{key},
		tombstoneTTL.Milliseconds(), s.localIndexes).Text()
	if err != nil {
		return s.wrapError(ctx, "delete", err)
	}
	if subject != "" { // the script has not removed the entry
		_, _ = s.settle(ctx, subject, []string{key})
	}
	return nil
}
