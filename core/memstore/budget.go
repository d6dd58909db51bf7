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

// budget counts the records of a store and their bytes, and keeps both within their bounds. It
// also knows how much of the store each user has.
type budget struct {
	maxRecords, maxBytes int64

	exclusive atomic.Bool // whether a save is evicting, and what it frees is reserved for it
	mu        sync.Mutex  // held while anything below changes
	records   atomic.Int64
	bytes     atomic.Int64
	releases  atomic.Uint64 // counts how often something was freed
	rooms     rooms
}

func (b *budget) init(maxRecords, maxBytes int64) {
	b.maxRecords, b.maxBytes = maxRecords, maxBytes
	b.rooms = newRooms(maxRecords, maxBytes)
}

// exchange charges now in place of old, or does nothing if that would exceed a bound. The zero
// charge stands for no record. The counts never exceed a bound even for a moment, so that one
// of two saves that compete for the last place gets it. Only the save that is evicting may
// reserve bytes while the budget is exclusive.
func (b *budget) exchange(old, now charge, evicting bool) bool {
	if old == now {
		return true
	}
	records, bytes := now.records-old.records, now.bytes-old.bytes
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
	b.rooms.exchange(old, now)
	if bytes < 0 {
		b.releases.Add(1)
	}
	return true
}

// release takes back a charge.
func (b *budget) release(c charge) { b.exchange(c, charge{}, false) }

// anyLarge reports whether any user has a large room.
func (b *budget) anyLarge() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rooms.largest.top().room > 0
}

// crowded is like rooms.crowded.
func (b *budget) crowded(c charge, saver holder) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rooms.crowded(c, saver)
}

// heaviest is like rooms.heaviest.
func (b *budget) heaviest(current holder) holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rooms.heaviest(current)
}
