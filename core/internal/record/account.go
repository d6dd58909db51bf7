package record

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Limits of what an account holds.
const (
	MaxMethods   = 16
	MaxMethodLen = 32
	MaxLevel     = 255
	MaxLevels    = 8 // for which a time is kept
)

// A Proof says how a subject has proved who they are.
type Proof struct {
	Methods []string
	Levels  []LevelTime // see newLevels
}

// A LevelTime says when a level was last proved, in milliseconds since the Unix epoch.
type LevelTime struct {
	Level int
	At    int64
}

// Level returns the highest level that was proved, or 0 if none was stated.
func (p Proof) Level() int {
	if len(p.Levels) == 0 {
		return 0
	}
	return p.Levels[0].Level
}

// LevelAt returns when the level, or a higher one, was last proved.
func (p Proof) LevelAt(level int) (at int64, ok bool) {
	for _, l := range p.Levels {
		if l.Level >= level {
			at, ok = l.At, true // Lower levels are later.
		}
	}
	return at, ok
}

// newLevels returns the times of levels, the highest level first. It drops those that a higher
// level proves as late, and the lowest if there are more than MaxLevels.
func newLevels(all []LevelTime) (levels []LevelTime) {
	slices.SortFunc(all, func(a, b LevelTime) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.At, a.At))
	})
	for _, l := range all {
		if n := len(levels); n == 0 || l.At > levels[n-1].At && n < MaxLevels {
			levels = append(levels, l)
		}
	}
	return levels
}

// Add returns the proof of a subject who has proved who they are by p and then by next. If the
// methods are more than MaxMethods, the earliest of p are dropped.
func (p Proof) Add(next *Proof) Proof {
	out := Proof{
		Methods: slices.Clone(p.Methods),
		Levels:  newLevels(slices.Concat(p.Levels, next.Levels)),
	}
	for _, m := range next.Methods {
		if !slices.Contains(out.Methods, m) {
			out.Methods = append(out.Methods, m)
		}
	}
	extra := len(out.Methods) - MaxMethods
	out.Methods = slices.DeleteFunc(out.Methods, func(m string) bool {
		drop := extra > 0 && !slices.Contains(next.Methods, m)
		if drop {
			extra--
		}
		return drop
	})
	return out
}

// A Device says where a request came from.
type Device struct{ IP, UserAgent string }

// An Account says how the subject of a session signed in and where it was last used from, in
// the encoding of the session's record: the number of levels and each with its time, IP address
// and user agent, then methods to the end. It is empty if nothing is known.
type Account []byte

// NewAccount returns the account for a proof and a device, or nil if both are zero.
func NewAccount(p *Proof, d Device) Account {
	if len(p.Levels) == 0 && len(p.Methods) == 0 && d == (Device{}) {
		return nil
	}
	size := 8 + 8*len(p.Levels) + len(d.IP) + len(d.UserAgent) + 8*len(p.Methods)
	a := binary.AppendUvarint(make(Account, 0, size), uint64(len(p.Levels)))
	for _, l := range p.Levels {
		a = binary.AppendUvarint(binary.AppendUvarint(a, uint64(l.Level)), uint64(l.At))
	}
	a = appendBytes(appendBytes(a, []byte(d.IP)), []byte(d.UserAgent))
	for _, m := range p.Methods {
		a = appendBytes(a, []byte(m))
	}
	return a
}

func (a Account) valid() bool {
	r := reader{data: a}
	ok := validLevels(&r)
	r.bytes()
	for r.bytes(); !r.failed && r.at < len(a); {
		r.bytes()
	}
	return !r.failed && ok
}

// validLevels reports whether newLevels may have returned the levels that it reads.
func validLevels(r *reader) bool {
	n := r.uvarint()
	last := LevelTime{Level: MaxLevel + 1, At: -1}
	for i := uint64(0); i < n && n <= MaxLevels; i++ {
		l := readLevel(r)
		if l.Level <= 0 || l.Level >= last.Level || l.At <= last.At {
			return false
		}
		last = l
	}
	return n <= MaxLevels
}

func readLevel(r *reader) LevelTime {
	return LevelTime{Level: int(min(r.uvarint(), MaxLevel+1)), At: r.millis()}
}

func readLevels(r *reader) (levels []LevelTime) {
	for range min(r.uvarint(), MaxLevels) {
		levels = append(levels, readLevel(r))
	}
	return levels
}

// Proof returns how the subject signed in.
func (a Account) Proof() (p Proof) {
	if len(a) == 0 {
		return Proof{}
	}
	r := reader{data: a}
	p.Levels = readLevels(&r)
	r.bytes()
	for r.bytes(); !r.failed && r.at < len(a); {
		p.Methods = append(p.Methods, string(r.bytes()))
	}
	return p
}

// Device returns where the session was last used from.
func (a Account) Device() (d Device) {
	if len(a) == 0 {
		return Device{}
	}
	r := reader{data: a}
	readLevels(&r)
	d.IP = string(r.bytes())
	d.UserAgent = string(r.bytes())
	return d
}
