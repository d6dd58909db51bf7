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

// verify visits every session with every cookie that it ever had, when no fault is left. Then
// it checks the records in the store.
func (s *stress) verify(all []*browser) error {
	if err := s.waitForStores(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(s.seed, 0)) //nolint:gosec // can be repeated
	w := &worker{browser: all[0], name: "the end", key: "q0", random: random}
	for _, session := range s.history.Sessions() {
		for _, token := range s.history.Tokens(session) {
			if !s.history.Usable(token) {
				continue
			}
			if err := w.send(context.Background(), token, noWrites); err != nil {
				return err
			}
		}
	}
	return s.checkRecords()
}

// noWrites plans a commit without writes.
func noWrites(*request, *model.View, int) commitPlan { return commitPlan{} }

// waitForStores waits until each store has responded several times in a row.
func (s *stress) waitForStores() error {
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

// checkRecords checks that there are no records of sessions that have ended, no records that
// no cookie finds except orphans, and that the index finds each record with a subject.
func (s *stress) checkRecords() error {
	lister, ok := s.stores[0].(store.Lister)
	if !ok {
		return nil
	}
	sessions := map[string]*model.Session{}
	for _, session := range s.history.Sessions() {
		sessions[core.DefaultPrefix+session.ID] = session
	}
	unknown := 0
	for cursor, more := "", true; more; more = cursor != "" {
		ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
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
				unknown++
			} else if err := s.checkRecord(session, &page[n]); err != nil {
				return err
			}
		}
	}
	if unknown > s.history.Orphans() {
		const text = "there are %d records that no cookie reaches, and only %d unanswered creates"
		return fmt.Errorf(text, unknown, s.history.Orphans())
	}
	return nil
}

// checkRecord checks the record of a session.
func (s *stress) checkRecord(session *model.Session, rec *store.Record) error {
	if s.history.Ended(session) {
		const text = "the record of a session that was destroyed is there: %s"
		return fmt.Errorf(text, s.history.Trace(session))
	}
	indexer, ok := s.stores[0].(store.Indexer)
	if !ok || rec.Subject == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	found, err := indexer.BySubject(ctx, rec.Subject)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding a record by its subject: %w", err)
	}
	if len(found) == 0 {
		// The record may have expired since it was listed.
		if _, err := s.stores[0].Load(ctx, rec.Key); err == nil {
			return fmt.Errorf("the index does not know the session: %s", s.history.Trace(session))
		}
		return nil
	}
	if len(found) > 1 || found[0].Key != rec.Key {
		const text = "the index has %d records for the one session of its subject: %s"
		return fmt.Errorf(text, len(found), s.history.Trace(session))
	}
	return nil
}
