package memstore

import (
	"slices"
	"time"
)

// defaultKeys is the length of a page of SubjectKeys if the caller leaves it to the store.
const defaultKeys = 100

// keyPage is a page of SubjectKeys while it is being filled.
type keyPage struct {
	subject string
	limit   int
	now     time.Time
	keys    []string
	entries []uint32 // scratch space for table.highest
}

func newKeyPage(subject string, limit int) keyPage {
	if limit <= 0 {
		limit = defaultKeys
	}
	return keyPage{subject: subject, limit: limit, now: time.Now()}
}

// missing returns how many more keys the page may have.
func (p *keyPage) missing() int { return p.limit - len(p.keys) }

// addKeys adds keys of live records to the page until it is full, from the entries below one
// downwards. It returns the entry at which it stopped.
func (sh *shard) addKeys(p *keyPage, below uint32) uint32 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for below > 0 && p.missing() > 0 {
		n := p.missing()
		p.entries = sh.highest(p.entries[:0], p.subject, below, n)
		for _, i := range p.entries {
			sh.addKey(p, i)
			below = i
		}
		if len(p.entries) < n {
			return 0
		}
	}
	return below
}

// addKey adds the key of an entry, unless it has expired or is that of another subject with
// the same hash.
func (t *table) addKey(p *keyPage, i uint32) {
	var pl payload
	t.read(i, &pl)
	if pl.subject == p.subject && !t.entries.at(i).expired(p.now) {
		var buf [64]byte
		p.keys = append(p.keys, string(pl.key.appendText(buf[:0])))
	}
}

// highest returns the n highest entries of a subject among those below one, highest first. It
// appends them to top, which is empty. It looks at all entries of the subject, and at any time
// keeps at most twice as many as it returns.
func (t *table) highest(top []uint32, subject string, below uint32, n int) []uint32 {
	least := uint32(0)
	list, ok := t.subjects[t.holderOf(subject)]
	for i := list.first; ok && i != none; i = t.entries.at(i).links[subjectList].next {
		if i < least || i >= below {
			continue
		}
		if top = append(top, i); len(top)-n >= n {
			top = highestFirst(top, n)
			least = top[n-1]
		}
	}
	return highestFirst(top, n)
}

// highestFirst sorts entries and returns the first n of them, or all if there are fewer.
func highestFirst(entries []uint32, n int) []uint32 {
	slices.Sort(entries)
	slices.Reverse(entries)
	return entries[:min(n, len(entries))]
}
