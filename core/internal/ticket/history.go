package ticket

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math"
)

// A History records how the secret of a session was rotated, in the encoding of the session's
// record:
//
//	family  16 bytes  digest of the half that all secrets of the history share
//	rotated  8 bytes  when the secret was replaced last, in milliseconds since the Unix epoch
//	retired           the secrets that are still remembered, the oldest first, each as
//	  until   8 bytes   when its grace period ends, or Undelivered
//	  digest 32 bytes   its SHA-256
//	  next   32 bytes   the secret that replaced it, readable only by the bearer of this one
//
// A history is empty before the first rotation and after a login. Because all of its secrets
// share a half, it recognizes each one for as long as the session lives, without growing with
// each rotation.
type History []byte

const (
	familySize  = 16
	headerSize  = familySize + 8
	retiredSize = 8 + sha256.Size + len(Secret{})

	// MaxRetired is how many retired secrets a history keeps. Beyond it the oldest is dropped.
	MaxRetired = 4
)

// Valid reports whether h may have been returned by Append.
func (h History) Valid() bool {
	if len(h) < headerSize || (len(h)-headerSize)%retiredSize != 0 || h.Len() > MaxRetired {
		return false
	}
	ok := h.Rotated() <= MaxMillis
	for i := range h.Len() {
		ok = ok && h.retired(i).until() <= MaxMillis
	}
	return ok
}

// Len returns the number of retired secrets.
func (h History) Len() int { return max(len(h)-headerSize, 0) / retiredSize }

// Rotated returns when the secret was replaced last, in milliseconds since the Unix epoch. It
// is 0 for an empty history.
func (h History) Rotated() int64 {
	if len(h) == 0 {
		return 0
	}
	return readMillis(h[familySize:])
}

// Issued reports whether s belongs to the history: it was the session's secret at some time, or
// was made up by somebody who has seen one.
func (h History) Issued(s *Secret) bool {
	family := familyOf(s)
	return len(h) != 0 && subtle.ConstantTimeCompare(h[:familySize], family[:]) == 1
}

// Current returns the session's current secret, whose digest is given, if s is a retired secret
// in its grace period.
func (h History) Current(s Secret, current Digest, now int64) (Secret, bool) {
	i := h.index(&s)
	if i < 0 || ended(h.retired(i).until(), now) {
		return Secret{}, false
	}
	return h.unseal(s, i, current)
}

// Find returns when the grace period of a retired secret ends, or ended.
func (h History) Find(s *Secret) (until int64, ok bool) {
	i := h.index(s)
	if i < 0 {
		return 0, false
	}
	return h.retired(i).until(), true
}

// index returns the place of a retired secret, or -1 if s is none.
func (h History) index(s *Secret) int {
	if h.Len() == 0 {
		return -1
	}
	own := s.Digest()
	for i := range h.Len() {
		if digest := h.retired(i).digest(); digest.Equal(&own) {
			return i
		}
	}
	return -1
}

// unseal follows the replacements of s, the retired secret i, up to the current secret.
func (h History) unseal(s Secret, i int, current Digest) (Secret, bool) {
	for ; i < h.Len(); i++ {
		next := current
		if i+1 < h.Len() {
			next = h.retired(i + 1).digest()
		}
		s = seal(s, h.retired(i).next(), next)
	}
	ok := current.Matches(&s)
	return s, ok
}

// Undelivered reports whether the grace period of a retired secret has not begun, because the
// current secret has not been presented yet.
func (h History) Undelivered() bool {
	for i := range h.Len() {
		if h.retired(i).until() == Undelivered {
			return true
		}
	}
	return false
}

// Deliver returns h after the current secret was presented for the first time: the grace periods
// that had not begun end at until.
func (h History) Deliver(until int64) History {
	if !h.Undelivered() {
		return h
	}
	h = append(History{}, h...)
	for i := range h.Len() {
		if r := h.retired(i); r.until() == Undelivered {
			binary.BigEndian.PutUint64(r, uint64(until))
		}
	}
	return h
}

// Lines returns the retired secrets as lines of a Past, which end when their grace periods do.
// They have no proof.
func (h History) Lines() (lines []Line) {
	for i := range h.Len() {
		r := h.retired(i)
		lines = append(lines, Line{Kind: Former, Until: r.until(), Digest: r.digest()})
	}
	return lines
}

// DropExpired returns h without the secrets that need not be remembered any longer.
func (h History) DropExpired(now int64) History {
	n := 0
	for n < h.Len() && forgotten(h.retired(n).until(), now) {
		n++
	}
	return h.dropOldest(n)
}

// dropOldest returns h without its n oldest secrets. It does not change h, which may be part of
// a record.
func (h History) dropOldest(n int) History {
	if n == 0 {
		return h
	}
	return append(append(History{}, h[:headerSize]...), h[headerSize+n*retiredSize:]...)
}

// Append returns the history after next has replaced old at the time now. The old secret is
// accepted until the time until; if that is not after now, it is not accepted at all.
func (h History) Append(old, next Secret, now, until int64) History {
	h = h.DropExpired(now)
	h = h.dropOldest(max(h.Len()-MaxRetired+1, 0))
	out := make(History, 0, max(len(h), headerSize)+retiredSize)
	family := familyOf(&old)
	out = binary.BigEndian.AppendUint64(append(out, family[:]...), uint64(now))
	if len(h) > 0 {
		out = append(out, h[headerSize:]...)
	}
	if ended(until, now) {
		return out
	}
	oldDigest, nextDigest := old.Digest(), next.Digest()
	sealed := seal(old, next, nextDigest)
	out = binary.BigEndian.AppendUint64(out, uint64(until))
	return append(append(out, oldDigest[:]...), sealed[:]...)
}

func familyOf(s *Secret) [familySize]byte {
	sum := sha256.Sum256(s[:sharedSize])
	return [familySize]byte(sum[:familySize])
}

func (h History) retired(i int) retired {
	return retired(h[headerSize+i*retiredSize : headerSize+(i+1)*retiredSize])
}

// retired is the entry of one secret.
type retired []byte

func (r retired) until() int64 { return readMillis(r) }

func (r retired) digest() Digest { return Digest(r[8:]) }

func (r retired) next() Secret { return Secret(r[8+sha256.Size:]) }

func readMillis(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) & math.MaxInt64) }
