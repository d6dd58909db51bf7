package storetest

import (
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func purgeCases() []testCase {
	return []testCase{
		{
			name: "OnlyExpired", run: purgeOnlyExpired, waits: true,
			rule: "Purge deletes only expired records, at most limit of them, and returns their " +
				"number. A purge that deletes too much logs users out, one that deletes too " +
				"little lets the store grow, and one without a limit delays requests.",
		},
	}
}

func purgeOnlyExpired(e *env) {
	s := e.purger()
	const attempts = 3 // Another process may purge the same server in between.
	lives, permanent := e.record("lives"), e.record("permanent")
	lives.Expires, permanent.Expires = e.soon().AddDate(0, 0, 1), time.Time{}
	kept := []store.Record{e.save(lives), e.save(permanent)}
	most := 0
	for attempt := 0; attempt < attempts && most < expiredRecords; attempt++ {
		expires := e.soon()
		kept = append(kept, e.createExpiring(attempt, expires, lives.Expires))
		e.sleepPast(expires)
		most = max(most, e.purgeAll(s))
		for _, rec := range kept {
			e.wantStored(rec)
		}
	}
	if most < expiredRecords {
		e.Errorf("Purge deleted %d records, want the %d that have expired", most, expiredRecords)
	}
}

// expiredRecords is the number of records to purge.
const expiredRecords = 5

// createExpiring creates records that expire at that time, and returns another one that would
// have expired with them but was extended.
func (e *env) createExpiring(attempt int, expires, later time.Time) (extended store.Record) {
	e.Helper()
	for i := range expiredRecords {
		rec := e.record(fmt.Sprint("expired", attempt, "-", i))
		rec.Expires = expires
		e.save(rec)
	}
	extended = e.record(fmt.Sprint("extended", attempt))
	extended.Expires = expires
	extended = e.save(extended)
	extended.Expires = later
	return e.save(extended)
}

// purgeAll purges in small batches until nothing is left, and returns the number of records
// purged.
func (e *env) purgeAll(s store.Purger) (total int) {
	e.Helper()
	const limit, maxBatches = 2, 10_000
	for range maxBatches {
		n, err := s.Purge(e.ctx, limit)
		if err != nil || n < 0 || n > limit {
			e.Fatalf("Purge(limit %d) = %d, %v", limit, n, err)
		}
		total += n
		if n < limit {
			return total
		}
	}
	e.Fatalf("Purge never returns less than its limit; it reports %d deleted records", total)
	return total
}
