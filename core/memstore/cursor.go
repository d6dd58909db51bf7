package memstore

import (
	"fmt"
	"strconv"
	"strings"
)

// cursor is a position of List or SubjectKeys. What is left are the entries below one in a
// shard, and all later shards.
type cursor struct {
	shard int
	below uint32
}

// parseCursor parses what String returns. It refuses every text that neither of them can
// have returned.
func parseCursor(text string, maxRecords int) (cursor, error) {
	if text == "" {
		return cursor{0, none}, nil
	}
	shard, below, _ := strings.Cut(text, "-")
	n, _ := strconv.Atoi(shard) // The comparison with at.String finds all errors.
	b, _ := strconv.Atoi(below)
	at := cursor{n, uint32(b)} //nolint:gosec // the same comparison finds an overflow
	if at.String() != text || n >= shardCount || b >= maxRecords || at.atEnd() {
		return cursor{}, fmt.Errorf("sessions: memstore: %q is not a cursor of this store", text)
	}
	return at, nil
}

func (c cursor) String() string {
	return strconv.Itoa(c.shard) + "-" + strconv.FormatUint(uint64(c.below), 10)
}

// atEnd reports whether nothing is left. No walk returns such a cursor.
func (c cursor) atEnd() bool { return c.shard == shardCount-1 && c.below == 0 }
