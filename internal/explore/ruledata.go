package explore

import (
	"fmt"
	"slices"
)

// sameSession reports whether the browser should have the same data after the schedule as
// before: at most one user has used it, nobody has ended a session, and it knows of each login.
func (w *world) sameSession(b *browser) bool {
	if b.start == nil {
		return false
	}
	user := b.start.subject
	for _, r := range w.of(b) {
		if r.action.login == "" {
			continue
		}
		if user != "" && user != r.action.login {
			return false
		}
		user = r.action.login
	}
	ended := slices.ContainsFunc(w.requests, func(r *request) bool {
		return r.endsSessionsOf(b, user)
	})
	return !ended && (user == "" || len(w.grounds(b)) > 0)
}

func keepsCart(w *world) string {
	for _, b := range w.browsers {
		kept := w.sameSession(b)
		for i := range b.looks {
			if kept && b.looks[i].cart != theCart && !w.excuses(b) {
				return fmt.Sprintf("the cart of the %s is %q", b.name, b.looks[i].cart)
			}
		}
	}
	return ""
}

// acknowledged reports whether the request was told that its change is stored. A request that
// has been overtaken may be answered as its handler decides; its change is dropped and reported
// by an event.
func (r *request) acknowledged() bool { return r.ok() && !r.dropped }

// changes returns the acknowledged changes of a browser.
func (w *world) changes(b *browser) (counts int, noted []string) {
	for _, r := range w.of(b) {
		switch {
		case !r.acknowledged():
		case r.action.counts:
			counts++
		case r.action.notes:
			noted = append(noted, r.name)
		}
	}
	return counts, noted
}

func keepsChanges(w *world) string {
	for _, b := range w.browsers {
		if len(b.looks) == 0 || !w.sameSession(b) {
			continue
		}
		counts, noted := w.changes(b)
		for i := range b.looks {
			if detail := b.looks[i].lacks(counts, noted); detail != "" && !w.excuses(b) {
				return detail
			}
		}
	}
	return w.keepsChangesOfSessions()
}

// keepsChangesOfSessions checks each session by its id, also if no browser has it any more.
func (w *world) keepsChangesOfSessions() string {
	for _, t := range w.tickets {
		if t.opens.id == "" {
			continue
		}
		counts := 0
		for _, r := range w.requests {
			same := r.after.id == t.opens.id && r.after.subject == t.opens.subject
			if r.action.counts && r.acknowledged() && same {
				counts++
			}
		}
		if detail := t.opens.lacks(counts, nil); detail != "" {
			return detail + " in a session that somebody has a ticket of"
		}
	}
	return ""
}

// lacks returns which acknowledged changes are missing, or "".
func (v *view) lacks(counts int, noted []string) string {
	if v.count < counts {
		return fmt.Sprintf("the counter is %d after %d acknowledged updates", v.count, counts)
	}
	for _, name := range noted {
		if !v.notes[name] {
			return "what " + name + " wrote is missing"
		}
	}
	return ""
}

func countsOnce(w *world) string {
	most := 0
	for _, r := range w.requests {
		if r.action.counts && (r.acknowledged() || r.replyLost) {
			most++
		}
	}
	for _, t := range w.tickets {
		if t.opens.count > most {
			return fmt.Sprintf("the counter is %d after %d updates", t.opens.count, most)
		}
	}
	return ""
}

func takesOnce(w *world) string {
	takers := filter(w.requests, func(r *request) bool {
		return r.action.once && r.taken != ""
	})
	if len(takers) > 1 {
		return takers[0].title() + " and " + takers[1].title() + " took the code"
	}
	for _, b := range w.browsers {
		if len(takers) == 0 && w.losesCode(b) && !w.excuses(b) {
			return "nobody took the code, and it is gone"
		}
	}
	return ""
}

// losesCode reports whether the code is gone though no request of the browser may have taken it.
func (w *world) losesCode(b *browser) bool {
	once := filter(w.of(b), func(r *request) bool { return r.action.once })
	unclear := slices.ContainsFunc(w.of(b), func(r *request) bool {
		return r.action.takes && (r.taken != "" || r.replyLost)
	})
	return len(once) > 0 && !unclear && w.sameSession(b) && !b.looks[len(b.looks)-1].hasCode
}

func overtakenIsSilent(w *world) string {
	for _, r := range w.requests {
		if r.overtaken && r.changesCookie && r.action.login == "" && r.firstSaveAt == 0 {
			return r.title() + " was told that it is overtaken, and sets or removes the cookie"
		}
		if !r.action.data && !r.action.renews || !r.changesCookie || r.presented == nil {
			continue
		}
		if by := w.overtook(r); by != nil {
			return fmt.Sprintf("%s came after %s, and sets or removes the cookie",
				r.title(), by.title())
		}
	}
	return ""
}

// overtook returns the request that made the ticket of r useless before r saved anything, or
// nil if there is none.
func (w *world) overtook(r *request) *request {
	i := slices.IndexFunc(w.requests, func(other *request) bool {
		at := other.endedAt(r.presented)
		return at != 0 && r.lastCallAt > at && (r.firstSaveAt == 0 || r.firstSaveAt > at)
	})
	if i < 0 {
		return nil
	}
	return w.requests[i]
}

// endedAt returns the step after which a ticket is overtaken because of r, or 0.
func (r *request) endedAt(t *ticket) int {
	switch {
	case !r.ok(), t.value == r.setCookie, t.issuer != nil && t.issuer.lastCallAt > r.lastSaveAt:
		return 0
	case r.revocation.ends(t):
		return r.answeredAt
	case r.presented == nil || r.presented.id != t.id || r.presented.subject != t.subject:
		return 0
	case r.action.logsOut, r.action.login != "" && r.action.login != t.subject:
		return r.lastSaveAt
	}
	return 0
}
