package record

import (
	"encoding/binary"
	"slices"
)

// Limits of what an account holds.
const (
	MaxMethods   = 16
	MaxMethodLen = 32
	MaxLevel     = 255
)

// A Proof says how a subject has proved who they are.
type Proof struct {
	Methods []string
	Level   int
}

// Add returns the proof of a subject who has proved who they are by p and then by next. If the
// methods are more than MaxMethods, the earliest of p are dropped.
func (p *Proof) Add(next *Proof) Proof {
	out := Proof{Methods: slices.Clone(p.Methods), Level: max(p.Level, next.Level)}
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
// the encoding of the session's record: level, IP address and user agent, then methods to the
// end. It is empty if nothing is known.
type Account []byte

// NewAccount returns the account for a proof and a device, or nil if both are zero.
func NewAccount(p *Proof, d Device) Account {
	if p.Level == 0 && len(p.Methods) == 0 && d == (Device{}) {
		return nil
	}
	a := make(Account, 0, 8+len(d.IP)+len(d.UserAgent)+8*len(p.Methods))
	a = binary.AppendUvarint(a, uint64(p.Level))
	a = appendBytes(appendBytes(a, []byte(d.IP)), []byte(d.UserAgent))
	for _, m := range p.Methods {
		a = appendBytes(a, []byte(m))
	}
	return a
}

func (a Account) valid() bool {
	r := reader{data: a}
	level := r.uvarint()
	r.bytes()
	for r.bytes(); !r.failed && r.at < len(a); {
		r.bytes()
	}
	return !r.failed && level <= MaxLevel
}

// Proof returns how the subject signed in.
func (a Account) Proof() (p Proof) {
	if len(a) == 0 {
		return Proof{}
	}
	r := reader{data: a}
	p.Level = int(r.uvarint())
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
	r.uvarint()
	d.IP = string(r.bytes())
	d.UserAgent = string(r.bytes())
	return d
}
