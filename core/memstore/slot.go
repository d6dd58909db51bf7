package memstore

import (
	"math"
	"time"
)

// none stands for no slot and no chunk.
const none = math.MaxUint32

// never is later than any expiry, and any use.
const never = math.MaxInt64

// slot is what a shard knows of a record without looking into the log. It holds indices and no pointers, so the garbage
// collector passes a million of them over, and it fills one cache line. The slots of a shard lie without gaps: when a
// record goes the last slot moves into its place.
type slot struct {
	version uint64
	used    int64 // when it was used last: see shard.tick
	seconds int64 // the expiry, of the Unix epoch
	nanos   uint32
	hash    uint32 // of the key
	same    uint32 // the next slot in the bucket
	queued  uint32 // its place in the expiry queue
	links   [ways]link
	place   place // of the item in the log
}

// setExpires keeps the wall clock's reading only, as a store on another machine would.
func (s *slot) setExpires(t time.Time) {
	s.seconds, s.nanos = never, 0
	if !t.IsZero() {
		s.seconds, s.nanos = t.Unix(), uint32(t.Nanosecond()) //nolint:gosec // less than a second's
	}
}

func (s *slot) expires() time.Time {
	if s.seconds == never {
		return time.Time{}
	}
	return time.Unix(s.seconds, int64(s.nanos))
}

func (s *slot) expired(now time.Time) bool {
	return s.seconds != never && !now.Before(s.expires())
}

// nanoseconds returns the expiry as one number. Those that it cannot count, after 2262, are never.
func (s *slot) nanoseconds() int64 {
	if s.seconds >= never/int64(time.Second) {
		return never
	}
	return s.seconds*int64(time.Second) + int64(s.nanos)
}

func (s *slot) before(other *slot) bool {
	return s.seconds < other.seconds || (s.seconds == other.seconds && s.nanos < other.nanos)
}
