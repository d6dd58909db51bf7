package redisstore

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// writeIndexed stores a record whose index may be on another server, and keeps the index in step
// with it. It returns a reply of the script that write runs.
func (s *Store) writeIndexed(
	ctx context.Context, rec *store.Record, now time.Time, write func() (any, error),
) (any, error) {
	ttl := ttlMillis(rec.Expires, now)
	if err := s.addToIndex(ctx, rec, ttl, s.watch.onSave(now)); err != nil {
		return nil, err
	}
	reply, err := write()
	if err != nil {
		return nil, err
	}
	old, ok := parseFormer(reply)
	if !ok {
		s.settleRefused(ctx, rec, storedSubject(reply, now))
		return reply, nil
	}
	if err := s.addToIndex(ctx, rec, ttl, ""); err != nil {
		return nil, err
	}
	oldTTL := ttlMillis(fromUnixMillis(old.expiry), now)
	if old.subject != "" && (old.subject != rec.Subject || outlasts(oldTTL, ttl)) {
		// That the record is stored counts more. If this fails, the entry remains until the
		// index is read or the former record would have expired.
		_, _ = s.settle(ctx, old.subject, []string{rec.Key})
	}
	return replyOK, nil
}

// former is what the record was that a save has replaced.
type former struct {
	subject string // "" if there was none
	expiry  int64  // as from unixMillis
}

// parseFormer returns what a save has replaced, and reports whether it has stored the record.
func parseFormer(reply any) (f former, ok bool) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 3 {
		return f, reply == replyOK
	}
	f.subject, _ = parts[1].(string)
	f.expiry, _ = parts[2].(int64)
	return f, true
}

// storedSubject returns the subject of the record with which the script has refused a save, or
// "".
func storedSubject(reply any, now time.Time) string {
	text, _ := reply.(string)
	rec, _ := decode("", []byte(text), now) // the record is zero if there is none
	return rec.Subject
}

// settleRefused removes the entry that was added for a record which was then not written. An
// entry that belongs to the stored record stays.
func (s *Store) settleRefused(ctx context.Context, rec *store.Record, storedSubject string) {
	if rec.Subject != "" && rec.Subject != storedSubject {
		_, _ = s.settle(ctx, rec.Subject, []string{rec.Key})
	}
}

// outlasts reports whether a time to live is longer than the entry for the other one lasts.
func outlasts(ttl, other int64) bool {
	return other != 0 && (ttl == 0 || ttl > other+entrySlack.Milliseconds())
}
