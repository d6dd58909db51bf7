package core

import (
	"cmp"
	"fmt"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// compose applies a delta to a base and sets out to the result. It leaves the base as it is. A
// base that is not stored holds nothing but the key and the ticket of the new session.
func (c *composer) compose(base *verified, d *delta, at *moment, out *composed) error {
	now, isNew := at.now.UnixMilli(), !base.snap.Stored()
	*out = composed{ticket: base.ticket, standing: base.standing, login: d.login != nil}
	var h record.Header
	c.setHeader(&h, base, now)
	c.applyDuration(&h, d)
	c.applyUse(&h, base, d, at, out)
	if isNew {
		out.standing = standingHeld
	} else {
		c.deliver(&h, base, now, out)
		c.applySecret(&h, base.standing, d, now, out)
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
		return tooLarge("the session", size, c.maxSize)
	}
	return nil
}

func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %s takes %d bytes, and Options.MaxSize is %d: keep less in the "+
		"session, or raise MaxSize", ErrTooLarge, what, size, limit)
}

// applyUse records the use of the session, and decides whether its cookie has to be sent again.
func (c *composer) applyUse(
	h *record.Header, base *verified, d *delta, at *moment, out *composed,
) {
	now, isNew := at.now.UnixMilli(), !base.snap.Stored()
	extend := d.changesDuration() || !at.passive && c.touchDue(&h.Times, now)
	if isNew || !at.headersSent && extend {
		h.Extended = now
		out.sendCookie = isNew || base.standing != standingFormer &&
			(d.changesDuration() || c.persistent(&h.Times))
	}
	if isNew || !at.passive {
		h.Seen = max(h.Seen, now)
	}
}

// setHeader sets h, which is zero, to the header of the base, without the secrets that need not be
// remembered any longer.
func (c *composer) setHeader(h *record.Header, base *verified, now int64) {
	if !base.snap.Stored() {
		h.Created, h.CookieName, h.Digest = now, c.cookieNameBytes, base.ticket.Secret.Digest()
		return
	}
	base.snap.ReadHeader(h)
	h.History = h.History.DropExpired(now)
	h.Past = remembered(h.Past, now)
}

// applyDuration sets the idle timeout, which is the session's own or that of today's policy,
// and the persistence of the cookie.
func (c *composer) applyDuration(h *record.Header, d *delta) {
	if d.login != nil && !d.login.sameIdentity(&h.Identity) {
		// They were chosen by another user, or by a visitor who may be another person.
		h.OwnIdle, h.Cookie = false, record.CookiePolicy
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
func (c *composer) applySecret(
	h *record.Header, by standing, d *delta, now int64, out *composed,
) {
	old := out.ticket.Secret
	switch d.secret {
	case secretKeep:
		return
	case secretLogin:
		out.ticket.Secret = ticket.NewSecret()
		c.replaceByLogin(h, by, d.login, now)
	case secretRenew:
		c.makeCurrent(h, old.Digest(), now)
		out.ticket.Secret = old.Rotate()
		h.History = h.History.Append(old, out.ticket.Secret, now, c.undelivered(now))
	}
	h.Digest = out.ticket.Secret.Digest()
	out.renewal, out.sendCookie, out.standing = true, true, standingHeld
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
		h.Extensions = l.extensionsAfter(h.Extensions)
		if h.Subject = []byte(l.subject); !l.stepUp || l.at > h.Authenticated {
			h.Authenticated = l.at
		}
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
