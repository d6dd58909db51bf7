package memstore

import "container/heap"

// room is how much of the store a user has.
type room struct {
	holder holder
	room   int64
}

// roomHeap is a heap of rooms, the largest at its root.
type roomHeap struct {
	order     []room
	positions map[holder]int // in order
}

func newRoomHeap() roomHeap { return roomHeap{positions: make(map[holder]int)} }

// top returns the largest room, or the zero room if there is none.
func (h *roomHeap) top() room {
	if len(h.order) == 0 {
		return room{}
	}
	return h.order[0]
}

// set adds or changes the room of a holder.
func (h *roomHeap) set(of holder, size int64) {
	pos, ok := h.positions[of]
	if !ok {
		heap.Push(h, room{of, size})
		return
	}
	h.order[pos].room = size
	heap.Fix(h, pos)
}

// remove removes the room of a holder.
func (h *roomHeap) remove(of holder) { heap.Remove(h, h.positions[of]) }

// larger orders rooms by size, and rooms of one size in any order that stays the same.
func (h *roomHeap) larger(a, b int) bool {
	x, y := &h.order[a], &h.order[b]
	return x.room > y.room || (x.room == y.room && x.holder > y.holder)
}

// Len implements [heap.Interface].
func (h *roomHeap) Len() int { return len(h.order) }

// Less implements [heap.Interface].
func (h *roomHeap) Less(a, b int) bool { return h.larger(a, b) }

// Swap implements [heap.Interface].
func (h *roomHeap) Swap(a, b int) {
	h.order[a], h.order[b] = h.order[b], h.order[a]
	h.positions[h.order[a].holder], h.positions[h.order[b].holder] = a, b
}

// Push implements [heap.Interface].
func (h *roomHeap) Push(x any) {
	r, _ := x.(room)
	h.positions[r.holder] = len(h.order)
	h.order = append(h.order, r)
}

// Pop implements [heap.Interface].
func (h *roomHeap) Pop() any {
	last := len(h.order) - 1
	r := h.order[last]
	h.order = h.order[:last]
	delete(h.positions, r.holder)
	return r
}
