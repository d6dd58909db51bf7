package memstore

import "math/bits"

// keyIndex finds entries by the hash of their key. It is a hash table with as many buckets
// as there are entries. It grows and shrinks by one bucket at a time (linear hashing), so
// that no request has to wait while the whole table is rebuilt.
type keyIndex struct {
	entries *vector[entry]
	buckets vector[uint32] // the first entry of each bucket
}

// first returns the first entry that may have the hash. The others follow by
// entry.nextInBucket.
func (x *keyIndex) first(hash uint32) uint32 {
	if x.buckets.len == 0 {
		return none
	}
	return *x.bucket(hash)
}

// bucket returns the head of the bucket for hash. As long as that bucket has not been
// added, its entries are in the bucket whose number lacks the highest bit.
func (x *keyIndex) bucket(hash uint32) *uint32 {
	width := bits.Len32(x.buckets.len - 1)
	number := hash & (1<<width - 1)
	if number >= x.buckets.len {
		number &^= 1 << (width - 1)
	}
	return x.buckets.at(number)
}

// link puts an entry at the head of its bucket.
func (x *keyIndex) link(i uint32) {
	e := x.entries.at(i)
	head := x.bucket(e.keyHash)
	e.nextInBucket, *head = *head, i
}

// relink puts each entry of a chain into its bucket.
func (x *keyIndex) relink(i uint32) {
	for i != none {
		next := x.entries.at(i).nextInBucket
		x.link(i)
		i = next
	}
}

// add adds an entry, and before that a bucket, which takes its entries over from an older
// one.
func (x *keyIndex) add(i uint32) {
	if added := x.buckets.push(none); added > 0 {
		parent := x.buckets.at(added &^ (1 << (bits.Len32(added) - 1)))
		chain := *parent
		*parent = none
		x.relink(chain)
	}
	x.link(i)
}

// remove removes an entry, and the last bucket, whose entries go back to an older one.
func (x *keyIndex) remove(i uint32) {
	*x.pointerTo(i) = x.entries.at(i).nextInBucket
	chain := *x.buckets.at(x.buckets.len - 1)
	x.buckets.pop()
	x.relink(chain)
}

// moved updates the index for an entry that moves from i to to.
func (x *keyIndex) moved(i, to uint32) { *x.pointerTo(i) = to }

// pointerTo returns what points to an entry: the head of its bucket or the entry before it.
func (x *keyIndex) pointerTo(i uint32) *uint32 {
	p := x.bucket(x.entries.at(i).keyHash)
	for *p != i {
		p = &x.entries.at(*p).nextInBucket
	}
	return p
}

// withPayload returns the entry whose payload is at loc, or none if that payload is dead.
func (x *keyIndex) withPayload(hash uint32, loc location) uint32 {
	i := x.first(hash)
	for i != none && x.entries.at(i).location != loc {
		i = x.entries.at(i).nextInBucket
	}
	return i
}
