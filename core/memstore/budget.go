package memstore

import (
	"sync"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core/store"
)

// recordOverhead estimates the bytes that a record takes besides its key, subject and data:
// its entry, its places in index and heap, and its share of the dead payloads.
const recordOverhead = 128

// costOf returns the bytes that rec counts for.
func costOf(rec *store.Record) int64 {
	return int64(len(rec.Key)+len(rec.Subject)+len(rec.Data)) + recordOverhead
}

// cost returns the bytes that the record of the payload counts for.
func (p *payload) cost() int64 {
	return int64(p.key.textLen()+len(p.subject)+len(p.data)) + recordOverhead
}

// budget counts the records of a store and their bytes, and keeps both within their bounds.
type budget struct {
	maxRecords, maxBytes int64

	exclusive atomic.Bool // whether a save is evicting, and what it frees is reserved for it
	mu        sync.Mutex  // held while records and bytes change together
	records   atomic.Int64
	bytes     atomic.Int64
	releases  atomic.Uint64 // counts how often something was freed
}

// reserve adds to both counts, or to none if that would exceed a bound. The counts never
// exceed a bound even for a moment, so that one of two saves that compete for the last
// place gets it. Only the save that is evicting may reserve bytes while the budget is
// exclusive.
func (b *budget) reserve(records, bytes int64, evicting bool) bool {
	if records == 0 && bytes == 0 {
		return true
	}
	if bytes > 0 && !evicting && b.exclusive.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	count, total := b.records.Load()+records, b.bytes.Load()+bytes
	if (records > 0 && count > b.maxRecords) || (bytes > 0 && total > b.maxBytes) {
		return false
	}
	b.records.Store(count)
	b.bytes.Store(total)
	if bytes < 0 {
		b.releases.Add(1)
	}
	return true
}

func (b *budget) release(records, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records.Add(-records)
	b.bytes.Add(-bytes)
	b.releases.Add(1)
}
