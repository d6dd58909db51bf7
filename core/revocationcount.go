package core

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
)

// revocationCount counts the revocations of one manager, which orders them and the requests of the
// manager without a clock.
type revocationCount struct {
	manager    [8]byte // random, so that it tells the managers of all processes apart
	n          atomic.Uint32
	everything atomic.Uint32 // the last revocation of everybody's sessions; 0 if there was none

	mu   sync.Mutex
	seen map[string]uint32 // by revocation of another process: the count when it was noticed
}

// maxSeen is how many revocations of other processes are remembered.
const maxSeen = 4096

func newRevocationCount() *revocationCount {
	c := &revocationCount{}
	_, _ = rand.Read(c.manager[:]) // It never fails.
	return c
}

// next returns a value that names a new revocation.
func (c *revocationCount) next() []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(c.manager[:]), c.n.Add(1))
}

// revokeEverything counts a revocation of everybody's sessions.
func (c *revocationCount) revokeEverything() {
	n := c.n.Add(1)
	for {
		last := c.everything.Load()
		if last >= n || c.everything.CompareAndSwap(last, n) {
			return
		}
	}
}

// An arrival says how many revocations were known when a request arrived. It keeps the last three
// bytes of the count, because every request has one.
type arrival [3]byte

func (c *revocationCount) arrive() arrival {
	n := c.n.Load()
	return arrival{byte(n >> 16), byte(n >> 8), byte(n)} //nolint:gosec // These three bytes.
}

// at returns the count at an arrival, since which there were fewer than 1<<24 revocations.
func (c *revocationCount) at(a arrival) uint32 {
	now, then := c.n.Load(), uint32(a[0])<<16|uint32(a[1])<<8|uint32(a[2])
	return now - (now-then)&(1<<24-1)
}

// noticed returns the count when a revocation of another process was noticed. Requests that arrive
// after that have certainly arrived after the revocation. If it is noticed now, first is true.
func (c *revocationCount) noticed(by []byte) (n uint32, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.seen[string(by)]; ok {
		return n, false
	}
	if c.seen == nil || len(c.seen) == maxSeen {
		c.seen = map[string]uint32{}
	}
	n = c.n.Add(1)
	c.seen[string(by)] = n
	return n, true
}

// number returns the number in a value that next has returned.
func (c *revocationCount) number(by []byte) (n uint32, ok bool) {
	if len(by) != len(c.manager)+4 || !bytes.Equal(by[:len(c.manager)], c.manager[:]) {
		return 0, false
	}
	return binary.BigEndian.Uint32(by[len(c.manager):]), true
}
