package memstore

// A new chunk is an eighth of the live bytes of its arena, within these bounds.
const (
	minChunkSize = 4 << 10
	maxChunkSize = 16 << 10
)

// arena is append-only memory for payloads, in chunks without pointers: a handful of
// objects for thousands of records. A payload is dead when its record has been replaced or
// dropped. The table compacts the arena: it moves the live payloads out of the chunk with
// the largest dead part, and drops that chunk.
type arena struct {
	chunks  []*chunk
	unused  []uint32 // numbers of chunks that were dropped
	current uint32   // the chunk that is being filled, or none
	live    int      // bytes of the payloads that belong to records
	dead    int      // bytes of all other payloads
}

// location is where a payload begins.
type location struct {
	chunk, offset uint32
}

func newArena() arena { return arena{current: none} }

// add writes a payload with this data and returns its location. It takes the data
// separately because it keeps large data, and nothing else of the payload.
func (a *arena) add(p *payload, data []byte) location {
	number := a.chunkFor(len(p.key), data)
	c := a.chunks[number]
	offset, before := len(c.buf), c.size()
	c.write(p, data)
	size := c.size() - before
	c.live += size
	a.live += size
	return location{number, uint32(offset)} //nolint:gosec // such a chunk is small
}

// read reads the payload at loc into p, which then refers to the memory of the arena.
func (a *arena) read(loc location, p *payload) { a.chunks[loc.chunk].read(loc.offset, p) }

// chunkFor returns a chunk that has room for a key of that length and the data.
func (a *arena) chunkFor(keyLen int, data []byte) uint32 {
	need := maxHeaderLen + keyLen
	if len(data) >= largeData {
		return a.addChunk(&chunk{buf: make([]byte, 0, need), large: data})
	}
	need += len(data)
	if a.current != none {
		if c := a.chunks[a.current]; cap(c.buf)-len(c.buf) >= need {
			return a.current
		}
	}
	full := a.current
	size := min(max(a.live/8, minChunkSize), maxChunkSize)
	a.current = a.addChunk(&chunk{buf: make([]byte, 0, max(size, need))})
	a.dropIfDead(full)
	return a.current
}

// addChunk gives a chunk a number.
func (a *arena) addChunk(c *chunk) uint32 {
	if n := len(a.unused); n > 0 {
		number := a.unused[n-1]
		a.unused = a.unused[:n-1]
		a.chunks[number] = c
		return number
	}
	a.chunks = append(a.chunks, c)
	return uint32(len(a.chunks) - 1) //nolint:gosec // there are fewer chunks than entries
}

// discard marks the payload at loc, which p has been read from, as dead.
func (a *arena) discard(loc location, p *payload) {
	size := p.size()
	a.chunks[loc.chunk].live -= size
	a.live -= size
	a.dead += size
	a.dropIfDead(loc.chunk)
}

// dropIfDead drops a chunk if all of it is dead. It keeps the current chunk if that has the
// smallest size.
func (a *arena) dropIfDead(number uint32) {
	if number == none {
		return
	}
	c := a.chunks[number]
	if c.live == 0 && (number != a.current || cap(c.buf) > minChunkSize) {
		a.dropChunk(number)
	}
}

// dropChunk forgets a chunk and all payloads in it.
func (a *arena) dropChunk(number uint32) {
	c := a.chunks[number]
	a.live -= c.live
	a.dead -= c.size() - c.live
	a.chunks[number] = nil
	a.unused = append(a.unused, number)
	if a.current == number {
		a.current = none
	}
}

// sparsest returns the chunk with the largest dead part, the current one excepted. It
// returns none while compaction would free too little: while what is dead is at most a
// quarter of what is alive.
func (a *arena) sparsest() uint32 {
	spared := 0
	if a.current != none {
		spared = a.chunks[a.current].size()
	}
	if a.dead <= a.live/4+spared {
		return none
	}
	best, bestDead, bestSize := uint32(none), 0, 1
	for i, c := range a.chunks {
		number := uint32(i)
		if c == nil || number == a.current {
			continue
		}
		if dead, size := c.size()-c.live, c.size(); dead*bestSize > bestDead*size {
			best, bestDead, bestSize = number, dead, size
		}
	}
	return best
}

// each calls visit for every payload of a chunk, dead or alive.
func (a *arena) each(number uint32, visit func(loc location, p *payload)) {
	c, p := a.chunks[number], new(payload)
	for offset := 0; offset < len(c.buf); {
		loc := location{number, uint32(offset)}
		a.read(loc, p)
		visit(loc, p)
		offset += p.bufLen()
	}
}
