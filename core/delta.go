package core

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// delta is what a request wants to change. A commit writes only its delta, so concurrent
// changes can be merged. A nil delta changes nothing.
type delta struct {
	cleared bool // all keys are removed before the changes in keys
	secret  secretChange
	cookie  record.CookiePersistence // CookiePolicy if it does not change
	keys    []change
	login   *login    // set if secret is secretLogin
	expiry  *int64    // the new idle timeout in milliseconds, 0 for permanent, followPolicy
	inline  [1]change // memory for keys, because most requests change one
}

// followPolicy as the expiry of a delta removes the session's own idle timeout.
const followPolicy = -1

// login is a login or a step-up: a proof of who the subject is.
type login struct {
	subject string
	proof   record.Proof
	at      int64  // in milliseconds since the Unix epoch
	stepUp  bool   // the subject was signed in already, so proof is added to the one before
	stated  bool   // the application has said when the proof began
	began   int64  // when that was, or else when the handler called Login
	start   []byte // the revocation that there was then; nil if that is not known

	providerSession string       // "" if none is stated
	actor           record.Actor // who acts for the subject; zero if the subject acts
}

// sameIdentity reports whether the login is one of whom the session belongs to.
func (l *login) sameIdentity(id *record.Identity) bool {
	return l.subject == string(id.Subject) && l.actor == id.Extensions.Actor()
}

// owns is sameIdentity for the session in a snapshot.
func (l *login) owns(snap *record.Snapshot) bool {
	id := snap.Identity()
	return l.sameIdentity(&id)
}

// extensionsAfter returns the extensions after l, given those before it.
func (l *login) extensionsAfter(before record.Extensions) record.Extensions {
	if l.stepUp && l.providerSession == "" {
		return before
	}
	return before.WithProviderSession(l.providerSession).WithActor(l.actor)
}

// then returns the login with the effect of l, which may be nil, followed by next.
func (l *login) then(next *login) *login {
	if l == nil || !next.stepUp {
		return next
	}
	out := *l // It began when the first proof did.
	out.subject, out.proof = next.subject, l.proof.Add(&next.proof)
	out.at = max(l.at, next.at)
	out.providerSession = cmp.Or(next.providerSession, l.providerSession)
	return &out
}

// proofAfter returns the proof after l, given the proof before it.
func (l *login) proofAfter(before *record.Proof) record.Proof {
	if l.stepUp {
		return before.Add(&l.proof)
	}
	return l.proof
}

// secretChange says what the next save does to the secret.
type secretChange uint8

const (
	secretKeep  secretChange = iota
	secretRenew              // it is replaced; the old one is accepted for the grace period
	secretLogin              // it is replaced; the old one is no longer accepted
)

// change is what a request does to one key: it sets or deletes the key, or it updates the
// value. An update runs again if the base changes.
type change struct {
	key    []byte // immutable
	value  []byte // nil if the key is deleted; see notNil
	update update // if not nil, value is its result for the base
	take   *take  // if not nil, the key is deleted only if it has this value
}

// sets reports whether the change sets the key.
func (c *change) sets() bool { return c.value != nil }

// notNil returns an encoded value as a change has it. It need not have any bytes.
func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// take is a value that only one of several requests may remove.
type take struct {
	value []byte
	lost  bool // another request has removed or changed it first
}

// update computes a new encoded value from the stored one. If present is false, there is none.
type update func(old []byte, present bool) (value []byte, err error)

// then returns the update with the effect of u followed by next.
func (u update) then(next update) update {
	return func(old []byte, present bool) ([]byte, error) {
		value, err := u(old, present)
		if err != nil {
			return nil, err
		}
		return next(value, true)
	}
}

// empty reports whether the delta changes nothing.
func (d *delta) empty() bool {
	return d == nil ||
		!d.cleared && len(d.keys) == 0 && d.secret == secretKeep && !d.changesDuration()
}

// changesDuration reports whether the delta changes how long the session or its cookie lasts,
// so that a cookie has to be sent.
func (d *delta) changesDuration() bool {
	return d != nil && (d.expiry != nil || d.cookie != record.CookiePolicy)
}

// needsCookie reports whether the delta can be saved only together with a cookie.
func (d *delta) needsCookie() bool { return d.secret != secretKeep || d.changesDuration() }

// startsSession reports whether the delta starts a session where there is none.
func (d *delta) startsSession() bool {
	if d == nil {
		return false
	}
	setsKey := func(c change) bool { return c.sets() }
	return d.secret == secretLogin || slices.ContainsFunc(d.keys, setsKey)
}

// clearsAll reports whether the delta replaces all values of the base.
func (d *delta) clearsAll() bool { return d != nil && d.cleared }

// getLogin returns the login of the delta, or nil if there is none.
func (d *delta) getLogin() *login {
	if d == nil {
		return nil
	}
	return d.login
}

// find returns the change to key, or nil if there is none.
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

// findBytes is find for a key that is not a string, without a conversion.
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

// put records c. It replaces an earlier change to the same key.
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

// putUpdate records an update and its result. If the value before it does not depend on the
// base, neither does the result.
func (d *delta) putUpdate(key []byte, fn update, value []byte) {
	old := d.findBytes(key)
	switch {
	case old == nil && d.cleared, old != nil && old.update == nil:
		d.put(change{key: key, value: notNil(value)})
	case old == nil:
		d.put(change{key: key, value: notNil(value), update: fn})
	default:
		old.value = notNil(value)
		old.update = old.update.then(fn)
	}
}

// clear records that all keys are removed.
func (d *delta) clear() { d.cleared, d.keys = true, nil }

// add changes d to the delta with the effect of d followed by next.
func (d *delta) add(next *delta) {
	if next == nil {
		return
	}
	if next.cleared {
		d.clear()
	}
	for _, c := range next.keys {
		d.addChange(c)
	}
	d.secret = max(d.secret, next.secret)
	if next.login != nil {
		d.login = d.login.then(next.login)
	}
	if next.expiry != nil {
		d.expiry = next.expiry
	}
	if next.cookie != record.CookiePolicy {
		d.cookie = next.cookie
	}
}

func (d *delta) addChange(c change) {
	old := d.findBytes(c.key)
	switch {
	case old == nil && d.cleared:
		c.update = nil
		d.put(c)
	case old == nil || c.update == nil:
		d.put(c)
	default:
		old.value = c.value
		if old.update != nil {
			old.update = old.update.then(c.update)
		}
	}
}

// clone returns a copy that later changes to d do not change.
func (d *delta) clone() *delta {
	out := *d
	out.keys = slices.Clone(d.keys)
	return &out
}

// without returns the changes of d that were not made when it was cloned.
func (d *delta) without(before *delta) *delta {
	if d == nil {
		return nil
	}
	out := d.clone()
	out.keys = slices.DeleteFunc(out.keys, func(c change) bool {
		old := before.findBytes(c.key)
		return old != nil && bytes.Equal(old.value, c.value) &&
			(old.value == nil) == (c.value == nil)
	})
	out.cleared = d.cleared && !before.cleared
	if d.login == before.login {
		out.login = nil
	}
	if d.secret == before.secret && out.login == nil {
		out.secret = secretKeep
	}
	if d.expiry == before.expiry {
		out.expiry = nil
	}
	if d.cookie == before.cookie {
		out.cookie = record.CookiePolicy
	}
	return out
}

// reapply returns the delta with its updates run again on another base. It leaves d, which
// others may be reading, as it is.
func (d *delta) reapply(base *record.Snapshot) (*delta, error) {
	out := *d
	out.keys = slices.DeleteFunc(slices.Clone(d.keys), func(c change) bool {
		return c.take != nil && !c.take.isIn(base, string(c.key))
	})
	for i := range out.keys {
		c := &out.keys[i]
		if c.update == nil {
			continue
		}
		_, old, present := base.Find(string(c.key))
		value, err := c.update(old, present)
		if err != nil {
			return nil, err
		}
		c.value = notNil(value)
	}
	return &out, nil
}

// onto returns the delta for a session that starts with the values of the base, which another
// session keeps. What is to be taken stays there. It leaves d as it is.
func (d *delta) onto(base *record.Snapshot) (*delta, error) {
	out, err := d.reapply(base)
	if err != nil {
		return nil, err
	}
	for i := range out.keys {
		if t := out.keys[i].take; t != nil {
			t.lost = true
		}
	}
	entries := out.appendEntries(nil, base)
	out.keys = make([]change, len(entries))
	for i, e := range entries {
		out.keys[i] = change{key: e.Key, value: notNil(e.Value)}
	}
	out.cleared = false
	return out, nil
}

// hasUpdates reports whether the delta has changes that must not be made twice.
func (d *delta) hasUpdates() bool {
	return d != nil && slices.ContainsFunc(d.keys, func(c change) bool {
		return c.update != nil || c.take != nil
	})
}

// isIn reports whether the base still has the value, and notes if it has not.
func (t *take) isIn(base *record.Snapshot, key string) bool {
	_, value, ok := base.Find(key)
	t.lost = t.lost || !ok || !bytes.Equal(value, t.value)
	return !t.lost
}

// appendEntries appends the entries of the base with the changes applied. Existing keys keep
// their order; new ones follow.
func (d *delta) appendEntries(dst []record.Entry, base *record.Snapshot) []record.Entry {
	if !d.cleared {
		base.Each(func(key, value []byte) {
			switch c := d.findBytes(key); {
			case c == nil:
				dst = append(dst, record.Entry{Key: key, Value: value})
			case c.sets():
				dst = append(dst, record.Entry{Key: key, Value: c.value})
			}
		})
	}
	for i := range d.keys {
		c := &d.keys[i]
		if !c.sets() {
			continue
		}
		if _, _, exists := base.Find(string(c.key)); d.cleared || !exists {
			dst = append(dst, record.Entry{Key: c.key, Value: c.value})
		}
	}
	return dst
}

// appendKeys appends the keys that d sets and that later does not change.
func (d *delta) appendKeys(keys []string, later *delta) []string {
	if d == nil {
		return keys
	}
	for i := range d.keys {
		if c := &d.keys[i]; c.sets() && later.findBytes(c.key) == nil {
			keys = append(keys, string(c.key))
		}
	}
	return keys
}
