package memstore

import (
	"encoding/binary"
	"strings"
)

// largeData is the size from which on data is kept as it was handed over instead of being
// copied. It then has a chunk of its own.
const largeData = 2 << 10

// maxHeaderLen is the size of the longest header of a payload: the hash and four lengths.
const maxHeaderLen = 4 + 4*binary.MaxVarintLen64

// chunk is memory for payloads. It is filled from front to end and never overwritten, so
// what was read from it stays valid for as long as somebody refers to it.
type chunk struct {
	buf      []byte          // headers, keys and data
	subjects strings.Builder // a builder, because parts of its string need no copying
	large    []byte          // the data of the only payload, if that is large
	live     int             // bytes of the payloads that belong to records
}

// size returns the number of bytes written, large data excepted.
func (c *chunk) size() int { return len(c.buf) + c.subjects.Len() }

// payload is the part of a record that its entry does not have.
type payload struct {
	keyHash   uint32
	key       packedKey
	subject   string
	data      []byte
	headerLen int // set by chunk.read
}

// size returns the number of bytes that a payload takes in its chunk, large data excepted.
func (p *payload) size() int { return p.bufLen() + len(p.subject) }

// bufLen returns the number of bytes from a payload to the next one in its chunk.
func (p *payload) bufLen() int {
	if len(p.data) >= largeData {
		return p.headerLen + len(p.key)
	}
	return p.headerLen + len(p.key) + len(p.data)
}

// write appends a payload with this data. A payload is encoded as the hash of its key, the
// lengths of key, data and subject, the offset of the subject if there is one, the key and
// the data.
func (c *chunk) write(p *payload, data []byte) {
	b := binary.LittleEndian.AppendUint32(c.buf, p.keyHash)
	b = binary.AppendUvarint(b, uint64(len(p.key)))
	if c.large != nil {
		data = nil
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	b = binary.AppendUvarint(b, uint64(len(p.subject)))
	if p.subject != "" {
		b = binary.AppendUvarint(b, uint64(c.subjects.Len())) //nolint:gosec // not negative
		c.subjects.WriteString(p.subject)
	}
	c.buf = append(append(b, p.key...), data...)
}

// read decodes the payload at offset into p, which then refers to the memory of the chunk.
func (c *chunk) read(offset uint32, p *payload) {
	b := c.buf[offset:]
	p.keyHash = binary.LittleEndian.Uint32(b)
	r := lengthReader{b, 4}
	key, size, subject := r.next(), r.next(), r.next()
	p.subject = ""
	if subject > 0 {
		at := r.next()
		p.subject = c.subjects.String()[at : at+subject]
	}
	p.headerLen = r.offset
	p.key = b[r.offset : r.offset+key]
	p.data = b[r.offset+key : r.offset+key+size : r.offset+key+size]
	if c.large != nil {
		p.data = c.large
	}
}

// lengthReader reads the lengths in the header of a payload.
type lengthReader struct {
	data   []byte
	offset int
}

func (r *lengthReader) next() int {
	n, size := binary.Uvarint(r.data[r.offset:])
	r.offset += size
	return int(n) //nolint:gosec // a length that chunk.write has written
}
