package memstore

// list holds the entries of a class, the last used first.
type list struct {
	first, last *entry
}

func (l *list) pushFront(e *entry) {
	e.prev, e.next = nil, l.first
	if l.first != nil {
		l.first.prev = e
	} else {
		l.last = e
	}
	l.first = e
}

func (l *list) remove(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.last = e.prev
	}
	e.prev, e.next = nil, nil
}

// queue is a binary heap of entries, the first to expire at its root. It is written out because entries have to know
// their place, and because [container/heap] costs a call through an interface for each comparison.
type queue []*entry

func (q *queue) add(e *entry) {
	e.inQueue = len(*q)
	*q = append(*q, e)
	q.up(e.inQueue)
}

func (q *queue) remove(e *entry) {
	at, last := e.inQueue, len(*q)-1
	q.swap(at, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	if at < last {
		q.down(at)
		q.up(at)
	}
}

func (q *queue) swap(i, j int) {
	h := *q
	h[i], h[j] = h[j], h[i]
	h[i].inQueue, h[j].inQueue = i, j
}

func (q *queue) up(i int) {
	h := *q
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].expires <= h[i].expires {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *queue) down(i int) {
	h := *q
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].expires < h[child].expires {
			child = right
		}
		if h[i].expires <= h[child].expires {
			return
		}
		q.swap(i, child)
		i = child
	}
}
