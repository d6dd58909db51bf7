package memstore

import (
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

func classOf(subject string) class {
	if subject == "" {
		return anonymous
	}
	return signedIn
}

// shard is a part of the store under a lock of its own. Its records are split: what they consist of lies in the log, and
// whatever it takes to find, order and drop them in the slots.
type shard struct {
	mu       sync.Mutex
	owner    *Store
	slots    vector[slot]
	index    index // by key
	queue    queue // by expiry
	idle     [classes]list
	subjects map[uint32]list // by hash
	log      log
	latest   int64 // the last tick

	// What others may know without the lock.
	nextExpiry atomic.Int64
	oldest     [classes]atomic.Int64
}

func (sh *shard) init(owner *Store) {
	sh.owner = owner
	sh.reset()
}

// reset makes the shard empty.
func (sh *shard) reset() {
	sh.slots = vector[slot]{}
	sh.index = index{slots: &sh.slots}
	sh.queue = queue{slots: &sh.slots}
	sh.subjects = make(map[uint32]list)
	for c := range sh.idle {
		sh.idle[c] = newList()
	}
	sh.log = newLog()
	sh.publish()
}

func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var it item
	for i := range sh.slots.n {
		sh.item(i, &it)
		sh.owner.release(1, it.weight())
	}
	sh.reset()
}

// load makes rec the record, except for its key, which whoever asks for it knows.
func (sh *shard) load(k *ref, now time.Time, rec *store.Record) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	sh.reap(now)
	var it item
	i := sh.live(k, now, &it)
	if i == none {
		return store.ErrNotFound
	}
	sh.use(i, classOf(it.subject), now)
	sh.fill(rec, i, &it)
	return nil
}

// draft is a record that is to be stored.
type draft struct {
	rec   *store.Record
	now   time.Time
	maker bool // it is stored by the one that makes room
}

func (sh *shard) save(k *ref, d *draft) (store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	sh.reap(d.now)
	var it item
	i := sh.live(k, d.now, &it)
	switch {
	case i == none && d.rec.Version != 0, i == none && d.rec.Expired(d.now):
		return store.Record{}, store.ErrNotFound
	case i == none:
		return sh.insert(k, d)
	case sh.slots.at(i).version != d.rec.Version:
		return sh.record(i, &it, d.rec.Key), store.ErrConflict
	case d.rec.Expired(d.now):
		return store.Record{}, store.ErrNotFound
	}
	return sh.replace(i, &it, d)
}

func (sh *shard) touch(k *ref, rec *store.Record, now time.Time) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	sh.reap(now)
	var it item
	i := sh.live(k, now, &it)
	switch {
	case i == none:
		return store.ErrNotFound
	case sh.slots.at(i).version != rec.Version:
		return store.ErrConflict
	}
	s := sh.slots.at(i)
	if s.seconds != never && (rec.Expires.IsZero() || rec.Expires.After(s.expires())) {
		s.setExpires(rec.Expires)
		sh.queue.fix(s.queued)
	}
	sh.use(i, classOf(it.subject), now)
	return nil
}

func (sh *shard) delete(k *ref) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	var it item
	if i := sh.find(k, &it); i != none {
		sh.drop(i, &it)
	}
	sh.reap(time.Now())
}

func (sh *shard) bySubject(out []store.Record, subject string, now time.Time) []store.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var it item
	of, ok := sh.subjects[sh.owner.subjectHash(subject)]
	for i := of.first; ok && i != none; i = sh.slots.at(i).links[bySubject].next {
		if sh.item(i, &it); it.subject == subject && !sh.slots.at(i).expired(now) {
			out = append(out, sh.record(i, &it, string(it.key.append(nil))))
		}
	}
	return out
}

// list adds to a page what it has room for, from the slots below one downwards, and returns the slot that it got to.
func (sh *shard) list(p *page, below uint32) uint32 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var it item
	var buf [64]byte
	i := min(below, sh.slots.n) // the shard may have shrunk since the page before
	for ; i > 0 && !p.full(); i-- {
		if sh.matches(i-1, p.prefix, p.now, &it) {
			p.records = append(p.records, sh.record(i-1, &it, string(it.key.append(buf[:0]))))
		}
	}
	return i
}

func (sh *shard) count(prefix string, now time.Time) (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var it item
	for i := range sh.slots.n {
		if sh.matches(i, prefix, now, &it) {
			n++
		}
	}
	return n
}

// dropExpired drops some expired records and reports whether there were any.
func (sh *shard) dropExpired(now time.Time) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	return sh.reap(now) > 0
}

// idleSince returns when the record of a class that has been idle longest was used last, that of k excepted.
func (sh *shard) idleSince(c class, k *ref) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i := sh.idlest(c, k); i != none {
		return sh.slots.at(i).used
	}
	return never
}

// dropIdle drops the record of a class that has been idle longest, that of k excepted, if it has not been used since.
func (sh *shard) dropIdle(c class, k *ref, used int64) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.settle()
	i := sh.idlest(c, k)
	if i == none || sh.slots.at(i).used != used {
		return false
	}
	var it item
	sh.item(i, &it)
	sh.drop(i, &it)
	return true
}
