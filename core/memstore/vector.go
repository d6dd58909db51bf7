package memstore

import "math"

// none is an index that no element has. It stands for no entry and for no chunk.
const none = math.MaxUint32

// blockLen is the number of elements in a block of a vector.
const blockLen = 64

// vector is a list that grows and shrinks by blocks of a fixed size. Unlike a slice it
// never copies its elements, so no request has to wait for that, and it frees memory as
// elements are removed.
type vector[T any] struct {
	blocks []*[blockLen]T
	len    uint32
}

func (v *vector[T]) at(i uint32) *T { return &v.blocks[i/blockLen][i%blockLen] }

// push appends x and returns its index.
func (v *vector[T]) push(x T) uint32 {
	if int(v.len/blockLen) == len(v.blocks) {
		v.blocks = append(v.blocks, new([blockLen]T))
	}
	v.len++
	*v.at(v.len - 1) = x
	return v.len - 1
}

// pop removes the last element. It keeps one empty block, so that pushes and pops around
// the edge of a block do not allocate each time.
func (v *vector[T]) pop() {
	v.len--
	if last := len(v.blocks) - 1; int(v.len/blockLen)+1 < last {
		v.blocks[last] = nil
		v.blocks = v.blocks[:last]
	}
}
