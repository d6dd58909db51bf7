package ticket

import (
	"encoding/binary"
	"slices"
)

// Past lists secrets that opened a session until another request replaced them, other than by a
// renewal, in the encoding of the session's record. Each line has a kind, the end of its time,
// when the subject had proved who they are, the digest of the secret, and the proof:
//
//	kind  until  authenticated  digest  length of the proof  proof
//	1     8      8              32      2                    length
//
// A Past is immutable. The newest line is the last. An empty Past has no lines.
type Past []byte

// A Kind says what a secret of the past may do.
type Kind byte

// The kinds.
const (
	// Over is a secret from before a login by another identity. It opens nothing and ends nothing.
	Over Kind = iota + 1
	// Spent is a secret that a login or step-up of the same subject has replaced. It opens
	// nothing, but it may still end the session.
	Spent
	// Former is a secret that a login or step-up of the same subject has replaced, as long as the
	// new secret has not been presented; or one that a renewal had replaced before that, or before
	// a twin became current, until its own end. It opens the session with the proof from before.
	Former
	// Twin is a secret that was issued beside another one, to two requests that signed in at the
	// same time. It opens the session.
	Twin
	// LesserTwin is a Twin whose login had a lesser proof. It opens the session with that proof.
	LesserTwin
)

// Undelivered as the end of a line's time means that the time has not begun: it begins when the
// current secret is presented for the first time.
const Undelivered = 0

// Remembered is how long a secret is remembered after its time, in milliseconds: requests that
// were sent with it may still be under way, and the clocks of servers differ.
const Remembered = 60_000

// MaxLines is how many lines a Past keeps. Beyond it the oldest is dropped.
const MaxLines = 8

// A Line is one secret of the past.
type Line struct {
	Kind          Kind
	Until         int64 // in milliseconds since the Unix epoch, or Undelivered
	Authenticated int64 // for Former and LesserTwin: when the subject had proved who they are
	Digest        Digest
	Proof         []byte // for Former and LesserTwin: how, opaque to this package
}

const lineSize = 1 + 8 + 8 + len(Digest{}) + 2

// Valid reports whether p is a well-formed encoding.
func (p Past) Valid() bool {
	lines := 0
	for len(p) > 0 {
		line, rest, ok := p.next()
		if !ok || line.Kind < Over || line.Kind > LesserTwin ||
			line.Until < 0 || line.Until > MaxMillis ||
			line.Authenticated < 0 || line.Authenticated > MaxMillis {
			return false
		}
		p = rest
		lines++
	}
	return lines <= MaxLines
}

// next returns the first line and the lines after it.
func (p Past) next() (line Line, rest Past, ok bool) {
	if len(p) < lineSize {
		return Line{}, nil, false
	}
	size := lineSize + int(binary.BigEndian.Uint16(p[lineSize-2:]))
	if size > len(p) {
		return Line{}, nil, false
	}
	return Line{
		Kind:          Kind(p[0]),
		Until:         int64(binary.BigEndian.Uint64(p[1:])),
		Authenticated: int64(binary.BigEndian.Uint64(p[9:])),
		Digest:        Digest(p[17:]),
		Proof:         p[lineSize:size:size],
	}, p[size:], true
}

// Lines returns the lines, the oldest first.
func (p Past) Lines() (lines []Line) {
	for line, rest, ok := p.next(); ok; line, rest, ok = rest.next() {
		lines = append(lines, line)
	}
	return lines
}

// Find returns the line of the secret.
func (p Past) Find(s *Secret) (Line, bool) {
	if len(p) == 0 {
		return Line{}, false
	}
	digest := s.Digest()
	for line, rest, ok := p.next(); ok; line, rest, ok = rest.next() {
		if line.Digest.Equal(&digest) {
			return line, true
		}
	}
	return Line{}, false
}

// Undelivered reports whether the time of a line has not begun.
func (p Past) Undelivered() bool {
	for line, rest, ok := p.next(); ok; line, rest, ok = rest.next() {
		if line.Until == Undelivered {
			return true
		}
	}
	return false
}

// NewPast returns the encoding of the lines. If there are more than MaxLines, the oldest are
// dropped.
func NewPast(lines []Line) Past {
	lines = lines[max(len(lines)-MaxLines, 0):]
	var p Past
	for i := range lines {
		p = lines[i].append(p)
	}
	return slices.Clip(p)
}

func (l *Line) append(p Past) Past {
	p = append(p, byte(l.Kind))
	p = binary.BigEndian.AppendUint64(p, uint64(l.Until))
	p = binary.BigEndian.AppendUint64(p, uint64(l.Authenticated))
	p = append(p, l.Digest[:]...)
	p = binary.BigEndian.AppendUint16(p, uint16(len(l.Proof)))
	return append(p, l.Proof...)
}

// Ended reports whether the time of the line is over.
func (l *Line) Ended(now int64) bool { return ended(l.Until, now) }

// Forgotten reports whether the line may be dropped.
func (l *Line) Forgotten(now int64) bool { return forgotten(l.Until, now) }

// ended reports whether a time that ends at until is over.
func ended(until, now int64) bool { return until != Undelivered && now >= until }

// forgotten reports whether a secret whose time ends at until need not be remembered any longer.
func forgotten(until, now int64) bool { return until != Undelivered && now >= until+Remembered }
