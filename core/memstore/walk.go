package memstore

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

var (
	_ store.Indexer      = (*Store)(nil)
	_ store.SubjectPager = (*Store)(nil)
	_ store.Lister       = (*Store)(nil)
	_ store.Counter      = (*Store)(nil)
)

// BySubject returns the unexpired records of one subject.
func (s *Store) BySubject(_ context.Context, subject string) ([]store.Record, error) {
	var recs []store.Record
	now := time.Now()
	for i := range s.shards {
		recs = s.shards[i].appendBySubject(recs, subject, now)
	}
	return recs, nil
}

// SubjectKeys returns a page of the keys of one subject's unexpired records, and the cursor of
// the next page. A page has at most limit keys, or 100 if limit is zero or less.
func (s *Store) SubjectKeys(
	_ context.Context, subject, from string, limit int,
) ([]string, string, error) {
	// The order is that of List, and so it misses no record: a record that is saved again
	// keeps its entry, whatever its subject.
	at, err := parseCursor(from, s.options.MaxRecords)
	if err != nil {
		return nil, "", err
	}
	p := newKeyPage(subject, limit)
	for ; at.shard < shardCount; at = (cursor{at.shard + 1, none}) {
		at.below = s.shards[at.shard].addKeys(&p, at.below)
		if p.missing() == 0 && !at.atEnd() {
			return p.keys, at.String(), nil
		}
	}
	return p.keys, "", nil
}

// Count returns the number of unexpired records with a key that starts with prefix. It
// looks at every record.
func (s *Store) Count(_ context.Context, prefix string) (n int, err error) {
	now := time.Now()
	for i := range s.shards {
		n += s.shards[i].count(prefix, now)
	}
	return n, nil
}

// List returns a page of the unexpired records with a key that starts with prefix, and the
// cursor of the next page. Every page has limit records, except for the last, which may
// have fewer. If limit is zero or less, a page has the records of one shard.
func (s *Store) List(
	_ context.Context, prefix, from string, limit int,
) ([]store.Record, string, error) {
	// List walks the shards in order, and the entries of each from the last to the first.
	// It misses no record that exists throughout the walk: a key never changes its shard,
	// and an entry moves only downwards, into the gap that a dropped one has left. So an
	// entry that the walk has not reached stays below the cursor. One that it has returned
	// may move below the cursor and be returned again. New entries are added at the end,
	// behind the walk.
	at, err := parseCursor(from, s.options.MaxRecords)
	if err != nil {
		return nil, "", err
	}
	p := page{prefix: prefix, limit: limit, now: time.Now()}
	for ; at.shard < shardCount; at = (cursor{at.shard + 1, none}) {
		at.below = s.shards[at.shard].list(&p, at.below)
		if p.enough() && !at.atEnd() {
			return p.records, at.String(), nil
		}
	}
	return p.records, "", nil
}
