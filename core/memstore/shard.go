package memstore

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// shard is a part of the store with a lock of its own.
type shard struct {
	mu sync.Mutex
	table

	// These may be read without the lock. They are as of the last call of publish.
	nextExpiry atomic.Int64          // the expiry of the first record to expire, in nanoseconds
	oldest     [classes]atomic.Int64 // the last use of the record of a class that is idle longest
}

func (sh *shard) init(all shared) {
	sh.shared = all
	sh.reset()
	sh.publish()
}

// clear drops all records.
func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var p payload
	for i := range sh.entries.len {
		sh.read(i, &p)
		sh.budget.release(sh.chargeOf(&p))
	}
	sh.reset()
	sh.publish()
}

// load sets everything in rec except its key, which the caller knows.
func (sh *shard) load(k *lookupKey, now time.Time, rec *store.Record) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	sh.dropExpired(now)
	var p payload
	i := sh.findLive(k, now, &p)
	if i == none {
		return store.ErrNotFound
	}
	sh.use(i, classOf(p.subject), now)
	sh.fill(rec, i, &p)
	return nil
}

func (sh *shard) save(k *lookupKey, args *saveArgs) (store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	sh.dropExpired(args.now)
	var p payload
	i := sh.findLive(k, args.now, &p)
	rec := args.rec
	switch {
	case i == none && rec.Version != 0, i == none && rec.Expired(args.now):
		return store.Record{}, store.ErrNotFound
	case i == none:
		return sh.insert(k, args)
	case sh.entries.at(i).version != rec.Version:
		return sh.record(i, &p, rec.Key), store.ErrConflict
	case rec.Expired(args.now):
		return store.Record{}, store.ErrNotFound
	}
	return sh.replace(i, &p, args)
}

func (sh *shard) touch(k *lookupKey, rec *store.Record, now time.Time) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	sh.dropExpired(now)
	var p payload
	i := sh.findLive(k, now, &p)
	switch {
	case i == none:
		return store.ErrNotFound
	case sh.entries.at(i).version != rec.Version:
		return store.ErrConflict
	}
	sh.extend(i, rec.Expires)
	sh.use(i, classOf(p.subject), now)
	return nil
}

func (sh *shard) delete(k *lookupKey) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	var p payload
	if i := sh.find(k, &p); i != none {
		sh.drop(i, &p)
	}
	sh.dropExpired(time.Now())
}

// appendBySubject appends the live records of a subject to recs.
func (sh *shard) appendBySubject(
	recs []store.Record, subject string, now time.Time,
) []store.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var p payload
	list, ok := sh.subjects[sh.holderOf(subject)]
	for i := list.first; ok && i != none; i = sh.entries.at(i).links[subjectList].next {
		if sh.read(i, &p); p.subject == subject && !sh.entries.at(i).expired(now) {
			recs = append(recs, sh.record(i, &p, string(p.key.appendText(nil))))
		}
	}
	return recs
}

// list adds live records to the page until it is full, from the entries below one
// downwards. It returns the entry at which it stopped.
func (sh *shard) list(pg *page, below uint32) uint32 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var p payload
	var buf [64]byte
	i := min(below, sh.entries.len) // The shard may have shrunk since the page before.
	for ; i > 0 && !pg.full(); i-- {
		if sh.liveWithPrefix(i-1, pg.prefix, pg.now, &p) {
			key := string(p.key.appendText(buf[:0]))
			pg.records = append(pg.records, sh.record(i-1, &p, key))
		}
	}
	return i
}

func (sh *shard) count(prefix string, now time.Time) (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var p payload
	for i := range sh.entries.len {
		if sh.liveWithPrefix(i, prefix, now, &p) {
			n++
		}
	}
	return n
}

// evictExpired drops some expired records and reports whether there were any.
func (sh *shard) evictExpired(now time.Time) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	return sh.dropExpired(now) > 0
}

// idleSince returns the last use of the record of a class that has been idle longest, that
// of k excepted, or never if there is none.
func (sh *shard) idleSince(c class, k *lookupKey) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i := sh.idlest(c, k); i != none {
		return sh.entries.at(i).lastUsed
	}
	return never
}

// idlestCharge returns the charge of that record, or the zero charge if there is none.
func (sh *shard) idlestCharge(c class, k *lookupKey) charge {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.idlest(c, k)
	if i == none {
		return charge{}
	}
	var p payload
	sh.read(i, &p)
	return sh.chargeOf(&p)
}

// evictIdle drops the record of a class that has been idle longest, that of k excepted, if
// its last use is lastUsed. It reports whether it did.
func (sh *shard) evictIdle(c class, k *lookupKey, lastUsed int64) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.finish()
	i := sh.idlest(c, k)
	if i == none || sh.entries.at(i).lastUsed != lastUsed {
		return false
	}
	var p payload
	sh.read(i, &p)
	sh.drop(i, &p)
	return true
}

// finish ends an operation that may have changed the table. The caller holds the lock.
func (sh *shard) finish() {
	sh.compact()
	sh.publish()
}

// publish updates the fields that are read without the lock. The caller holds the lock.
func (sh *shard) publish() {
	next := int64(never)
	if i := sh.expiry.root(); i != none {
		next = sh.entries.at(i).expiryNanos()
	}
	// Most operations change none of these, and comparing costs much less than storing.
	if sh.nextExpiry.Load() != next {
		sh.nextExpiry.Store(next)
	}
	for c := range sh.idle {
		oldest := int64(never)
		if last := sh.idle[c].last; last != none {
			oldest = sh.entries.at(last).lastUsed
		}
		if sh.oldest[c].Load() != oldest {
			sh.oldest[c].Store(oldest)
		}
	}
}
