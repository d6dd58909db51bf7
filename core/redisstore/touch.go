package redisstore

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Touch extends the expiry of the stored record to rec.Expires if its version is rec.Version.
// It never shortens it. If the record's entry in the index of its user has been lost, Touch
// puts it back.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	now := time.Now()
	if s.options.Sharded {
		return s.touchIndexed(ctx, &rec, now)
	}
	reply, err := s.runTouch(ctx, &rec, now)
	if err != nil {
		return err
	}
	return touchError(reply)
}

// touchIndexed is Touch if the index may be on another server.
func (s *Store) touchIndexed(ctx context.Context, rec *store.Record, now time.Time) error {
	ttl := ttlMillis(rec.Expires, now)
	if err := s.addToIndex(ctx, rec, ttl, ""); err != nil {
		return err
	}
	reply, err := s.runTouch(ctx, rec, now)
	if err != nil {
		return err
	}
	if reply.status != replyOK {
		s.settleRefused(ctx, rec, reply.subject)
		return touchError(reply)
	}
	if outlasts(reply.ttl, ttl) {
		return s.addToIndex(ctx, rec, reply.ttl, "")
	}
	return nil
}

// touchReply is a reply of the script.
type touchReply struct {
	status  string
	subject string // of the stored record, after a conflict
	ttl     int64  // that the record has left, as from ttlMillis, after a success
}

func (s *Store) runTouch(
	ctx context.Context, rec *store.Record, now time.Time,
) (reply touchReply, err error) {
	parts, err := s.scripts.touch.Run(ctx, s.client, s.scriptKeys(rec),
		versionPrefix(rec.Version), now.UnixMilli(),
		appendExpiry(nil, rec.Expires), ttlMillis(rec.Expires, now)).Slice()
	if err != nil {
		return reply, s.wrapError(ctx, "touch", err)
	}
	for _, part := range parts {
		switch part := part.(type) {
		case int64:
			reply.ttl = part
		case string:
			if reply.status == "" {
				reply.status = part
			} else {
				reply.subject = part
			}
		}
	}
	return reply, nil
}

// touchError returns the result of a touch.
func touchError(reply touchReply) error {
	switch reply.status {
	case replyGone:
		return store.ErrNotFound
	case replyConflict:
		return store.ErrConflict
	}
	return nil
}
