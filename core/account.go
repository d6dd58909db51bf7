package core

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
)

// Auth says how a subject has proved who they are, for [Session.LoginWith] and [Session.StepUp].
type Auth struct {
	// Methods names the ways, in the words of RFC 8176 where it has one: "pwd", "otp", "hwk". At most 16 of at most 32
	// bytes each.
	Methods []string
	// Level is the assurance that the application gives them, as in the levels 1 to 3 of NIST SP 800-63B. Zero: none was
	// stated. At most 255.
	Level int
}

const (
	maxMethods = 16
	maxMethod  = 32
	maxLevel   = 255
	maxIP      = 64  // an IPv6 address with a zone
	maxAgent   = 256 // what is recognised of a user agent stands at its start
)

// valid reports whether the authentication can be recorded.
func (a *Auth) valid() bool {
	if len(a.Methods) > maxMethods || a.Level < 0 || a.Level > maxLevel {
		return false
	}
	return !slices.ContainsFunc(a.Methods, func(m string) bool { return m == "" || len(m) > maxMethod })
}

// clone returns a copy whose strings are not the caller's, which may be the framework's.
func (a *Auth) clone() Auth {
	out := Auth{Level: a.Level}
	for _, m := range a.Methods {
		out.Methods = append(out.Methods, strings.Clone(m))
	}
	return out
}

// with returns what has been proved by a and then by next.
func (a *Auth) with(next Auth) Auth {
	out := Auth{Methods: slices.Clone(a.Methods), Level: max(a.Level, next.Level)}
	for _, m := range next.Methods {
		if !slices.Contains(out.Methods, m) {
			out.Methods = append(out.Methods, m)
		}
	}
	// Beyond the bound the latest proof counts most.
	extra := len(out.Methods) - maxMethods
	out.Methods = slices.DeleteFunc(out.Methods, func(m string) bool {
		drop := extra > 0 && !slices.Contains(next.Methods, m)
		if drop {
			extra--
		}
		return drop
	})
	return out
}

// device is where a request came from.
type device struct{ ip, agent string }

// newDevice copies and bounds what the framework says of a request's sender.
func newDevice(ip, agent string) *device {
	return &device{ip: clip(ip, maxIP), agent: clip(agent, maxAgent)}
}

// clip returns a copy of s as valid UTF-8 of at most limit bytes.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit+utf8.UTFMax)], "")
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.Clone(s)
}

// account is what the record of a signed-in session keeps of how and from where its subject signed in, as the bytes that
// stand in the record: level, IP address, user agent, then the methods to the end. Empty: nothing is known.
type account []byte

func (a account) valid() bool {
	r := reader{data: a}
	level := r.uvarint()
	r.bytes()
	for r.bytes(); !r.failed && r.at < len(a); {
		r.bytes()
	}
	return !r.failed && level <= maxLevel
}

func (a account) auth() (out Auth) {
	if len(a) == 0 {
		return Auth{}
	}
	r := reader{data: a}
	out.Level = int(r.uvarint())
	r.bytes()
	for r.bytes(); !r.failed && r.at < len(a); {
		out.Methods = append(out.Methods, string(r.bytes()))
	}
	return out
}

func (a account) device() (d device) {
	if len(a) == 0 {
		return device{}
	}
	r := reader{data: a}
	r.uvarint()
	d.ip = string(r.bytes())
	d.agent = string(r.bytes())
	return d
}

// newAccount returns the bytes of an account, none where there is nothing to say.
func newAccount(auth *Auth, d device) account {
	if auth.Level == 0 && len(auth.Methods) == 0 && d == (device{}) {
		return nil
	}
	a := make(account, 0, 8+len(d.ip)+len(d.agent)+8*len(auth.Methods))
	a = binary.AppendUvarint(a, uint64(auth.Level))
	a = appendBytes(appendBytes(a, []byte(d.ip)), []byte(d.agent))
	for _, m := range auth.Methods {
		a = appendBytes(a, []byte(m))
	}
	return a
}
