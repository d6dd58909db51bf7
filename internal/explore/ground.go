package explore

import "slices"

// undoes reports whether the request may have ended the session of the ground. A revocation also
// ends a session in which another user signs in between its list and its save, and a change of
// the password in a session that was revoked meanwhile ends the browser's new one with the others.
func (r *request) undoes(g ground, b *browser) bool {
	if r.endsSessionsOf(b, g.subject) {
		return true
	}
	return g.login != nil && r.revocation != nil &&
		slices.Contains(r.revocation.ids, idOf(g.login.setCookie))
}

// endsByRefusal reports whether the request is a login of the user in the browser that was refused
// because of a revocation. The session that it had taken ends, also if another login shares it.
func (r *request) endsByRefusal(g ground, b *browser, w *world) bool {
	return r.browser == b && r.action.login == g.subject && !r.ok() && r.lastSaveAt != 0 &&
		w.mayRefuse(r)
}

// endsSessionsOf reports whether the request may end a session that the user has in the browser.
func (r *request) endsSessionsOf(b *browser, subject string) bool {
	if r.revocation != nil {
		return r.revocation.subject == subject && (r.action.revokesAll || r.browser != b)
	}
	return r.action.logsOut && r.browser == b
}

// ground is why a browser should be signed in: a login that it knows of, or the start.
type ground struct {
	subject string
	login   *request // nil for the start
}

// grounds returns why the browser should be signed in after the schedule.
func (w *world) grounds(b *browser) []ground {
	var all []ground
	if b.start != nil && b.start.subject != "" {
		all = append(all, ground{subject: b.start.subject})
	}
	for _, r := range w.of(b) {
		if r.action.login != "" && r.reached() {
			all = append(all, ground{r.action.login, r})
		}
	}
	return filter(all, func(g ground) bool { return w.stands(b, g) })
}

// stands reports whether nothing that happened beside or after a login has undone it: the end of
// the user's sessions, or a later login of another user of which the browser knows.
func (w *world) stands(b *browser, g ground) bool {
	for _, r := range w.requests {
		if r == g.login || r.overBefore(g.login) {
			continue
		}
		if r.undoes(g, b) || r.endsByRefusal(g, b, w) {
			return false
		}
		other := r.browser == b && r.action.login != "" && r.action.login != g.subject
		if other && r.reached() && (g.login == nil || g.login.overBefore(r)) {
			return false
		}
	}
	return true
}

// subjects returns the users as whom the browser may be signed in.
func subjects(grounds []ground) []string {
	var all []string
	for _, g := range grounds {
		all = append(all, g.subject)
	}
	return all
}

// excuses reports whether what the browser ends up with cannot be judged, and notes that a rule
// was not applied.
func (w *world) excuses(b *browser) bool {
	excused := w.onTheWire(b) || w.lostToAnother(b)
	w.excused = w.excused || excused
	return excused
}

// onTheWire reports whether the cookie of the browser left the server before another answer that
// makes it useless was made, and reached the browser after that one. No server can mend that. Nor
// can it join a first visit without a cookie with another one.
func (w *world) onTheWire(b *browser) bool {
	switch {
	case b.setBy == nil:
		return false
	case b.setBy.presented == nil && b.setBy.action.login == "":
		return true
	}
	return slices.ContainsFunc(w.of(b), func(r *request) bool {
		crossed := b.setBy.leftBefore(r) && r.arrivedAt < b.setBy.arrivedAt
		return crossed && r.reached() && r.supersedes(b.kept, w)
	})
}

// leftBefore reports whether the answer left the server before a login or step-up was saved. If
// the reply to a save was lost, the answer is made by a look at the record, which does not show a
// login that has meanwhile started another session: then the save counts.
func (r *request) leftBefore(login *request) bool {
	if r.replyLost && login.setCookie != "" && idOf(r.setCookie) != idOf(login.setCookie) {
		return r.lastSaveAt < login.lastSaveAt
	}
	return r.decidedAt() < login.lastSaveAt
}

// decidedAt returns when the cookie of the answer was decided: by the last call, or by the last
// save of a login, which then only looks whether its user was revoked.
func (r *request) decidedAt() int {
	if r.action.login != "" && r.lastSaveAt != 0 {
		return r.lastSaveAt
	}
	return r.lastCallAt
}

// supersedes reports whether the cookie of the answer has taken the place of a ticket: that of a
// login with another session or of another user at once, any other when it has come back.
func (r *request) supersedes(t *ticket, w *world) bool {
	switch {
	case t == nil, r.setCookie == "", r.setCookie == t.value:
		return false
	case r.action.login != "":
		if t.id != idOf(r.setCookie) || t.subject != r.action.login {
			return true
		}
	case !r.action.stepsUp:
		return false
	}
	return slices.ContainsFunc(w.requests, func(other *request) bool {
		return other.presented != nil && other.presented.value == r.setCookie
	})
}

// lostToAnother reports whether another user has signed in with the session of the browser's
// ticket, and the browser has not got the new ticket: the answer was lost, or a revocation of the
// other user has made it an error and ended the session. The old ticket has to die all the same,
// at once: somebody may have planted it.
func (w *world) lostToAnother(b *browser) bool {
	t := b.kept
	return t != nil && slices.ContainsFunc(w.of(b), func(r *request) bool {
		if r.action.login == "" || r.action.login == t.subject || r.lastSaveAt == 0 {
			return false
		}
		after := t.issuer == nil || t.issuer.decidedAt() < r.lastSaveAt
		if !r.ok() {
			refused := r.replyLost || w.mayRefuse(r)
			return after && refused && r.presented != nil && r.presented.id == t.id
		}
		return after && r.lost && idOf(r.setCookie) == t.id
	})
}
