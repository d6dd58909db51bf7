package sqlstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/cloakroom-go/sessions/core/store"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// BySubject returns the records of one subject.
func (s *Store) BySubject(ctx context.Context, subject string) (found []store.Record, err error) {
	if subject == "" || !plain(subject) {
		return nil, ctx.Err() // nobody can have it
	}
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		found, err = records(ctx, q, s.sql.bySubject, subject, clock())
		return err
	})
	return found, err
}

// List returns a page of the records whose keys start with prefix, in the order of their keys. A page has limit records
// exactly unless it is the last; a limit of zero or less is 100, one above 1000 is 1000.
func (s *Store) List(ctx context.Context, prefix, cursor string, limit int) (page []store.Record, next string, err error) {
	if !plain(prefix) {
		return nil, "", ctx.Err() // no key can start with it
	}
	from, to := bounds(prefix)
	if cursor != "" {
		last, err := decodeCursor(cursor, prefix)
		if err != nil {
			return nil, "", err
		}
		from = last + " " // the first key there can be after last
	}
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		page, err = records(ctx, q, s.sql.list, from, to, clock(), limit)
		return err
	})
	if err != nil || len(page) < limit {
		return page, "", err
	}
	return page, encodeCursor(page[len(page)-1].Key), nil
}

// bounds returns the range of keys that start with prefix: from the first, and up to what comes after the last. Keys have
// bytes from the space to ~ only.
func bounds(prefix string) (from, to string) {
	if prefix == "" {
		return "", "\x7f"
	}
	last := len(prefix) - 1
	return prefix, prefix[:last] + string(rune(prefix[last]+1))
}

// A cursor is the last key of the page before it, encoded, so that the store remembers nothing between pages.

const cursorMark = "k1:"

func encodeCursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorMark + key))
}

func decodeCursor(cursor, prefix string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	key, ours := strings.CutPrefix(string(text), cursorMark)
	if err != nil || !ours || !plain(key) || !strings.HasPrefix(key, prefix) {
		return "", fmt.Errorf("sessions: sqlstore: %.40q is not a cursor of this list", cursor)
	}
	return key, nil
}
