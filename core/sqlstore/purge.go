package sqlstore

import (
	"context"
	"time"
)

// Purge deletes expired rows, at most limit of them, and returns how many. Rows that others are working on are left for the
// next time. With a limit of zero or less it is Options.PurgeBatch.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		limit = s.options.PurgeBatch
	}
	var deleted int64
	err := s.write(ctx, func(ctx context.Context, q querier) (err error) {
		now := clock()
		deleted, err = affected(ctx, q, s.sql.purge, now, now, limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(deleted), nil
}

// purger is the goroutine that purges now and then.
type purger struct {
	store  *Store
	cancel context.CancelFunc
	done   chan struct{}
}

func startPurger(s *Store) *purger {
	ctx, cancel := context.WithCancel(context.Background())
	p := &purger{store: s, cancel: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

func (p *purger) stop() {
	p.cancel()
	<-p.done
}

func (p *purger) run(ctx context.Context) {
	defer close(p.done)
	for sleep(ctx, jitter(p.store.options.PurgeInterval)) == nil {
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
		if err != nil || deleted < batch || sleep(ctx, pause) != nil {
			return
		}
	}
}

func (p *purger) batch(ctx context.Context, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, p.store.options.PurgeTimeout)
	defer cancel()
	return p.store.Purge(ctx, limit)
}
