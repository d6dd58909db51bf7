package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

// markTime is for how long after the grace a store keeps the mark of a session that has ended.
const markTime = time.Minute

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

// checkRecords checks that there are no records of sessions that have ended except marks, no
// records that no cookie finds except orphans, and that the index finds each record with a
// subject.
func (s *stress) checkRecords() error {
	records, err := s.listRecords()
	if err != nil {
		return err
	}
	sessions := map[string]*model.Session{}
	for _, session := range s.history.Sessions() {
		sessions[core.DefaultPrefix+session.ID] = session
	}
	subjects := map[string][]string{}
	for n := range records {
		if rec := &records[n]; rec.Subject != "" {
			subjects[rec.Subject] = append(subjects[rec.Subject], rec.Key)
		}
	}
	unknown := 0
	for n := range records {
		rec := &records[n]
		session := sessions[rec.Key]
		if session == nil {
			unknown++
			continue
		}
		if err := s.checkRecord(session, rec); err != nil {
			return err
		}
		if err := s.checkIndex(session, rec, subjects[rec.Subject]); err != nil {
			return err
		}
	}
	if unknown > s.history.Orphans() {
		const text = "there are %d records that no cookie reaches, and only %d unanswered creates"
		return fmt.Errorf(text, unknown, s.history.Orphans())
	}
	return nil
}

// listRecords returns all records, or none if the store cannot list them.
func (s *stress) listRecords() (all []store.Record, err error) {
	lister, ok := s.stores[0].(store.Lister)
	if !ok {
		return nil, nil
	}
	seen := map[string]bool{}
	for cursor, more := "", true; more; more = cursor != "" {
		ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
		page, next, err := lister.List(ctx, core.DefaultPrefix, cursor, 100)
		cancel()
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the records: %w", err)
		}
		for n := range page {
			if !seen[page[n].Key] {
				all = append(all, page[n])
			}
			seen[page[n].Key] = true
		}
		cursor = next
	}
	return all, nil
}

// checkRecord checks that the record of a session is a mark if the session has certainly ended,
// and that it is none if nothing has ended the session.
func (s *stress) checkRecord(session *model.Session, rec *store.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	_, err := s.managers[0].Lookup(ctx, session.ID)
	switch {
	case err == nil && s.history.Ended(session):
		const text = "the record of a session that was destroyed is there: %s"
		return fmt.Errorf(text, s.history.Trace(session))
	case err == nil:
		return nil
	case !errors.Is(err, core.ErrNotFound):
		return fmt.Errorf("looking up a session: %w", err)
	}
	if _, err := s.stores[0].Load(ctx, rec.Key); errors.Is(err, store.ErrNotFound) {
		return nil // It has expired since it was listed.
	}
	if !s.history.MayHaveEnded(session) {
		return fmt.Errorf("the record of a session that nothing has ended is a mark: %s",
			s.history.Trace(session))
	}
	if left := time.Until(rec.Expires); rec.Subject != "" || left > graceTime+markTime {
		const text = "the mark of a session is of %q and expires in %v: %s"
		return fmt.Errorf(text, rec.Subject, left, s.history.Trace(session))
	}
	return nil
}

// checkIndex checks that the index finds a record by its subject, together with all others of the
// subject.
func (s *stress) checkIndex(session *model.Session, rec *store.Record, want []string) error {
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
	got := map[string]bool{}
	for n := range found {
		if got[found[n].Key] = true; !slices.Contains(want, found[n].Key) {
			const text = "the index has a record that is not of the session's subject: %s"
			return fmt.Errorf(text, s.history.Trace(session))
		}
	}
	if got[rec.Key] {
		return nil
	}
	// The record may have expired since it was listed.
	if _, err := s.stores[0].Load(ctx, rec.Key); err == nil {
		return fmt.Errorf("the index does not know the session: %s", s.history.Trace(session))
	}
	return nil
}
