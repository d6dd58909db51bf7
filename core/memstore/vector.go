package memstore

// part is how many elements of a vector lie together.
const part = 64

// vector is a list that grows and shrinks in parts of a fixed size, so that no request has to wait while all of it is
// copied, and so that memory goes back as records go.
type vector[T any] struct {
	parts []*[part]T
	n     uint32
}

func (v *vector[T]) at(i uint32) *T { return &v.parts[i/part][i%part] }

// push appends x and returns its index.
func (v *vector[T]) push(x T) uint32 {
	if int(v.n/part) == len(v.parts) {
		v.parts = append(v.parts, new([part]T))
	}
	v.n++
	*v.at(v.n - 1) = x
	return v.n - 1
}

// pop takes the last element away. One empty part is kept, for what comes and goes around its edge.
func (v *vector[T]) pop() {
	v.n--
	if last := len(v.parts) - 1; int(v.n/part)+1 < last {
		v.parts[last] = nil
		v.parts = v.parts[:last]
	}
}
