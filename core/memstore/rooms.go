package memstore

const (
	// largeShare is the part of the store, as a divisor, up to which nobody's room counts as
	// large.
	largeShare = 1024
	// visitorsWeight is how many times more room than in place of another user's session a
	// user must have to give up some in place of an anonymous one.
	visitorsWeight = 16
	// maxCapacity is more than any store can hold, and little enough that sums of rooms
	// cannot overflow.
	maxCapacity = 1 << 50
)

// rooms counts how much of the store each user has. The room of a record is its bytes and, for
// its place among the MaxRecords, an equal share of MaxBytes. So whichever bound the store has
// reached, the user with the most room is the one who has taken most of what is short.
type rooms struct {
	place     int64            // the room of a record besides its bytes
	large     int64            // a room is large if it is larger than this
	signedIn  map[holder]int64 // the room of each user
	anonymous int64            // the room of all anonymous records together
	largest   roomHeap         // the large rooms
}

func newRooms(maxRecords, maxBytes int64) rooms {
	maxBytes = min(maxBytes, maxCapacity)
	return rooms{
		place:    maxBytes / maxRecords,
		large:    maxBytes / largeShare,
		signedIn: make(map[holder]int64),
		largest:  newRoomHeap(),
	}
}

// of returns the room of a record.
func (r *rooms) of(c charge) int64 { return c.records*r.place + c.bytes }

// exchange replaces one record by another. The zero charge stands for none.
func (r *rooms) exchange(old, now charge) {
	if old.holder == now.holder {
		r.add(now.holder, r.of(now)-r.of(old))
		return
	}
	r.add(old.holder, -r.of(old))
	r.add(now.holder, r.of(now))
}

// add adds to the room of a holder.
func (r *rooms) add(h holder, room int64) {
	if h == visitors {
		r.anonymous += room
		return
	}
	before := r.signedIn[h]
	after := before + room
	if after == 0 {
		delete(r.signedIn, h)
	} else {
		r.signedIn[h] = after
	}
	switch {
	case after > r.large:
		r.largest.set(h, after)
	case before > r.large:
		r.largest.remove(h)
	}
}

// crowded reports whether a record of the user with the most room has to go in place of the
// one charged as c, which has been idle longest. saver is the holder of the record that needs
// the room.
func (r *rooms) crowded(c charge, saver holder) bool {
	most := r.largest.top().room
	if c.holder != visitors {
		return most > r.tolerated(r.signedIn[c.holder])
	}
	tolerated := visitorsWeight * r.tolerated(r.of(c))
	return most > tolerated && (most > r.anonymous || r.signedIn[saver] > tolerated)
}

// tolerated returns how much room a user may have beside one who has the given room.
func (r *rooms) tolerated(room int64) int64 { return 2*room + r.large }

// heaviest returns the user with the most room. It returns current as long as nobody has an
// eighth more, because the evictor has to search for the records of another user.
func (r *rooms) heaviest(current holder) holder {
	top := r.largest.top()
	if r.signedIn[current] >= top.room-top.room/8 {
		return current
	}
	return top.holder
}
