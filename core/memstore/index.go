package memstore

import "math/bits"

// index finds slots by the hash of their key. It is a hash table with as many buckets as there are slots that grows and
// shrinks by one bucket at a time (linear hashing), so that no request has to wait while all of it is rebuilt.
type index struct {
	slots *vector[slot]
	heads vector[uint32] // the first slot of each bucket
}

// first returns the first slot that may have the hash; the others follow as slot.same.
func (x *index) first(hash uint32) uint32 {
	if x.heads.n == 0 {
		return none
	}
	return *x.bucket(hash)
}

// bucket returns the head of the bucket for hash. Buckets that have not come to be yet are still part of the one with
// the topmost bit less.
func (x *index) bucket(hash uint32) *uint32 {
	width := bits.Len32(x.heads.n - 1)
	at := hash & (1<<width - 1)
	if at >= x.heads.n {
		at &^= 1 << (width - 1)
	}
	return x.heads.at(at)
}

func (x *index) link(i uint32) {
	s := x.slots.at(i)
	head := x.bucket(s.hash)
	s.same, *head = *head, i
}

// relink brings the slots of a chain to where they belong now.
func (x *index) relink(i uint32) {
	for i != none {
		next := x.slots.at(i).same
		x.link(i)
		i = next
	}
}

// add enters a slot, after the bucket that comes with it has taken over what is its own.
func (x *index) add(i uint32) {
	if fresh := x.heads.push(none); fresh > 0 {
		parent := x.heads.at(fresh &^ (1 << (bits.Len32(fresh) - 1)))
		chain := *parent
		*parent = none
		x.relink(chain)
	}
	x.link(i)
}

// remove takes a slot out, and the last bucket, whose slots go back to where they came from.
func (x *index) remove(i uint32) {
	*x.holder(i) = x.slots.at(i).same
	chain := *x.heads.at(x.heads.n - 1)
	x.heads.pop()
	x.relink(chain)
}

// moved says that the slot i lies at to from now on.
func (x *index) moved(i, to uint32) { *x.holder(i) = to }

// holder returns what points to the slot i: the head of its bucket or the slot before it.
func (x *index) holder(i uint32) *uint32 {
	p := x.bucket(x.slots.at(i).hash)
	for *p != i {
		p = &x.slots.at(*p).same
	}
	return p
}

// placed returns the slot whose item lies at p, none if the item is dead.
func (x *index) placed(hash uint32, p place) uint32 {
	i := x.first(hash)
	for i != none && x.slots.at(i).place != p {
		i = x.slots.at(i).same
	}
	return i
}
