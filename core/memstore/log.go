package memstore

import (
	"encoding/binary"
	"strings"
)

const (
	smallestChunk = 4 << 10
	largestChunk  = 16 << 10
	// large is from where on data is kept as it was handed over instead of being copied.
	large = 2 << 10
	// itemHead is what an item takes at most beside key, data and subject: the hash and four lengths.
	itemHead = 4 + 4*binary.MaxVarintLen64
)

// log keeps what records consist of, one item after the other, in chunks without pointers: a handful of objects for
// thousands of records. A byte that was written is never written again, so what was handed out stays as it is for as
// long as somebody holds it, and the garbage collector is who frees a chunk. An item that has been replaced or deleted
// is dead. Chunks with many dead ones have the others moved to the end of the log.
type log struct {
	chunks []*chunk
	free   []uint32 // numbers of chunks that are gone
	open   uint32   // the chunk that is being filled
	live   int      // bytes of items that records consist of
	dead   int      // bytes of all others
}

// chunk is a part of the log.
type chunk struct {
	data     []byte
	subjects strings.Builder // apart, because here strings can be had that are no copies
	whole    []byte          // the data of the only item, if that is large
	live     int
}

func (c *chunk) size() int { return len(c.data) + c.subjects.Len() }

// place tells where an item begins.
type place struct {
	chunk, at uint32
}

// item is a record without what its slot knows.
type item struct {
	hash    uint32
	key     packed
	subject string
	data    []byte
	head    int // bytes before key and data
}

// size returns the bytes that an item of the log takes there.
func (it *item) size() int { return it.length() + len(it.subject) }

// length returns how far the next item is.
func (it *item) length() int {
	if len(it.data) >= large {
		return it.head + len(it.key)
	}
	return it.head + len(it.key) + len(it.data)
}

func newLog() log { return log{open: none} }

// add appends an item with this data and returns its place. The data comes on its own because only it may be kept.
func (l *log) add(it *item, data []byte) place {
	number := l.room(len(it.key), data)
	c := l.chunks[number]
	start, before := len(c.data), c.size()
	c.append(it, data)
	size := c.size() - before
	c.live += size
	l.live += size
	return place{number, uint32(start)} //nolint:gosec // a chunk of more than one item is small
}

// room returns a chunk that has room for a key and data.
func (l *log) room(key int, data []byte) uint32 {
	need := itemHead + key
	if len(data) >= large {
		return l.grow(&chunk{data: make([]byte, 0, need), whole: data})
	}
	need += len(data)
	if l.open != none {
		if c := l.chunks[l.open]; cap(c.data)-len(c.data) >= need {
			return l.open
		}
	}
	full := l.open
	size := min(max(l.live/8, smallestChunk), largestChunk)
	l.open = l.grow(&chunk{data: make([]byte, 0, max(size, need))})
	l.tidy(full)
	return l.open
}

// grow gives a chunk a number.
func (l *log) grow(c *chunk) uint32 {
	if n := len(l.free); n > 0 {
		number := l.free[n-1]
		l.free = l.free[:n-1]
		l.chunks[number] = c
		return number
	}
	l.chunks = append(l.chunks, c)
	return uint32(len(l.chunks) - 1) //nolint:gosec // chunks are larger than slots
}

// append writes an item: hash, lengths of key, data and subject, where the subject begins if there is one, key, data.
func (c *chunk) append(it *item, data []byte) {
	b := binary.LittleEndian.AppendUint32(c.data, it.hash)
	b = binary.AppendUvarint(b, uint64(len(it.key)))
	if c.whole != nil {
		data = nil
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	b = binary.AppendUvarint(b, uint64(len(it.subject)))
	if it.subject != "" {
		b = binary.AppendUvarint(b, uint64(c.subjects.Len())) //nolint:gosec // no length is negative
		c.subjects.WriteString(it.subject)
	}
	c.data = append(append(b, it.key...), data...)
}

// get reads the item at p into it. What it consists of is part of the log.
func (l *log) get(p place, it *item) {
	c := l.chunks[p.chunk]
	b := c.data[p.at:]
	it.hash = binary.LittleEndian.Uint32(b)
	r := lengths{b, 4}
	key, size, subject := r.next(), r.next(), r.next()
	it.subject = ""
	if subject > 0 {
		at := r.next()
		it.subject = c.subjects.String()[at : at+subject]
	}
	it.head = r.at
	it.key = b[r.at : r.at+key]
	it.data = b[r.at+key : r.at+key+size : r.at+key+size]
	if c.whole != nil {
		it.data = c.whole
	}
}

// lengths reads the numbers before an item.
type lengths struct {
	data []byte
	at   int
}

func (r *lengths) next() int {
	n, size := binary.Uvarint(r.data[r.at:])
	r.at += size
	return int(n) //nolint:gosec // a length that the log has written
}

// discard says that the item at p is dead.
func (l *log) discard(p place, it *item) {
	size := it.size()
	l.chunks[p.chunk].live -= size
	l.live -= size
	l.dead += size
	l.tidy(p.chunk)
}

// tidy drops a chunk if nothing in it is alive, unless it is a small one that is being filled.
func (l *log) tidy(number uint32) {
	if number == none {
		return
	}
	if c := l.chunks[number]; c.live == 0 && (number != l.open || cap(c.data) > smallestChunk) {
		l.drop(number)
	}
}

// drop forgets a chunk, and what is still alive in it.
func (l *log) drop(number uint32) {
	c := l.chunks[number]
	l.live -= c.live
	l.dead -= c.size() - c.live
	l.chunks[number] = nil
	l.free = append(l.free, number)
	if l.open == number {
		l.open = none
	}
}

// sparse returns the chunk that most of is dead in, none while that would free too little: as long as no more than a
// quarter is dead beside what lives. What is being filled is left alone.
func (l *log) sparse() uint32 {
	spared := 0
	if l.open != none {
		spared = l.chunks[l.open].size()
	}
	if l.dead <= l.live/4+spared {
		return none
	}
	best, dead, size := uint32(none), 0, 1
	for i, c := range l.chunks {
		number := uint32(i)
		if c == nil || number == l.open {
			continue
		}
		if d, n := c.size()-c.live, c.size(); d*size > dead*n {
			best, dead, size = number, d, n
		}
	}
	return best
}

// each calls visit with the items of a chunk, dead ones among them.
func (l *log) each(number uint32, visit func(p place, it *item)) {
	c, it := l.chunks[number], new(item)
	for at := 0; at < len(c.data); {
		p := place{number, uint32(at)}
		l.get(p, it)
		visit(p, it)
		at += it.length()
	}
}
