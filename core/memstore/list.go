package memstore

// entryList is a doubly linked list of entries. The links are in the entries themselves.
type entryList struct {
	first, last uint32
}

func newEntryList() entryList { return entryList{none, none} }

// listEditor changes lists of one kind.
type listEditor struct {
	entries *vector[entry]
	kind    int
}

func (ed listEditor) links(i uint32) *links { return &ed.entries.at(i).links[ed.kind] }

// forward returns the pointer that leads to an entry with the links l from the front: the
// next of its predecessor, or the first of the list.
func (ed listEditor) forward(in *entryList, l links) *uint32 {
	if l.prev == none {
		return &in.first
	}
	return &ed.links(l.prev).next
}

// backward returns the pointer that leads to an entry with the links l from the end: the
// prev of its successor, or the last of the list.
func (ed listEditor) backward(in *entryList, l links) *uint32 {
	if l.next == none {
		return &in.last
	}
	return &ed.links(l.next).prev
}

func (ed listEditor) pushFront(in *entryList, i uint32) {
	l := links{none, in.first}
	*ed.backward(in, l) = i
	in.first = i
	*ed.links(i) = l
}

func (ed listEditor) remove(in *entryList, i uint32) {
	l := *ed.links(i)
	*ed.forward(in, l), *ed.backward(in, l) = l.next, l.prev
}

// moved updates the neighbors of an entry that has moved to i.
func (ed listEditor) moved(in *entryList, i uint32) {
	l := *ed.links(i)
	*ed.forward(in, l), *ed.backward(in, l) = i, i
}
