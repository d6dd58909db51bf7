package memstore

import (
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// The methods in this file expect sh.mu to be held. An index of a slot is good until the next drop, which moves slots.

func (sh *shard) byUse() links      { return links{&sh.slots, byUse} }
func (sh *shard) bySubjects() links { return links{&sh.slots, bySubject} }

func (sh *shard) item(i uint32, it *item) { sh.log.get(sh.slots.at(i).place, it) }

// record returns the record of a slot under its key, which most callers have already.
func (sh *shard) record(i uint32, it *item, key string) store.Record {
	rec := store.Record{Key: key}
	sh.fill(&rec, i, it)
	return rec
}

// fill gives rec what a slot's record consists of beside its key.
func (sh *shard) fill(rec *store.Record, i uint32, it *item) {
	s := sh.slots.at(i)
	rec.Subject, rec.Data, rec.Expires, rec.Version = it.subject, it.data, s.expires(), s.version
}

// find returns the slot under k and reads its item into it.
func (sh *shard) find(k *ref, it *item) uint32 {
	i := sh.index.first(k.hash)
	for i != none && !sh.holds(i, k, it) {
		i = sh.slots.at(i).same
	}
	return i
}

// holds reports whether a slot is that of k, and if that is likely reads the item into it.
func (sh *shard) holds(i uint32, k *ref, it *item) bool {
	s := sh.slots.at(i)
	if s.hash != k.hash {
		return false
	}
	sh.log.get(s.place, it)
	return it.key.of(k)
}

// matches reports whether a slot is that of a living record whose key starts with prefix, and if so reads the item into it.
func (sh *shard) matches(i uint32, prefix string, now time.Time, it *item) bool {
	if sh.slots.at(i).expired(now) {
		return false
	}
	sh.item(i, it)
	return it.key.starts(prefix)
}

// live is find, but for a record whose time is over: that is dropped.
func (sh *shard) live(k *ref, now time.Time, it *item) uint32 {
	i := sh.find(k, it)
	if i != none && sh.slots.at(i).expired(now) {
		sh.drop(i, it)
		return none
	}
	return i
}

func (sh *shard) insert(k *ref, d *draft) (store.Record, error) {
	if !sh.owner.reserve(1, weigh(d.rec), d.maker) {
		return store.Record{}, store.ErrFull
	}
	var buf [64]byte
	i := sh.slots.push(slot{hash: k.hash})
	saved := sh.put(i, d, k.pack(buf[:0]))
	sh.index.add(i)
	sh.queue.add(i)
	sh.enlist(i, d.rec.Subject)
	return saved, nil
}

func (sh *shard) replace(i uint32, old *item, d *draft) (store.Record, error) {
	if !sh.owner.reserve(0, weigh(d.rec)-old.weight(), d.maker) {
		return store.Record{}, store.ErrFull
	}
	s, was := sh.slots.at(i), sh.slots.at(i).place
	sh.delist(i, old.subject)
	saved := sh.put(i, d, old.key)
	sh.queue.fix(s.queued)
	sh.enlist(i, d.rec.Subject)
	sh.log.discard(was, old)
	return saved, nil
}

// put gives the slot what is new and returns the record as it is now.
func (sh *shard) put(i uint32, d *draft, key packed) store.Record {
	s := sh.slots.at(i)
	s.version = sh.owner.version.Add(1)
	s.used = sh.tick(d.now)
	s.setExpires(d.rec.Expires)
	s.place = sh.log.add(&item{hash: s.hash, key: key, subject: d.rec.Subject}, d.rec.Data)
	saved := *d.rec
	saved.Version, saved.Expires = s.version, s.expires()
	return saved
}

// idlest returns the slot of a class that has been idle longest, that of k excepted.
func (sh *shard) idlest(c class, k *ref) uint32 {
	i := sh.idle[c].last
	if i != none && sh.holds(i, k, new(item)) {
		return sh.slots.at(i).links[byUse].prev
	}
	return i
}

// reap drops some expired records and returns how many.
func (sh *shard) reap(now time.Time) (dropped int) {
	var it item
	for ; dropped < reapBatch; dropped++ {
		i := sh.queue.root()
		if i == none || !sh.slots.at(i).expired(now) {
			break
		}
		sh.item(i, &it)
		sh.drop(i, &it)
	}
	return dropped
}

// tick returns when a record is used, in nanoseconds since the store was made, or the next free nanosecond where the clock has not
// moved: no two uses in a shard are at one moment. A counter for the whole store would be what all processors wait for.
func (sh *shard) tick(now time.Time) int64 {
	sh.latest = max(sh.latest+1, int64(now.Sub(sh.owner.epoch)))
	return sh.latest
}

// use moves a slot to the front of those of its class.
func (sh *shard) use(i uint32, c class, now time.Time) {
	sh.slots.at(i).used = sh.tick(now)
	if sh.idle[c].first != i {
		sh.byUse().remove(&sh.idle[c], i)
		sh.byUse().push(&sh.idle[c], i)
	}
}

func (sh *shard) drop(i uint32, it *item) {
	sh.owner.release(1, it.weight())
	sh.delist(i, it.subject)
	sh.queue.remove(i)
	sh.index.remove(i)
	sh.log.discard(sh.slots.at(i).place, it)
	if last := sh.slots.n - 1; i != last {
		sh.move(last, i)
	}
	sh.slots.pop()
}

// move puts a slot into the place of one that has gone, and tells whoever points to it.
func (sh *shard) move(from, to uint32) {
	sh.index.moved(from, to)
	*sh.slots.at(to) = *sh.slots.at(from)
	sh.queue.moved(to)
	var it item
	sh.item(to, &it)
	sh.byUse().moved(&sh.idle[classOf(it.subject)], to)
	if it.subject != "" {
		hash := sh.owner.subjectHash(it.subject)
		of := sh.subjects[hash]
		sh.bySubjects().moved(&of, to)
		sh.subjects[hash] = of
	}
}

// enlist puts a slot into the lists that its subject says; delist takes it out again.
func (sh *shard) enlist(i uint32, subject string) {
	sh.byUse().push(&sh.idle[classOf(subject)], i)
	if subject != "" {
		hash := sh.owner.subjectHash(subject)
		of, ok := sh.subjects[hash]
		if !ok {
			of = newList()
		}
		sh.bySubjects().push(&of, i)
		sh.subjects[hash] = of
	}
}

func (sh *shard) delist(i uint32, subject string) {
	sh.byUse().remove(&sh.idle[classOf(subject)], i)
	if subject != "" {
		hash := sh.owner.subjectHash(subject)
		of := sh.subjects[hash]
		sh.bySubjects().remove(&of, i)
		if sh.subjects[hash] = of; of.first == none {
			delete(sh.subjects, hash)
		}
	}
}

// settle ends an operation that may have changed something.
func (sh *shard) settle() {
	sh.compact()
	sh.publish()
}

// compact moves what is alive in a sparse chunk to the end of the log and drops the chunk. One chunk is little enough for
// an operation to do that on its way.
func (sh *shard) compact() {
	sparse := sh.log.sparse()
	if sparse == none {
		return
	}
	sh.log.each(sparse, func(p place, it *item) {
		if i := sh.index.placed(it.hash, p); i != none {
			sh.slots.at(i).place = sh.log.add(it, it.data)
		}
	})
	sh.log.drop(sparse)
}

// publish tells the other shards what they may know.
func (sh *shard) publish() {
	next := int64(never)
	if i := sh.queue.root(); i != none {
		next = sh.slots.at(i).nanoseconds()
	}
	// Most of the time nothing has changed, and to look costs much less than to store.
	if sh.nextExpiry.Load() != next {
		sh.nextExpiry.Store(next)
	}
	for c := range sh.idle {
		oldest := int64(never)
		if last := sh.idle[c].last; last != none {
			oldest = sh.slots.at(last).used
		}
		if sh.oldest[c].Load() != oldest {
			sh.oldest[c].Store(oldest)
		}
	}
}
