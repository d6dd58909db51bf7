package memstore

import (
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// page is a page of List while it is being filled.
type page struct {
	prefix  string
	limit   int
	now     time.Time
	records []store.Record
}

// full reports whether the page has as many records as it may have.
func (p *page) full() bool { return p.limit > 0 && len(p.records) >= p.limit }

// enough reports whether the page may end with the records of a shard.
func (p *page) enough() bool { return len(p.records) > 0 && len(p.records) >= p.limit }
