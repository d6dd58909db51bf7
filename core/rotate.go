package core

import (
	"slices"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// What becomes of the secrets of a session when one of them is replaced or presented. A new
// secret is delivered when a request presents it: until then its cookie may have been lost, so
// those from before are accepted.

// undelivered returns the end of the time of a secret that has just been replaced: unknown until
// the new one is delivered, or now if there is no grace.
func (p *policy) undelivered(now int64) int64 {
	if p.grace == 0 {
		return now
	}
	return ticket.Undelivered
}

// deliver changes a header because the request has presented the secret that the record's last
// change issued: the time of those from before begins to run, and the presented one becomes the
// current one.
func (c *composer) deliver(h *record.Header, base *verified, now int64, out *composed) {
	if !base.undelivered() {
		return
	}
	if base.standing.presented() {
		out.standing = standingHeld
	}
	presented, lines := base.ticket.Secret.Digest(), h.Past.Lines()
	i := slices.IndexFunc(lines, func(l ticket.Line) bool { return l.Digest == presented })
	if i >= 0 && (lines[i].Until != ticket.Undelivered || lines[i].Kind == ticket.LesserTwin) {
		// The current secret was presented first, and yet the browser has kept this one, or it had
		// sent this request before. The next request shows which of them it keeps.
		lines[i].Until = ticket.Undelivered
		h.Past = ticket.NewPast(lines)
		return
	}
	until := now + c.grace.Milliseconds()
	h.History, h.Past = h.History.Deliver(until), ticket.NewPast(delivered(lines, now, until))
	c.makeCurrent(h, presented, now)
}

// delivered returns the lines after the secret that replaced them was presented. If a step-up has
// replaced them, they may only end the session from now on; otherwise their time ends at until.
func delivered(lines []ticket.Line, now, until int64) []ticket.Line {
	stepUp := slices.ContainsFunc(lines, func(l ticket.Line) bool {
		return l.Kind == ticket.Former && l.Until == ticket.Undelivered
	})
	for i, line := range lines {
		switch {
		case stepUp && line.Kind == ticket.Former && !line.Ended(now):
			lines[i] = ticket.Line{Kind: ticket.Spent, Until: until, Digest: line.Digest}
		case line.Until == ticket.Undelivered:
			lines[i].Until = until
		}
	}
	return lines
}

// makeCurrent makes the secret of a twin the current one, whose twin the one before becomes. It
// does nothing if the secret is the current one.
func (c *composer) makeCurrent(h *record.Header, digest ticket.Digest, now int64) {
	if digest == h.Digest {
		return
	}
	lines := slices.DeleteFunc(h.Past.Lines(), func(l ticket.Line) bool {
		return l.Digest == digest
	})
	lines = append(append(lines, retiredLines(h)...), ticket.Line{
		Kind: ticket.Twin, Until: now + c.grace.Milliseconds(), Digest: h.Digest,
	})
	h.Digest, h.History, h.Past = digest, nil, ticket.NewPast(lines)
}

// retiredLines returns the secrets that a renewal has replaced, as lines that open the session
// with the proof in h for as long as they have opened it so far. Because they are older than the
// secrets that remain, one that is presented does not show which of those the browser keeps.
func retiredLines(h *record.Header) []ticket.Line {
	lines := h.History.Lines()
	for i := range lines {
		lines[i] = withProof(&lines[i], ticket.Former, h, lines[i].Until)
	}
	return lines
}

// replaceByLogin remembers the secrets that a login or step-up replaces. What each of them still
// opens depends on who signs in, and on the standing of the ticket that does.
func (c *composer) replaceByLogin(h *record.Header, by standing, l *login, now int64) {
	lines, until := h.Past.Lines(), now+c.grace.Milliseconds()
	replaced := append(retiredLines(h), ticket.Line{
		Kind: ticket.Twin, Until: ticket.Undelivered, Digest: h.Digest,
	})
	switch {
	case len(h.Subject) == 0 || !l.sameIdentity(&h.Identity):
		lines = over(append(lines, replaced...), until)
	case by > standingFormer:
		lines = c.former(append(lines, replaced...), h, now)
	case !proves(h, l):
		lines = lesser(append(lines, replaced...), h, now)
	default:
		// Another request has signed in or stepped up at the same time. The cookies of both open
		// the session, because only the browser knows which of them it keeps.
		lines = append(lines, replaced...)
	}
	h.Past, h.History = ticket.NewPast(lines), nil
}

// proves reports whether the proof in the record is as good as that of a login or step-up.
func proves(h *record.Header, l *login) bool {
	before := h.Account.Proof()
	after := l.proofAfter(&before)
	missing := func(m string) bool { return !slices.Contains(before.Methods, m) }
	return before.Level() >= after.Level() && !slices.ContainsFunc(after.Methods, missing)
}

// over returns the lines as ones that open nothing, because another identity has signed in.
func over(lines []ticket.Line, until int64) []ticket.Line {
	for i, line := range lines {
		if line.Kind >= ticket.Former {
			line.Until = until
		}
		lines[i] = ticket.Line{Kind: ticket.Over, Until: line.Until, Digest: line.Digest}
	}
	return lines
}

// former turns the secrets that open the session into those from before a step-up: until the new
// one is delivered, they open it with the proof that there was.
func (c *composer) former(lines []ticket.Line, h *record.Header, now int64) []ticket.Line {
	for i, line := range lines {
		switch {
		case line.Kind < ticket.Former || line.Ended(now):
		case c.grace == 0:
			lines[i] = ticket.Line{Kind: ticket.Spent, Until: now, Digest: line.Digest}
		case line.Kind == ticket.Twin:
			lines[i] = withProof(&line, ticket.Former, h, ticket.Undelivered)
		case line.Kind == ticket.LesserTwin:
			lines[i].Kind, lines[i].Until = ticket.Former, ticket.Undelivered
		}
	}
	return lines
}

// lesser returns the lines for secrets that were issued at the same time as that of a login with
// a better proof. They open the session with the proof that they were issued for.
func lesser(lines []ticket.Line, h *record.Header, now int64) []ticket.Line {
	for i, line := range lines {
		if line.Kind == ticket.Twin && !line.Ended(now) {
			lines[i] = withProof(&line, ticket.LesserTwin, h, ticket.Undelivered)
		}
	}
	return lines
}

// withProof returns the line as one of the kind that opens the session with the proof in h until
// the given end.
func withProof(
	line *ticket.Line, kind ticket.Kind, h *record.Header, until int64,
) ticket.Line {
	proof := h.Account.Proof()
	return ticket.Line{
		Kind: kind, Until: until, Digest: line.Digest,
		Authenticated: h.Authenticated, Proof: record.NewAccount(&proof, record.Device{}),
	}
}

// remembered returns the lines that are not forgotten yet.
func remembered(p ticket.Past, now int64) ticket.Past {
	if len(p) == 0 {
		return nil
	}
	lines := p.Lines()
	kept := lines[:0]
	for _, line := range lines {
		if !line.Forgotten(now) {
			kept = append(kept, line)
		}
	}
	return ticket.NewPast(kept)
}

// formerProof returns when and how the subject had proved who they are when a ticket of the
// standing standingFormer was current. The time is in milliseconds.
func (v *verified) formerProof() (at int64, proof record.Proof) {
	line, _ := v.snap.Identity().Past.Find(&v.ticket.Secret)
	return line.Authenticated, record.Account(line.Proof).Proof()
}
