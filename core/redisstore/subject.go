package redisstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// BySubject returns the records of a subject. It repairs the index where that does not match
// the records. It returns an error if the server may evict the index: see
// [Options.AcceptEviction].
func (s *Store) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	if subject == "" {
		return nil, nil
	}
	keys, err := s.members(ctx, subject)
	if err != nil {
		return nil, err
	}
	found, missing, err := s.loadMembers(ctx, subject, keys)
	if err != nil {
		return nil, err
	}
	appeared, err := s.settle(ctx, subject, missing)
	if err != nil {
		return nil, err
	}
	more, _, err := s.loadMembers(ctx, subject, appeared)
	if err != nil {
		return nil, err
	}
	return append(found, more...), nil
}

// members returns the keys in the index of a subject.
func (s *Store) members(ctx context.Context, subject string) ([]string, error) {
	look := s.watch.onRead()
	all, err := s.scripts.members.Run(
		ctx, s.client, []string{s.indexKey(subject)}, look).StringSlice()
	s.watch.note(look, err, time.Now())
	if err != nil {
		return nil, s.wrapError(ctx, "index", err)
	}
	return slices.DeleteFunc(all, isMark), nil
}

// isMark reports whether a member of an index is the mark of another one: see markLua.
func isMark(member string) bool { return strings.HasPrefix(member, "\x00") }

// loadMembers returns the records under keys that belong to the subject, and the keys without
// one.
func (s *Store) loadMembers(
	ctx context.Context, subject string, keys []string,
) (found []store.Record, missing []string, err error) {
	all, err := s.loadAll(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if all[i].Version != 0 && all[i].Subject == subject {
			found = append(found, all[i])
		} else {
			missing = append(missing, keys[i])
		}
	}
	return found, missing, nil
}
