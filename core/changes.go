package core

import (
	"bytes"
	"slices"
)

// delta is what a request wants to change: nothing else of it is ever written, so that requests merge. Nil is nothing.
type delta struct {
	cleared bool // all keys went before the changes below
	secret  secretChange
	span    cookieSpan // spanPolicy: as it was
	keys    []change
	login   *login    // with secretLogin
	expiry  *int64    // a new idle timeout in milliseconds, 0 permanent, -1 back to the policy
	inline  [1]change // room for the usual single one
}

// login is one proof of who the subject is.
type login struct {
	subject string
	auth    Auth
	at      int64 // when, in milliseconds
	stepUp  bool  // by somebody signed in already: it adds to what was proved before
}

// then returns the login that has the effect of l, which may be nil, followed by next.
func (l *login) then(next *login) *login {
	if l == nil || !next.stepUp {
		return next
	}
	return &login{subject: next.subject, auth: l.auth.with(next.auth), at: next.at, stepUp: l.stepUp}
}

// secretChange says what happens to the secret at the next save.
type secretChange uint8

const (
	secretKeep  secretChange = iota
	secretRenew              // a new secret; the old one stays good for the grace
	secretLogin              // a new secret and a proof of the subject; the old one is dead at once
)

// change is what a request did to one key: it set or deleted it whatever was there, or it updated what was there.
type change struct {
	key     []byte // never changed
	value   []byte
	present bool   // false: deleted
	update  update // if there is one, value is its result over the base, and is worked out again over another base
}

// update works out a new encoded value from the stored one; present is false where there is none.
type update func(old []byte, present bool) (value []byte, err error)

// then returns the update that does u and then next.
func (u update) then(next update) update {
	return func(old []byte, present bool) ([]byte, error) {
		value, err := u(old, present)
		if err != nil {
			return nil, err
		}
		return next(value, true)
	}
}

// empty reports whether there is nothing to save.
func (d *delta) empty() bool {
	return d == nil || !d.cleared && len(d.keys) == 0 && d.secret == secretKeep && !d.policy()
}

// policy reports whether the delta changes how long the session or its cookie lives, for which a cookie has to be sent.
func (d *delta) policy() bool { return d != nil && (d.expiry != nil || d.span != spanPolicy) }

// creates reports whether the delta is reason enough to start a session where there is none.
func (d *delta) creates() bool {
	return d != nil && (d.secret == secretLogin || slices.ContainsFunc(d.keys, func(c change) bool { return c.present }))
}

// wipes reports whether the base has no say.
func (d *delta) wipes() bool { return d != nil && d.cleared }

// proof returns the login, nil for none.
func (d *delta) proof() *login {
	if d == nil {
		return nil
	}
	return d.login
}

// find returns the change to key, nil where there is none.
func (d *delta) find(key string) *change {
	if d == nil {
		return nil
	}
	for i := range d.keys {
		if string(d.keys[i].key) == key {
			return &d.keys[i]
		}
	}
	return nil
}

// put records c in place of what was recorded for its key.
func (d *delta) put(c change) {
	if old := d.findBytes(c.key); old != nil {
		*old = c
		return
	}
	if d.keys == nil {
		d.keys = d.inline[:0]
	}
	d.keys = append(d.keys, c)
}

// amend records an update with its result. After a change that did not depend on the base neither does the result.
func (d *delta) amend(key []byte, fn update, value []byte) {
	old := d.findBytes(key)
	switch {
	case old == nil && d.cleared, old != nil && old.update == nil:
		d.put(change{key: key, value: value, present: true})
	case old == nil:
		d.put(change{key: key, value: value, present: true, update: fn})
	default:
		old.value, old.present = value, true
		old.update = old.update.then(fn)
	}
}

// clear records that all keys go.
func (d *delta) clear() {
	d.cleared, d.keys = true, nil
}

// follow makes d the delta that has the effect of d followed by next.
func (d *delta) follow(next *delta) {
	if next == nil {
		return
	}
	if next.cleared {
		d.clear()
	}
	for _, c := range next.keys {
		old := d.findBytes(c.key)
		switch {
		case old == nil && d.cleared:
			c.update = nil
			d.put(c)
		case old == nil || c.update == nil:
			d.put(c)
		case old.update == nil:
			old.value, old.present = c.value, c.present
		default:
			old.value, old.present = c.value, c.present
			old.update = old.update.then(c.update)
		}
	}
	if next.secret > d.secret {
		d.secret = next.secret
	}
	if next.login != nil {
		d.login = d.login.then(next.login)
	}
	if next.expiry != nil {
		d.expiry = next.expiry
	}
	if next.span != spanPolicy {
		d.span = next.span
	}
}

// rebased returns the delta with its updates worked out again over another base. The delta itself, which others may be
// reading, stays as it is.
func (d *delta) rebased(base *snapshot) (*delta, error) {
	out := *d
	out.keys = slices.Clone(d.keys)
	for i := range out.keys {
		c := &out.keys[i]
		if c.update == nil {
			continue
		}
		_, old, present := base.find(string(c.key))
		value, err := c.update(old, present)
		if err != nil {
			return nil, err
		}
		c.value, c.present = value, true
	}
	return &out, nil
}

// entries returns the base's entries with the changes applied: kept keys in their order, new ones behind them.
func (d *delta) entries(dst []entry, base *snapshot) []entry {
	if !d.cleared {
		base.each(func(key, value []byte) {
			switch c := d.findBytes(key); {
			case c == nil:
				dst = append(dst, entry{key, value})
			case c.present:
				dst = append(dst, entry{key, c.value})
			}
		})
	}
	for i := range d.keys {
		c := &d.keys[i]
		if !c.present {
			continue
		}
		if _, _, kept := base.find(string(c.key)); d.cleared || !kept {
			dst = append(dst, entry{c.key, c.value})
		}
	}
	return dst
}

// keep appends the keys that d sets and over does not change.
func (d *delta) keep(keys []string, over *delta) []string {
	if d == nil {
		return keys
	}
	for i := range d.keys {
		if c := &d.keys[i]; c.present && over.findBytes(c.key) == nil {
			keys = append(keys, string(c.key))
		}
	}
	return keys
}

// findBytes is find without making a string of a key, which may be long.
func (d *delta) findBytes(key []byte) *change {
	if d == nil {
		return nil
	}
	for i := range d.keys {
		if bytes.Equal(d.keys[i].key, key) {
			return &d.keys[i]
		}
	}
	return nil
}
