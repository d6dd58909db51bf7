package memstore

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// reapBatch is how many expired records an operation drops beside its own work. More than one, so that dropping keeps
// ahead of creating.
const reapBatch = 2

// class tells records by how much they are missed when they are dropped.
type class int

const (
	anonymous class = iota
	signedIn
	classes
)

// entry is a record with its places in the shard.
type entry struct {
	rec        store.Record
	expires    int64 // nanoseconds of the Unix epoch, never is the largest
	used       uint64
	inQueue    int // index in the expiry queue
	inSubject  int // index among the entries of its subject
	prev, next *entry
}

func (e *entry) class() class {
	if e.rec.Subject == "" {
		return anonymous
	}
	return signedIn
}

// shard is a part of the store under a lock of its own.
type shard struct {
	mu       sync.Mutex
	owner    *Store
	entries  map[string]*entry
	subjects map[string][]*entry
	queue    queue         // by expiry
	idle     [classes]list // by last use

	// What others may know without the lock.
	nextExpiry atomic.Int64
	oldest     [classes]atomic.Uint64
}

func (sh *shard) init(owner *Store) {
	sh.owner = owner
	sh.reset()
}

// reset makes the shard empty.
func (sh *shard) reset() {
	sh.entries = make(map[string]*entry)
	sh.subjects = make(map[string][]*entry)
	sh.queue = nil
	for c := range sh.idle {
		sh.idle[c] = list{}
	}
	sh.publish()
}

func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, e := range sh.entries {
		sh.owner.release(1, weigh(&e.rec))
	}
	sh.reset()
}

// publish tells the other shards what they may know.
func (sh *shard) publish() {
	next := int64(math.MaxInt64)
	if len(sh.queue) > 0 {
		next = sh.queue[0].expires
	}
	sh.nextExpiry.Store(next)
	for c := range sh.idle {
		oldest := uint64(math.MaxUint64)
		if last := sh.idle[c].last; last != nil {
			oldest = last.used
		}
		sh.oldest[c].Store(oldest)
	}
}

func (sh *shard) load(key string, now time.Time) (store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	e := sh.live(key, now)
	sh.reap(now)
	if e == nil {
		return store.Record{}, store.ErrNotFound
	}
	sh.use(e)
	return e.rec, nil
}

func (sh *shard) save(rec store.Record, size int64, now time.Time, maker bool) (store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	e := sh.live(rec.Key, now)
	sh.reap(now)
	switch {
	case e == nil && rec.Version != 0, e == nil && rec.Expired(now):
		return store.Record{}, store.ErrNotFound
	case e == nil:
		return sh.insert(rec, size, maker)
	case e.rec.Version != rec.Version:
		return e.rec, store.ErrConflict
	case rec.Expired(now):
		return store.Record{}, store.ErrNotFound
	}
	return sh.replace(e, rec, size, maker)
}

func (sh *shard) insert(rec store.Record, size int64, maker bool) (store.Record, error) {
	if !sh.owner.reserve(1, size, maker) {
		return store.Record{}, store.ErrFull
	}
	e := &entry{}
	sh.fill(e, rec)
	sh.entries[rec.Key] = e
	sh.link(e)
	return e.rec, nil
}

func (sh *shard) replace(e *entry, rec store.Record, size int64, maker bool) (store.Record, error) {
	if !sh.owner.reserve(0, size-weigh(&e.rec), maker) {
		return store.Record{}, store.ErrFull
	}
	sh.unlink(e)
	sh.fill(e, rec)
	sh.link(e)
	return e.rec, nil
}

func (sh *shard) fill(e *entry, rec store.Record) {
	rec.Version = sh.owner.version.Add(1)
	e.rec = rec
	e.setExpires(rec.Expires)
	e.used = sh.owner.ticks.Add(1)
}

// setExpires keeps the wall clock's reading only, as a store on another machine would.
func (e *entry) setExpires(t time.Time) {
	e.rec.Expires = t.Round(0)
	e.expires = math.MaxInt64
	if !t.IsZero() && t.Unix() < math.MaxInt64/int64(time.Second) { // nanoseconds end in 2262
		e.expires = t.UnixNano()
	}
}

func (sh *shard) touch(rec *store.Record, now time.Time) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	e := sh.live(rec.Key, now)
	sh.reap(now)
	switch {
	case e == nil:
		return store.ErrNotFound
	case e.rec.Version != rec.Version:
		return store.ErrConflict
	}
	if !e.rec.Expires.IsZero() && (rec.Expires.IsZero() || rec.Expires.After(e.rec.Expires)) {
		sh.queue.remove(e)
		e.setExpires(rec.Expires)
		sh.queue.add(e)
	}
	sh.use(e)
	return nil
}

func (sh *shard) delete(key string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	if e := sh.entries[key]; e != nil {
		sh.drop(e)
	}
	sh.reap(time.Now())
}

func (sh *shard) bySubject(out []store.Record, subject string, now time.Time) []store.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, e := range sh.subjects[subject] {
		if !e.rec.Expired(now) {
			out = append(out, e.rec)
		}
	}
	return out
}

func (sh *shard) list(out []store.Record, match func(key string) bool, now time.Time) []store.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for key, e := range sh.entries {
		if match(key) && !e.rec.Expired(now) {
			out = append(out, e.rec)
		}
	}
	return out
}

// dropExpired drops some expired records and reports whether there were any.
func (sh *shard) dropExpired(now time.Time) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	return sh.reap(now) > 0
}

// idleSince returns when the record of a class that has been idle longest was used last, key excepted.
func (sh *shard) idleSince(c class, key string) uint64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.idlest(c, key); e != nil {
		return e.used
	}
	return math.MaxUint64
}

// dropIdle drops the record of a class that has been idle longest, key excepted, if it has not been used since.
func (sh *shard) dropIdle(c class, key string, used uint64) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	e := sh.idlest(c, key)
	if e == nil || e.used != used {
		return false
	}
	sh.drop(e)
	return true
}

// The methods below expect sh.mu to be held.

// live returns the entry under key, after dropping it if its time is over.
func (sh *shard) live(key string, now time.Time) *entry {
	e := sh.entries[key]
	if e != nil && e.rec.Expired(now) {
		sh.drop(e)
		return nil
	}
	return e
}

// idlest returns the entry of a class that has been idle longest, key excepted.
func (sh *shard) idlest(c class, key string) *entry {
	e := sh.idle[c].last
	if e != nil && e.rec.Key == key {
		e = e.prev
	}
	return e
}

// reap drops some expired records and returns how many.
func (sh *shard) reap(now time.Time) (dropped int) {
	for dropped < reapBatch && len(sh.queue) > 0 && sh.queue[0].rec.Expired(now) {
		sh.drop(sh.queue[0])
		dropped++
	}
	return dropped
}

// use moves e to the front of those of its class.
func (sh *shard) use(e *entry) {
	e.used = sh.owner.ticks.Add(1)
	sh.idle[e.class()].remove(e)
	sh.idle[e.class()].pushFront(e)
}

func (sh *shard) drop(e *entry) {
	sh.unlink(e)
	delete(sh.entries, e.rec.Key)
	sh.owner.release(1, weigh(&e.rec))
}

// link puts e where its record's expiry and subject say; unlink takes it out again, before either changes.
func (sh *shard) link(e *entry) {
	sh.queue.add(e)
	sh.idle[e.class()].pushFront(e)
	if subject := e.rec.Subject; subject != "" {
		e.inSubject = len(sh.subjects[subject])
		sh.subjects[subject] = append(sh.subjects[subject], e)
	}
}

func (sh *shard) unlink(e *entry) {
	sh.queue.remove(e)
	sh.idle[e.class()].remove(e)
	if subject := e.rec.Subject; subject != "" {
		all := sh.subjects[subject]
		last := all[len(all)-1]
		all[e.inSubject], last.inSubject = last, e.inSubject
		all[len(all)-1] = nil
		if sh.subjects[subject] = all[:len(all)-1]; len(all) == 1 {
			delete(sh.subjects, subject)
		}
	}
}
