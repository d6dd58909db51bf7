package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func purgeCases() []testCase {
	return []testCase{
		{
			name: "OnlyExpired", run: purgeOnlyExpired, clock: true,
			rule: "Purge deletes expired records, at most limit of them, and says how many; what has not expired stays. A purge that takes too much logs users out, one that takes too little lets the store grow, and one without a bound holds up requests.",
		},
	}
}

// purger returns the store's Purger, or skips the case.
func (e *env) purger() store.Purger {
	e.Helper()
	s, ok := e.store.(store.Purger)
	if !ok {
		e.Skip("the store has no Purge: it, or its server, gets rid of expired records by itself")
	}
	if _, err := s.Purge(e.ctx, 1); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Purge answers errors.ErrUnsupported")
	}
	return s
}

func purgeOnlyExpired(e *env) {
	s := e.purger()
	const expired, rounds = 5, 3
	lives, permanent := e.record("lives"), e.record("permanent")
	lives.Expires, permanent.Expires = e.soon().AddDate(0, 0, 1), time.Time{}
	kept := []store.Record{e.save(lives), e.save(permanent)}
	most := 0
	for round := 0; round < rounds && most < expired; round++ { // somebody may purge the same server
		expires := e.soon()
		for i := range expired {
			rec := e.record(fmt.Sprint("expired", round, "-", i))
			rec.Expires = expires
			e.save(rec)
		}
		extended := e.save(store.Record{Key: e.name(fmt.Sprint("extended", round)), Data: []byte("extended in time"), Expires: expires})
		extended.Expires = lives.Expires
		kept = append(kept, e.save(extended))
		e.sleepPast(expires)
		most = max(most, e.purgeAll(s))
		for _, rec := range kept {
			e.stored(rec)
		}
	}
	if most < expired {
		e.Errorf("Purge deleted %d records, want the %d that have expired", most, expired)
	}
}

// purgeAll purges in small batches until nothing is left, and returns how many records that were.
func (e *env) purgeAll(s store.Purger) (total int) {
	e.Helper()
	const limit, patience = 2, 10000
	for range patience {
		n, err := s.Purge(e.ctx, limit)
		if err != nil || n < 0 || n > limit {
			e.Fatalf("Purge of at most %d = %d, %v", limit, n, err)
		}
		total += n
		if n < limit {
			return total
		}
	}
	e.Fatalf("Purge does not come to an end: it says that it has deleted %d records", total)
	return total
}
