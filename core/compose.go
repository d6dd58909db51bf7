package core

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// composer makes the record to save from a base and a delta. It does no I/O.
type composer struct {
	*keyspace
	*policy
	cookieNameBytes []byte // keyspace.cookieName, as records hold it
	noDevice        bool
	maxSize         int
}

// moment is what a commit knows of its request.
type moment struct {
	now         time.Time
	device      *record.Device // where the request came from; nil if that is not to be recorded
	headersSent bool           // no cookie can be sent any more
}

// composed is a record to save, the ticket that will open it, and what is new in it.
type composed struct {
	snap       record.Snapshot
	ticket     ticket.Ticket
	login      bool // a subject signs in or steps up
	renewal    bool // the secret is replaced, by a renewal or a login
	sendCookie bool // a cookie has to be sent once the record is saved
}

// compose applies a delta to a base and sets out to the result. It leaves the base as it is. A
// base that is not stored holds nothing but the key and the ticket of the new session.
func (c *composer) compose(base *verified, d *delta, at *moment, out *composed) error {
	now, isNew := at.now.UnixMilli(), !base.snap.Stored()
	out.ticket, out.login, out.renewal, out.sendCookie = base.ticket, d.login != nil, false, false
	h := c.header(base, now)
	c.applyDuration(&h, d)
	if isNew || !at.headersSent && (d.changesDuration() || c.touchDue(&h.Times, now)) {
		h.Extended = now
		out.sendCookie = isNew || d.changesDuration() || c.persistent(&h.Times)
	}
	h.Seen = max(h.Seen, now)
	if !isNew {
		c.applySecret(&h, d.secret, now, out)
	}
	c.applyLogin(&h, d.login, at.device)
	rec := &out.snap.Record
	*rec = base.snap.Record
	if out.login {
		rec.Subject = c.subjectKey(d.login.subject)
	}
	rec.Expires = timeOf(c.expiresAt(&h.Times, h.Seen))
	var buf [16]record.Entry
	out.snap.Encode(&h, d.appendEntries(buf[:0], &base.snap))
	// A session that fits may outgrow the limit by what a renewal adds to it. That is not the
	// handler's fault, so the limit applies only if the handler has changed values.
	if size := len(rec.Data); size > c.maxSize && (isNew || len(d.keys) > 0) {
		return tooLarge("session", size, c.maxSize)
	}
	return nil
}

func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %q takes %d bytes, MaxSize is %d", ErrTooLarge, what, size, limit)
}

// header returns the header of the base, without the retired secrets whose grace period is
// over.
func (c *composer) header(base *verified, now int64) record.Header {
	if base.snap.Stored() {
		h := base.snap.Header()
		h.History = h.History.DropExpired(now)
		return h
	}
	return record.Header{
		Times:    record.Times{Created: now},
		Identity: record.Identity{CookieName: c.cookieNameBytes},
		Digest:   base.ticket.Secret.Digest(),
	}
}

// applyDuration sets the idle timeout, which is the session's own or that of today's policy,
// and the persistence of the cookie.
func (c *composer) applyDuration(h *record.Header, d *delta) {
	if d.login != nil && len(h.Subject) != 0 && d.login.subject != string(h.Subject) {
		h.OwnIdle, h.Cookie = false, record.CookiePolicy // They were another user's choice.
	}
	if d.expiry != nil {
		h.OwnIdle = *d.expiry != followPolicy
		h.Idle = max(*d.expiry, 0)
	}
	h.Idle = c.idleTimeout(&h.Times)
	if d.cookie != record.CookiePolicy {
		h.Cookie = d.cookie
	}
}

// applySecret replaces the secret of a stored session if the delta asks for it.
func (c *composer) applySecret(h *record.Header, how secretChange, now int64, out *composed) {
	old := out.ticket.Secret
	switch how {
	case secretKeep:
		return
	case secretLogin:
		out.ticket.Secret = ticket.NewSecret()
		h.History = nil
	case secretRenew:
		out.ticket.Secret = old.Rotate()
		h.History = h.History.Append(old, out.ticket.Secret, now, now+c.grace.Milliseconds())
	}
	h.Digest = out.ticket.Secret.Digest()
	out.renewal, out.sendCookie = true, true
}

// applyLogin records who has signed in and how, and where a signed-in session is used from.
func (c *composer) applyLogin(h *record.Header, l *login, device *record.Device) {
	if l == nil && device == nil && !c.noDevice {
		return
	}
	proof, d := h.Account.Proof(), h.Account.Device()
	if l != nil {
		if !l.stepUp {
			d = record.Device{}
		}
		proof = l.proofAfter(&proof)
		h.Subject, h.Authenticated = []byte(l.subject), l.at
	}
	switch {
	case len(h.Subject) == 0 || c.noDevice:
		d = record.Device{}
	case device != nil:
		d = *device
	}
	h.Account = record.NewAccount(&proof, d)
}

// deviceChanged reports whether the record is to name another device than it does.
func (c *composer) deviceChanged(snap *record.Snapshot, device *record.Device) bool {
	if device == nil && !c.noDevice {
		return false
	}
	return *cmp.Or(device, &record.Device{}) != snap.Identity().Account.Device()
}
