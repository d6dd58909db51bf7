package explore

import (
	"fmt"
	"slices"
)

func logoutEnds(w *world) string {
	for _, r := range w.requests {
		if !r.action.logsOut || !r.ok() || r.presented == nil {
			continue
		}
		info, stored := w.stored[r.presented.id]
		if stored && info.Subject == r.presented.subject {
			return fmt.Sprintf("%s was answered with %d, and the session (%s) is still stored",
				r.title(), r.status, who(info.Subject))
		}
	}
	return ""
}

// revocations returns the revocations that were acknowledged.
func (w *world) revocations() []*request {
	return filter(w.requests, func(r *request) bool { return r.ok() && r.revocation != nil })
}

func revocationEnds(w *world) string {
	for _, r := range w.revocations() {
		for _, id := range r.revocation.ids {
			subject := r.revocation.subject
			if w.stored[id].Subject == subject && !w.excusesReturn(id, r.revocation) {
				return r.title() + " was acknowledged, and a session from before is still stored"
			}
		}
	}
	return ""
}

// excusesReturn reports whether a session that was to be revoked went to another user and came
// back by a login that was saved afterwards. The revocation spares it while it is another user's,
// and then it is not the session from before, because no older ticket opens it.
func (w *world) excusesReturn(id string, v *revocation) bool {
	returned := slices.ContainsFunc(w.requests, func(r *request) bool {
		from := r.presented
		return r.action.login == v.subject && r.lastSaveAt > v.listedAt &&
			from != nil && from.id == id && from.subject != v.subject && idOf(r.setCookie) == id
	})
	w.excused = w.excused || returned
	return returned
}

func plantedStaysShut(w *world) string {
	for _, b := range w.browsers {
		if t := b.start; t != nil && t.subject == "" && t.opens.subject != "" {
			return "the ticket of the visitor is " + who(t.opens.subject)
		}
	}
	return ""
}

func levelNeedsNewTicket(w *world) string {
	for _, r := range w.requests {
		if !r.action.stepsUp || r.lastSaveAt == 0 {
			continue
		}
		for _, t := range w.tickets {
			if t.olderThan(r) && t.opens.level >= levelStepUp {
				return "an older ticket has the level of " + r.title()
			}
		}
	}
	return ""
}

// olderThan reports whether the ticket was issued before a step-up, and by something else.
func (t *ticket) olderThan(stepUp *request) bool {
	return t.issuer == nil || !t.issuer.action.stepsUp && t.issuer.lastCallAt < stepUp.lastSaveAt
}
