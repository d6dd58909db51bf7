package core

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// revocationCount counts the revocations of one manager, which orders them and the requests of the
// manager without a clock.
type revocationCount struct {
	manager [8]byte // random, so that it tells the managers of all processes apart
	n       atomic.Uint32
}

func newRevocationCount() *revocationCount {
	c := &revocationCount{}
	_, _ = rand.Read(c.manager[:]) // It never fails.
	return c
}

// next returns a value that names a new revocation.
func (c *revocationCount) next() []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(c.manager[:]), c.n.Add(1))
}

// number returns the number in a value that next has returned.
func (c *revocationCount) number(by []byte) (n uint32, ok bool) {
	if len(by) != len(c.manager)+4 || !bytes.Equal(by[:len(c.manager)], c.manager[:]) {
		return 0, false
	}
	return binary.BigEndian.Uint32(by[len(c.manager):]), true
}
