package memstore

// room is how much of the store a user has.
type room struct {
	holder holder
	room   int64
}

// roomHeap is a binary heap of rooms, the largest at its root.
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
		pos = len(h.order)
		h.order = append(h.order, room{holder: of})
		h.positions[of] = pos
	}
	h.order[pos].room = size
	h.fix(pos)
}

// remove removes the room of a holder.
func (h *roomHeap) remove(of holder) {
	pos, last := h.positions[of], len(h.order)-1
	h.swap(pos, last)
	h.order = h.order[:last]
	delete(h.positions, of)
	if pos < last {
		h.fix(pos)
	}
}

// fix restores the order after the room at pos has changed.
func (h *roomHeap) fix(pos int) {
	h.down(pos)
	h.up(pos)
}

func (h *roomHeap) swap(a, b int) {
	h.order[a], h.order[b] = h.order[b], h.order[a]
	h.positions[h.order[a].holder], h.positions[h.order[b].holder] = a, b
}

// larger orders rooms by size, and rooms of one size in any order that stays the same.
func (h *roomHeap) larger(a, b int) bool {
	x, y := &h.order[a], &h.order[b]
	return x.room > y.room || (x.room == y.room && x.holder > y.holder)
}

func (h *roomHeap) up(pos int) {
	for pos > 0 {
		parent := (pos - 1) / 2
		if !h.larger(pos, parent) {
			return
		}
		h.swap(pos, parent)
		pos = parent
	}
}

func (h *roomHeap) down(pos int) {
	for {
		child := 2*pos + 1
		if child >= len(h.order) {
			return
		}
		if right := child + 1; right < len(h.order) && h.larger(right, child) {
			child = right
		}
		if !h.larger(child, pos) {
			return
		}
		h.swap(pos, child)
		pos = child
	}
}
