package memstore

// expiryHeap is a binary heap of entries, the first to expire at its root. It does not use
// [container/heap], because that calls each comparison through an interface, and because
// entries have to know their position.
type expiryHeap struct {
	entries *vector[entry]
	order   vector[uint32] // the entries in heap order
}

// root returns the entry that expires first, or none.
func (h *expiryHeap) root() uint32 {
	if h.order.len == 0 {
		return none
	}
	return *h.order.at(0)
}

func (h *expiryHeap) add(i uint32) {
	pos := h.order.push(i)
	h.entries.at(i).heapPos = pos
	h.up(pos)
}

func (h *expiryHeap) remove(i uint32) {
	pos, last := h.entries.at(i).heapPos, h.order.len-1
	h.swap(pos, last)
	h.order.pop()
	if pos < last {
		h.fix(pos)
	}
}

// fix restores the order after the entry at pos has changed its expiry.
func (h *expiryHeap) fix(pos uint32) {
	h.down(pos)
	h.up(pos)
}

// moved updates the heap after an entry has moved to i.
func (h *expiryHeap) moved(i uint32) { *h.order.at(h.entries.at(i).heapPos) = i }

func (h *expiryHeap) swap(a, b uint32) {
	i, j := h.order.at(a), h.order.at(b)
	*i, *j = *j, *i
	h.entries.at(*i).heapPos, h.entries.at(*j).heapPos = a, b
}

func (h *expiryHeap) less(a, b uint32) bool {
	return h.entries.at(*h.order.at(a)).expiresBefore(h.entries.at(*h.order.at(b)))
}

func (h *expiryHeap) up(pos uint32) {
	for pos > 0 {
		parent := (pos - 1) / 2
		if !h.less(pos, parent) {
			return
		}
		h.swap(pos, parent)
		pos = parent
	}
}

func (h *expiryHeap) down(pos uint32) {
	for {
		child := 2*pos + 1
		if child >= h.order.len {
			return
		}
		if right := child + 1; right < h.order.len && h.less(right, child) {
			child = right
		}
		if !h.less(child, pos) {
			return
		}
		h.swap(pos, child)
		pos = child
	}
}
