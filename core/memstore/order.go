package memstore

// The lists that a slot is in.
const (
	byUse     = iota // of its class, the last used first
	bySubject        // of its subject
	ways
)

// link is the place of a slot in a list.
type link struct {
	prev, next uint32
}

// list holds slots that are linked in one of the ways.
type list struct {
	first, last uint32
}

func newList() list { return list{none, none} }

// links works on the lists of one way.
type links struct {
	slots *vector[slot]
	way   int
}

func (k links) of(i uint32) *link { return &k.slots.at(i).links[k.way] }

// before and after return what points to whoever stands between the neighbours of l.
func (k links) before(in *list, l link) *uint32 {
	if l.prev == none {
		return &in.first
	}
	return &k.of(l.prev).next
}

func (k links) after(in *list, l link) *uint32 {
	if l.next == none {
		return &in.last
	}
	return &k.of(l.next).prev
}

func (k links) push(in *list, i uint32) {
	l := link{none, in.first}
	*k.after(in, l) = i
	in.first = i
	*k.of(i) = l
}

func (k links) remove(in *list, i uint32) {
	l := *k.of(i)
	*k.before(in, l), *k.after(in, l) = l.next, l.prev
}

// moved says that what lies at i now has come from elsewhere.
func (k links) moved(in *list, i uint32) {
	l := *k.of(i)
	*k.before(in, l), *k.after(in, l) = i, i
}

// queue is a binary heap of slots, the first to expire at its root. It is written out because slots have to know their
// place, and because [container/heap] costs a call through an interface for each comparison.
type queue struct {
	slots *vector[slot]
	heap  vector[uint32]
}

// root returns the slot that expires first.
func (q *queue) root() uint32 {
	if q.heap.n == 0 {
		return none
	}
	return *q.heap.at(0)
}

func (q *queue) add(i uint32) {
	at := q.heap.push(i)
	q.slots.at(i).queued = at
	q.up(at)
}

func (q *queue) remove(i uint32) {
	at, last := q.slots.at(i).queued, q.heap.n-1
	q.swap(at, last)
	q.heap.pop()
	if at < last {
		q.fix(at)
	}
}

// fix brings what lies at a place to where it belongs, after its expiry has changed.
func (q *queue) fix(at uint32) {
	q.down(at)
	q.up(at)
}

// moved says that the slot at i has come from elsewhere.
func (q *queue) moved(i uint32) { *q.heap.at(q.slots.at(i).queued) = i }

func (q *queue) swap(a, b uint32) {
	i, j := q.heap.at(a), q.heap.at(b)
	*i, *j = *j, *i
	q.slots.at(*i).queued, q.slots.at(*j).queued = a, b
}

func (q *queue) less(a, b uint32) bool {
	return q.slots.at(*q.heap.at(a)).before(q.slots.at(*q.heap.at(b)))
}

func (q *queue) up(at uint32) {
	for at > 0 {
		parent := (at - 1) / 2
		if !q.less(at, parent) {
			return
		}
		q.swap(at, parent)
		at = parent
	}
}

func (q *queue) down(at uint32) {
	for {
		child := 2*at + 1
		if child >= q.heap.n {
			return
		}
		if right := child + 1; right < q.heap.n && q.less(right, child) {
			child = right
		}
		if !q.less(child, at) {
			return
		}
		q.swap(at, child)
		at = child
	}
}
