package memstore

import "time"

// evictor chooses the records that a full store drops. It is not safe for concurrent use.
type evictor struct {
	shards       *shards
	budget       *budget
	keepSignedIn bool

	heaviest holder   // the user whose records victims are
	victims  []victim // the last one is the next to go
}

// evict drops a record to make room for that of k, which it spares, and whose holder is saver:
// an expired one, else the anonymous one that has been idle longest, else the signed-in one
// that has, unless keepSignedIn is set. If one user crowds the store, it drops a record of
// theirs in place of either. It reports whether it found one.
func (ev *evictor) evict(k *lookupKey, saver holder) bool {
	if ev.shards.evictExpired(time.Now()) || ev.evictIdle(anonymous, k, saver) {
		return true
	}
	return !ev.keepSignedIn && ev.evictIdle(signedIn, k, saver)
}

// evictIdle drops the record of a class that has been idle longest, or one of the user who
// crowds the store. It reports whether there is a record of that class. If the record that it
// has chosen is used meanwhile, it searches again.
func (ev *evictor) evictIdle(c class, k *lookupKey, saver holder) bool {
	for {
		sh, lastUsed := ev.shards.idlest(c, k)
		if sh == nil {
			return false
		}
		crowded := ev.mayCrowd() && ev.budget.crowded(sh.idlestCharge(c, k), saver)
		if crowded && ev.evictHeaviest(k) {
			return true
		}
		if sh.evictIdle(c, k, lastUsed) {
			return true
		}
	}
}

// mayCrowd reports whether there may be a user who crowds the store.
func (ev *evictor) mayCrowd() bool { return !ev.keepSignedIn && ev.budget.anyLarge() }

// evictHeaviest drops the record that has been idle longest of the user with the most room. It
// reports whether there was one.
//
// The records of a user are in no order of use, because keeping it would make each load slower.
// So the evictor looks at all of them, notes the half that has been idle longest, and looks
// again when these are used up. That is two for each that it drops, however many there are.
func (ev *evictor) evictHeaviest(k *lookupKey) bool {
	if heaviest := ev.budget.heaviest(ev.heaviest); heaviest != ev.heaviest {
		ev.heaviest, ev.victims = heaviest, ev.victims[:0]
	}
	if ev.evictNext(k) {
		return true
	}
	ev.victims = ev.shards.victims(ev.victims, ev.heaviest, k)
	return ev.evictNext(k)
}

// evictNext drops the next victim that is still as it was chosen.
func (ev *evictor) evictNext(k *lookupKey) bool {
	for len(ev.victims) > 0 {
		last := len(ev.victims) - 1
		v := ev.victims[last]
		ev.victims = ev.victims[:last]
		if ev.shards[v.shard].evictVictim(v, k) {
			return true
		}
	}
	return false
}
