package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// verify looks at every session with every cookie it ever had, at every instance, once all is healed, and then at what
// the store itself holds.
func (s *stress) verify(all []*browser) error {
	if err := s.recovers(); err != nil {
		return err
	}
	w := &worker{browser: all[0], name: "the end", key: "q0", random: rand.New(rand.NewPCG(s.seed, 0))} //nolint:gosec // To be repeated.
	for _, session := range s.world.Sessions() {
		for _, token := range s.world.Tokens(session) {
			if !s.world.Usable(token) {
				continue
			}
			if err := w.send(context.Background(), token, nothing); err != nil {
				return err
			}
		}
	}
	return s.inspect()
}

// nothing writes nothing.
func nothing(*request, *model.View, int) step { return step{} }

// recovers waits until each store answers several times in a row.
func (s *stress) recovers() error {
	for _, each := range s.stores {
		good := 0
		for range 3000 {
			ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
			_, err := each.Load(ctx, core.DefaultPrefix+"nothing")
			cancel()
			if good++; !errors.Is(err, store.ErrNotFound) {
				good = 0
				time.Sleep(10 * time.Millisecond)
			}
			if good == 20 {
				break
			}
		}
		if good < 20 {
			return errNoRecovery
		}
	}
	return nil
}

// inspect checks the records: none of a session that has ended, none that nobody made, and each signed-in one found by
// its subject.
func (s *stress) inspect() error {
	lister, ok := s.stores[0].(store.Lister)
	if !ok {
		return nil
	}
	sessions := map[string]*model.Session{}
	for _, session := range s.world.Sessions() {
		sessions[core.DefaultPrefix+session.ID] = session
	}
	strangers := 0
	for cursor, more := "", true; more; more = cursor != "" {
		ctx, cancel := context.WithTimeout(context.Background(), hangs)
		page, next, err := lister.List(ctx, core.DefaultPrefix, cursor, 100)
		cancel()
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing the records: %w", err)
		}
		cursor = next
		for n := range page {
			session := sessions[page[n].Key]
			if session == nil {
				strangers++
			} else if err := s.examine(session, &page[n]); err != nil {
				return err
			}
		}
	}
	if strangers > s.world.Orphans() {
		return fmt.Errorf("there are %d records that no cookie reaches, and only %d creates went unanswered", strangers, s.world.Orphans())
	}
	return nil
}

// examine checks one record.
func (s *stress) examine(session *model.Session, rec *store.Record) error {
	if s.world.Ended(session) {
		return fmt.Errorf("the record of a session that was destroyed is there: %s", s.world.Story(session))
	}
	indexer, ok := s.stores[0].(store.Indexer)
	if !ok || rec.Subject == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	found, err := indexer.BySubject(ctx, rec.Subject)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding a record by its subject: %w", err)
	}
	if len(found) == 0 {
		// It may have expired since it was listed.
		if _, err := s.stores[0].Load(ctx, rec.Key); err == nil {
			return fmt.Errorf("the index does not know the session: %s", s.world.Story(session))
		}
		return nil
	}
	if len(found) > 1 || found[0].Key != rec.Key {
		return fmt.Errorf("the index has %d records for the one session of its subject: %s", len(found), s.world.Story(session))
	}
	return nil
}
