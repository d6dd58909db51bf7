package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Purge deletes expired documents, at most limit of them, and returns how many. With a limit of zero or less it is
// Options.PurgeBatch. Where the server has TTL indexes there is no need for it.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	ctx, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	if limit <= 0 {
		limit = s.options.PurgeBatch
	}
	over := bson.E{Key: fieldExpires, Value: bson.D{{Key: "$lte", Value: now()}}}
	keys, err := s.keys(ctx, bson.D{over}, limit)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	// What has been created or saved anew under such a key meanwhile stays.
	result, err := s.collection.DeleteMany(ctx, bson.D{{Key: fieldKey, Value: bson.D{{Key: "$in", Value: keys}}}, over})
	if err != nil {
		return 0, bare(err)
	}
	return int(result.DeletedCount), nil
}

// keys returns the keys of at most limit documents that filter finds. A key need not be one of ours.
func (s *Store) keys(ctx context.Context, filter bson.D, limit int) (keys bson.A, err error) {
	only := options.Find().SetProjection(bson.D{{Key: fieldKey, Value: 1}}).SetLimit(int64(limit))
	cursor, err := s.collection.Find(ctx, filter, only)
	if err != nil {
		return nil, bare(err)
	}
	var found []bson.D
	if err := cursor.All(ctx, &found); err != nil {
		return nil, bare(err)
	}
	for _, doc := range found {
		keys = append(keys, doc[0].Value)
	}
	return keys, nil
}

// purger is the goroutine that purges now and then.
type purger struct {
	store    *Store
	interval time.Duration
	cancel   context.CancelFunc
	done     chan struct{}
}

// startPurger starts the store's goroutine, unless it has one or is closed.
func (s *Store) startPurger(interval time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.purger != nil || s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.purger = &purger{store: s, interval: interval, cancel: cancel, done: make(chan struct{})}
	go s.purger.run(ctx)
}

func (p *purger) stop() {
	p.cancel()
	<-p.done
}

func (p *purger) run(ctx context.Context) {
	defer close(p.done)
	for sleep(ctx, jitter(p.interval)) {
		p.purge(ctx)
	}
}

// purge deletes batch after batch until nothing is left, with a pause between them that lets requests pass. An error ends
// it until the next time.
func (p *purger) purge(ctx context.Context) {
	const pause = 10 * time.Millisecond
	batch := p.store.options.PurgeBatch
	for {
		deleted, err := p.batch(ctx, batch)
		if err != nil && ctx.Err() == nil {
			p.store.options.Logger.WarnContext(ctx, "sessions: purge of expired sessions failed, will try again", "error", err)
		}
		if err != nil || deleted < batch || !sleep(ctx, pause) {
			return
		}
	}
}

func (p *purger) batch(ctx context.Context, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, p.store.options.PurgeTimeout)
	defer cancel()
	return p.store.Purge(ctx, limit)
}

// sleep waits for d. It returns false when ctx ends before that.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
