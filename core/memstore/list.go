package memstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// List returns limit of the records, fewer on the last page only. It walks the shards one after the other, and the slots
// of each from the last to the first. With a limit of zero or less a page is what one shard has.
//
// No record that is there throughout is missed. A key never changes its shard. A record keeps its slot, also when it is
// replaced, until another one goes: then the last slot moves into the gap, that is downwards, and nothing ever moves
// upwards. So a record that the walk has not come to yet lies below the cursor, wherever it moves. One that the walk has
// returned may move to below the cursor and be returned again, and what is created lies at the end, behind the walk.
func (s *Store) List(_ context.Context, prefix, from string, limit int) ([]store.Record, string, error) {
	at, err := s.parse(from)
	if err != nil {
		return nil, "", err
	}
	p := page{prefix: prefix, limit: limit, now: time.Now()}
	for ; at.shard < shardCount; at = (cursor{at.shard + 1, none}) {
		at.below = s.shards[at.shard].list(&p, at.below)
		if p.ends() && !at.last() {
			return p.records, at.String(), nil
		}
	}
	return p.records, "", nil
}

// page is a page of List while it is made.
type page struct {
	prefix  string
	limit   int
	now     time.Time
	records []store.Record
}

// full reports whether no other record may come.
func (p *page) full() bool { return p.limit > 0 && len(p.records) >= p.limit }

// ends reports whether the page is good enough at the end of a shard.
func (p *page) ends() bool { return len(p.records) > 0 && len(p.records) >= p.limit }

// cursor tells where a walk has come to: in a shard, the slots below one are still to be seen.
type cursor struct {
	shard int
	below uint32
}

// parse reads a cursor in the one spelling that String gives it. Whatever cannot have come from there is refused.
func (s *Store) parse(text string) (cursor, error) {
	if text == "" {
		return cursor{0, none}, nil
	}
	shard, below, _ := strings.Cut(text, "-")
	n, _ := strconv.Atoi(shard) // what is no number is spelled otherwise than the one that comes of it
	b, _ := strconv.Atoi(below)
	at := cursor{n, uint32(b)} //nolint:gosec // and so is what does not fit
	if at.String() != text || n >= shardCount || b >= s.options.MaxRecords || at.last() {
		return cursor{}, fmt.Errorf("sessions: memstore: %q is not a cursor of this store", text)
	}
	return at, nil
}

func (c cursor) String() string {
	return strconv.Itoa(c.shard) + "-" + strconv.FormatUint(uint64(c.below), 10)
}

// last reports whether nothing is left to be seen, which no cursor is handed out for.
func (c cursor) last() bool { return c.shard == shardCount-1 && c.below == 0 }
