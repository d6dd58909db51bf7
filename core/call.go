package core

import (
	"context"
	"time"
)

// The store's calls, measured with Options.StoreEvents.

func (m *Manager) load(ctx context.Context, k string) (Record, error) {
	start := m.clock()
	rec, err := m.store.Load(ctx, k)
	rec.Key = k
	m.measured(ctx, start, "load", k, err)
	return rec, err
}

func (m *Manager) save(ctx context.Context, rec *Record) (Record, error) {
	start := m.clock()
	saved, err := m.store.Save(ctx, *rec)
	m.measured(ctx, start, "save", rec.Key, err)
	return saved, err
}

// remove deletes a record. A failure has been told of.
func (m *Manager) remove(ctx context.Context, k string) error {
	start := m.clock()
	err := m.store.Delete(ctx, k)
	m.measured(ctx, start, "delete", k, err)
	if err != nil {
		return m.outage(ctx, "delete", k, err)
	}
	return nil
}

func (m *Manager) extend(ctx context.Context, rec Record) error {
	start := m.clock()
	err := m.toucher.Touch(ctx, rec)
	m.measured(ctx, start, "touch", rec.Key, err)
	return err
}

func (m *Manager) bySubject(ctx context.Context, subject string) ([]Record, error) {
	start := m.clock()
	recs, err := m.indexer.BySubject(ctx, subject)
	m.measured(ctx, start, "list subject", "", err)
	return recs, err
}

func (m *Manager) list(ctx context.Context, cursor string, limit int) ([]Record, string, error) {
	start := m.clock()
	recs, next, err := m.lister.List(ctx, m.prefix, cursor, limit)
	m.measured(ctx, start, "list", "", err)
	return recs, next, err
}

func (m *Manager) count(ctx context.Context) (int, error) {
	start := m.clock()
	n, err := m.counter.Count(ctx, m.prefix)
	m.measured(ctx, start, "count", "", err)
	return n, err
}

// clock returns the time if calls are measured.
func (m *Manager) clock() (t time.Time) {
	if m.timed {
		t = time.Now()
	}
	return t
}

// measured tells the hook how long a call of the store took.
func (m *Manager) measured(ctx context.Context, start time.Time, operation, k string, err error) {
	if !m.timed {
		return
	}
	e := Event{Kind: EventStoreCalled, Operation: operation, Took: time.Since(start), Err: err}
	if k != "" {
		e.SessionID = m.idOf(k)
	}
	m.emit(ctx, e)
}
