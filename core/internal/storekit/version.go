package storekit

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// NewVersion returns a random version that is neither 0 nor previous, the version that it
// replaces. It has 63 bits, so that it fits the signed integers of databases. That many random
// bits do not repeat, so no version is used twice for a key: not after the record is deleted,
// and not by another process. A store can therefore recognize its own write by the version
// alone.
func NewVersion(previous uint64) uint64 {
	for {
		if v := random() >> 1; v != 0 && v != previous {
			return v
		}
	}
}

// SignedVersion returns version as a signed integer, for databases that have no unsigned ones.
// A version that [NewVersion] cannot have returned becomes a number that equals no stored
// version.
func SignedVersion(version uint64) int64 {
	if version > math.MaxInt64 {
		return -1
	}
	return int64(version)
}

func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // Read never returns an error.
	return binary.LittleEndian.Uint64(b[:])
}
