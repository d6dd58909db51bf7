package memstore

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// expiredPerCall is the number of expired records that an operation drops besides its own
// work. It is more than one, so that dropping keeps ahead of creating.
const expiredPerCall = 2

// table holds the records of a shard: an entry for each, in no order and without gaps, and
// its payload in the arena. The index of an entry is valid until the next drop, which moves
// the last entry into the gap. A table is not safe for concurrent use.
type table struct {
	entries  vector[entry]
	index    keyIndex
	expiry   expiryHeap
	idle     [classes]entryList
	subjects map[holder]entryList
	arena    arena
	lastUse  int64 // what nextUse returned last

	shared
}

// shared is what the tables of a store have in common.
type shared struct {
	seed        maphash.Seed
	epoch       time.Time // when the store was made
	budget      *budget
	lastVersion *atomic.Uint64
}

// reset empties the table. It does not change the budget.
func (t *table) reset() {
	t.entries = vector[entry]{}
	t.index = keyIndex{entries: &t.entries}
	t.expiry = expiryHeap{entries: &t.entries}
	t.subjects = make(map[holder]entryList)
	for c := range t.idle {
		t.idle[c] = newEntryList()
	}
	t.arena = newArena()
}

func (t *table) useLists() listEditor     { return listEditor{&t.entries, useList} }
func (t *table) subjectLists() listEditor { return listEditor{&t.entries, subjectList} }

// holderOf returns the holder of the records with a subject.
func (t *table) holderOf(subject string) holder {
	if subject == "" {
		return visitors
	}
	return max(visitors+1, holder(maphash.String(t.seed, subject)>>32))
}

// chargeOf returns the charge of the record with a payload.
func (t *table) chargeOf(p *payload) charge {
	return charge{holder: t.holderOf(p.subject), records: 1, bytes: p.cost()}
}

// chargeFor returns the charge of a record that is to be saved.
func (t *table) chargeFor(rec *store.Record) charge {
	return charge{holder: t.holderOf(rec.Subject), records: 1, bytes: costOf(rec)}
}

// read reads the payload of an entry into p.
func (t *table) read(i uint32, p *payload) { t.arena.read(t.entries.at(i).location, p) }

// record returns the record of an entry whose payload is p. It takes the key as text,
// because most callers have it already.
func (t *table) record(i uint32, p *payload, key string) store.Record {
	rec := store.Record{Key: key}
	t.fill(&rec, i, p)
	return rec
}

// fill sets everything in rec except its key.
func (t *table) fill(rec *store.Record, i uint32, p *payload) {
	e := t.entries.at(i)
	rec.Subject, rec.Data, rec.Expires, rec.Version = p.subject, p.data, e.expires(), e.version
}

// find returns the entry of a key, or none, and reads its payload into p.
func (t *table) find(k *lookupKey, p *payload) uint32 {
	i := t.index.first(k.hash)
	for i != none && !t.hasKey(i, k, p) {
		i = t.entries.at(i).nextInBucket
	}
	return i
}

// hasKey reports whether an entry has that key. It reads the payload into p if the hashes
// are equal.
func (t *table) hasKey(i uint32, k *lookupKey, p *payload) bool {
	e := t.entries.at(i)
	if e.keyHash != k.hash {
		return false
	}
	t.arena.read(e.location, p)
	return p.key.equals(k)
}

// findLive is like find, but drops the entry and returns none if it has expired.
func (t *table) findLive(k *lookupKey, now time.Time, p *payload) uint32 {
	i := t.find(k, p)
	if i != none && t.entries.at(i).expired(now) {
		t.drop(i, p)
		return none
	}
	return i
}

// liveWithPrefix reports whether an entry has not expired and has a key that starts with
// prefix. It reads the payload of a live entry into p.
func (t *table) liveWithPrefix(i uint32, prefix string, now time.Time, p *payload) bool {
	if t.entries.at(i).expired(now) {
		return false
	}
	t.read(i, p)
	return p.key.hasPrefix(prefix)
}

// saveArgs are the arguments of a save.
type saveArgs struct {
	rec      *store.Record
	now      time.Time
	evicting bool // whether the budget is exclusive to this save
}

func (t *table) insert(k *lookupKey, args *saveArgs) (store.Record, error) {
	now := t.chargeFor(args.rec)
	if !t.budget.exchange(charge{}, now, args.evicting) {
		return store.Record{}, store.ErrFull
	}
	var buf [64]byte
	i := t.entries.push(entry{keyHash: k.hash})
	saved := t.write(i, args, k.pack(buf[:0]))
	t.index.add(i)
	t.expiry.add(i)
	t.link(i, now.holder)
	return saved, nil
}

func (t *table) replace(i uint32, old *payload, args *saveArgs) (store.Record, error) {
	before, now := t.chargeOf(old), t.chargeFor(args.rec)
	if !t.budget.exchange(before, now, args.evicting) {
		return store.Record{}, store.ErrFull
	}
	e, oldLocation := t.entries.at(i), t.entries.at(i).location
	t.unlink(i, before.holder)
	saved := t.write(i, args, old.key)
	t.expiry.fix(e.heapPos)
	t.link(i, now.holder)
	t.arena.discard(oldLocation, old)
	return saved, nil
}

// write stores a record in an entry and returns the record with its new version.
func (t *table) write(i uint32, args *saveArgs, key packedKey) store.Record {
	e := t.entries.at(i)
	e.version = t.lastVersion.Add(1)
	e.lastUsed = t.nextUse(args.now)
	e.setExpires(args.rec.Expires)
	p := payload{keyHash: e.keyHash, key: key, subject: args.rec.Subject}
	e.location = t.arena.add(&p, args.rec.Data)
	saved := *args.rec
	saved.Version, saved.Expires = e.version, e.expires()
	return saved
}

// extend moves the expiry of an entry to expires if that is later.
func (t *table) extend(i uint32, expires time.Time) {
	e := t.entries.at(i)
	if e.expirySec != never && (expires.IsZero() || expires.After(e.expires())) {
		e.setExpires(expires)
		t.expiry.fix(e.heapPos)
	}
}

// nextUse returns the time of a use in nanoseconds since the store was made, or the next
// nanosecond if the clock has not moved, so that no two uses in a table have the same time.
// A counter for the whole store would make all processors wait for each other.
func (t *table) nextUse(now time.Time) int64 {
	t.lastUse = max(t.lastUse+1, int64(now.Sub(t.epoch)))
	return t.lastUse
}

// use marks an entry as the last used of its class.
func (t *table) use(i uint32, c class, now time.Time) {
	t.entries.at(i).lastUsed = t.nextUse(now)
	if t.idle[c].first != i {
		t.useLists().remove(&t.idle[c], i)
		t.useLists().pushFront(&t.idle[c], i)
	}
}

// idlest returns the entry of a class that has been idle longest, ignoring that of k. It
// returns none if there is no other.
func (t *table) idlest(c class, k *lookupKey) uint32 {
	i := t.idle[c].last
	if i != none && t.hasKey(i, k, new(payload)) {
		return t.entries.at(i).links[useList].prev
	}
	return i
}

// dropExpired drops up to expiredPerCall expired records and returns how many it dropped.
func (t *table) dropExpired(now time.Time) (dropped int) {
	var p payload
	for ; dropped < expiredPerCall; dropped++ {
		i := t.expiry.root()
		if i == none || !t.entries.at(i).expired(now) {
			break
		}
		t.read(i, &p)
		t.drop(i, &p)
	}
	return dropped
}

// drop removes an entry and its payload p.
func (t *table) drop(i uint32, p *payload) {
	c := t.chargeOf(p)
	t.budget.release(c)
	t.unlink(i, c.holder)
	t.expiry.remove(i)
	t.index.remove(i)
	t.arena.discard(t.entries.at(i).location, p)
	if last := t.entries.len - 1; i != last {
		t.move(last, i)
	}
	t.entries.pop()
}

// move moves an entry to the index of one that was dropped, and updates all that refers to
// it.
func (t *table) move(from, to uint32) {
	t.index.moved(from, to)
	*t.entries.at(to) = *t.entries.at(from)
	t.expiry.moved(to)
	var p payload
	t.read(to, &p)
	h := t.holderOf(p.subject)
	t.useLists().moved(&t.idle[h.class()], to)
	if h != visitors {
		list := t.subjects[h]
		t.subjectLists().moved(&list, to)
		t.subjects[h] = list
	}
}

// link adds an entry to the list of its class and, if it has a subject, to that of its
// subject.
func (t *table) link(i uint32, h holder) {
	t.useLists().pushFront(&t.idle[h.class()], i)
	if h != visitors {
		list, ok := t.subjects[h]
		if !ok {
			list = newEntryList()
		}
		t.subjectLists().pushFront(&list, i)
		t.subjects[h] = list
	}
}

// unlink undoes link.
func (t *table) unlink(i uint32, h holder) {
	t.useLists().remove(&t.idle[h.class()], i)
	if h != visitors {
		list := t.subjects[h]
		t.subjectLists().remove(&list, i)
		if t.subjects[h] = list; list.first == none {
			delete(t.subjects, h)
		}
	}
}

// compact moves the live payloads of the sparsest chunk to the end of the arena and drops
// the chunk. It does so for one chunk at most, which is little work for an operation to do
// besides its own.
func (t *table) compact() {
	sparsest := t.arena.sparsest()
	if sparsest == none {
		return
	}
	t.arena.each(sparsest, func(loc location, p *payload) {
		if i := t.index.withPayload(p.keyHash, loc); i != none {
			t.entries.at(i).location = t.arena.add(p, p.data)
		}
	})
	t.arena.dropChunk(sparsest)
}
