package core

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"
)

// lineage is what the record of a renewed session keeps of its secrets, as the bytes that stand in the record; empty before
// the first renewal and again after a login.
//
//	family   16 bytes: digest of the half that the secrets of one line share
//	renewed   8 bytes: when the secret was changed last, in milliseconds
//	then for each former secret in its grace, the oldest first:
//	until     8 bytes: from when it is no longer accepted
//	digest   32 bytes: its SHA-256
//	seal     32 bytes: the secret that came after it, readable with this one
//
// The secrets of a line begin with the same 16 random bytes and end with 16 of their own. So one that was valid once is
// told from one that never was for as long as the session lives, without a list that grows with each renewal.
type lineage []byte

const (
	sharedSize = len(secret{}) / 2
	familySize = 16
	lineSize   = familySize + 8
	formerSize = 8 + sha256.Size + len(secret{})

	// maxFormer bounds how many secrets are in their grace at a time. Beyond it the oldest goes.
	maxFormer = 4
)

// valid reports whether l can have been written by extend.
func (l lineage) valid() bool {
	if len(l) < lineSize || (len(l)-lineSize)%formerSize != 0 || len(l) > lineSize+maxFormer*formerSize {
		return false
	}
	ok := l.renewed() <= maxMillis
	for i := range l.count() {
		ok = ok && l.former(i).until() <= maxMillis
	}
	return ok
}

// renewed returns when the secret was changed last; 0: never.
func (l lineage) renewed() int64 {
	if len(l) == 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(l[familySize:]) & (1<<63 - 1))
}

// count returns how many former secrets there are.
func (l lineage) count() int { return max(len(l)-lineSize, 0) / formerSize }

func (l lineage) former(i int) former {
	return former(l[lineSize+i*formerSize : lineSize+(i+1)*formerSize])
}

// former is one secret of a lineage whose grace may last.
type former []byte

func (f former) until() int64 { return int64(binary.BigEndian.Uint64(f) & (1<<63 - 1)) }

func (f former) digest() (d digest) {
	copy(d[:], f[8:])
	return d
}

func (f former) seal() (s secret) {
	copy(s[:], f[8+sha256.Size:])
	return s
}

// bore reports whether s was a secret of this line, or was made up by somebody who has seen one.
func (l lineage) bore(s *secret) bool {
	family := family(s)
	return len(l) != 0 && subtle.ConstantTimeCompare(l[:familySize], family[:]) == 1
}

func family(s *secret) [familySize]byte {
	sum := sha256.Sum256(s[:sharedSize])
	return [familySize]byte(sum[:familySize])
}

// follow returns the secret that took the place of s, whose digest is current, if s is in its grace.
func (l lineage) follow(s secret, current digest, now int64) (secret, bool) {
	for i := range l.count() {
		d := l.former(i).digest()
		if !d.matches(&s) {
			continue
		}
		if now >= l.former(i).until() {
			return secret{}, false
		}
		for ; i < l.count(); i++ {
			next := current
			if i+1 < l.count() {
				next = l.former(i + 1).digest()
			}
			s = seal(s, l.former(i).seal(), next)
		}
		ok := current.matches(&s)
		return s, ok
	}
	return secret{}, false
}

// pruned returns l without the secrets whose grace is over.
func (l lineage) pruned(now int64) lineage {
	gone := 0
	for gone < l.count() && now >= l.former(gone).until() {
		gone++
	}
	return l.without(gone)
}

// without returns l without its n oldest secrets, in bytes of its own.
func (l lineage) without(n int) lineage {
	if n == 0 {
		return l
	}
	return append(append(lineage{}, l[:lineSize]...), l[lineSize+n*formerSize:]...)
}

// extend returns the lineage after next has taken the place of old at now, where old is accepted until then.
func (l lineage) extend(old, next secret, now, until int64) lineage {
	l = l.pruned(now)
	if l.count() >= maxFormer {
		l = l.without(l.count() - maxFormer + 1)
	}
	out := make(lineage, 0, len(l)+lineSize+formerSize)
	shared := family(&old)
	out = binary.BigEndian.AppendUint64(append(out, shared[:]...), uint64(now))
	if len(l) > 0 {
		out = append(out, l[lineSize:]...)
	}
	if until <= now {
		return out
	}
	oldDigest, nextDigest := old.digest(), next.digest()
	sealed := seal(old, next, nextDigest)
	out = binary.BigEndian.AppendUint64(out, uint64(until))
	return append(append(out, oldDigest[:]...), sealed[:]...)
}

// successor draws the secret that takes the place of s in its line.
func (s *secret) successor(random io.Reader) (next secret, err error) {
	next, err = newSecret(random)
	copy(next[:sharedSize], s[:])
	return next, err
}
