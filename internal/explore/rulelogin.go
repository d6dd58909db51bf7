package explore

import (
	"fmt"
	"slices"
)

func staysSignedIn(w *world) string {
	for _, b := range w.browsers {
		grounds := w.grounds(b)
		if len(grounds) == 0 || w.keepsUndone(b, grounds) {
			continue
		}
		for i := range b.looks {
			subject := b.looks[i].subject
			if !slices.Contains(subjects(grounds), subject) && !w.excuses(b) {
				return fmt.Sprintf("the %s is %s, expected %v",
					b.name, who(subject), subjects(grounds))
			}
		}
	}
	return ""
}

// keepsUndone reports whether the browser has ended with a ticket of a user whose sessions were
// being ended: it need not open anything, but it may.
func (w *world) keepsUndone(b *browser, grounds []ground) bool {
	if b.kept == nil || b.kept.subject == "" || slices.Contains(subjects(grounds), b.kept.subject) {
		return false
	}
	return slices.ContainsFunc(w.requests, func(r *request) bool {
		return r.endsSessionsOf(b, b.kept.subject)
	})
}

func loginSucceeds(w *world) string {
	for _, r := range w.requests {
		if r.action.login != "" && !r.ok() && !r.replyLost && !w.mayRefuse(r) {
			return fmt.Sprintf("%s was answered with %d", r.title(), r.status)
		}
	}
	return ""
}

// mayRefuse reports whether the user's sessions are being revoked, so that a login may be
// refused.
func (w *world) mayRefuse(login *request) bool {
	return slices.ContainsFunc(w.requests, func(r *request) bool {
		return r.action.revokesAll || r.action.revokesOther && r.browser != login.browser
	})
}

func failedLoginIsNone(w *world) string {
	for _, subject := range []string{ann, bob} {
		logins := filter(w.requests, func(r *request) bool { return r.action.login == subject })
		known := w.signedInAtStart(subject) || slices.ContainsFunc(logins, (*request).ok)
		if n := w.countOf(subject); len(logins) > 0 && !known && n > 0 {
			return fmt.Sprintf("%s was answered with %d, and %d sessions of %s are stored",
				logins[0].title(), logins[0].status, n, subject)
		}
	}
	return ""
}

func (w *world) signedInAtStart(subject string) bool {
	return slices.ContainsFunc(w.browsers, func(b *browser) bool {
		return b.start != nil && b.start.subject == subject
	})
}

// countOf returns how many sessions of a user are stored.
func (w *world) countOf(subject string) int {
	n := 0
	for id := range w.stored {
		if w.stored[id].Subject == subject {
			n++
		}
	}
	return n
}

func oneDevice(w *world) string {
	for _, subject := range []string{ann, bob} {
		most := 0
		for _, b := range w.browsers {
			most += w.devices(b, subject)
		}
		n := w.countOf(subject)
		if n == most+1 && w.separated(subject) {
			w.excused = true
			continue
		}
		if n > most {
			return fmt.Sprintf("%s has %d sessions, expected at most %d", subject, n, most)
		}
	}
	return ""
}

// devices returns how many sessions a user may have in a browser. Logins without a cookie
// cannot be joined.
func (w *world) devices(b *browser, subject string) int {
	one, more := 0, 0
	if b.start != nil && b.start.subject == subject {
		one = 1
	}
	for _, r := range w.of(b) {
		switch {
		case r.action.login != subject:
		case r.presented == nil:
			more++
		default:
			one = 1
		}
	}
	return one + more
}

// separated reports whether another user has signed in between two logins of a user: one login
// has presented the same ticket as the other user's, and one has presented the other user's
// ticket. Neither ticket leads to the session of the other login, so they cannot be joined.
func (w *world) separated(subject string) bool {
	logins := filter(w.requests, func(r *request) bool {
		return r.action.login == subject && r.ok() && r.presented != nil
	})
	return slices.ContainsFunc(w.requests, func(other *request) bool {
		beside := func(r *request) bool { return r.presented == other.presented }
		after := func(r *request) bool { return r.presented.issuer == other }
		return other.action.login != "" && other.action.login != subject &&
			slices.ContainsFunc(logins, beside) && slices.ContainsFunc(logins, after)
	})
}
