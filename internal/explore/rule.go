package explore

import (
	"fmt"
	"net/http"
	"slices"
)

// A rule says what must hold after every schedule. The check returns what is wrong, or "".
type rule struct {
	sentence string
	check    func(*world) string
}

// rules returns all rules.
func rules() []rule {
	return []rule{
		{"Who has signed in stays signed in.", staysSignedIn},
		{"An explicit login is not refused because another request was faster.", loginSucceeds},
		{"A login that was not acknowledged has not happened.", failedLoginIsNone},
		{"A login submitted twice leaves one device.", oneDevice},
		{"What was put into the cart is still there.", keepsCart},
		{"No acknowledged change is lost.", keepsChanges},
		{"No update counts twice.", countsOnce},
		{"A code that is taken once is taken by one request.", takesOnce},
		{"A session that was logged out stays ended.", logoutEnds},
		{"A session that was revoked stays ended.", revocationEnds},
		{"The response of an overtaken request leaves the cookie alone.", overtakenIsSilent},
		{"Each stored session was named by an answer.", storedIsNamed},
		{"A request fails only if the store does.", failsOnlyByFault},
		{"A ticket from before a login opens nothing that is signed in.", plantedStaysShut},
		{"A ticket from before a step-up does not reach the new level.", levelNeedsNewTicket},
	}
}

func (r *request) ok() bool { return r.status == http.StatusOK }

// reached reports whether a successful answer has reached the browser.
func (r *request) reached() bool { return r.ok() && !r.lost }

// overBefore reports whether the request was over before another one began: before the browser
// sent it, or, if somebody else made the request, before its handler was called.
func (r *request) overBefore(other *request) bool {
	switch {
	case other == nil:
		return false
	case r.browser == other.browser:
		return r.arrivedAt < other.startedAt
	}
	return r.answeredAt < other.handledAt
}

// of returns the requests of a browser.
func (w *world) of(b *browser) []*request {
	return filter(w.requests, func(r *request) bool { return r.browser == b })
}

func filter[T any](all []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool { return !keep(v) })
}

func storedIsNamed(w *world) string {
	for id := range w.stored {
		if !slices.ContainsFunc(w.tickets, func(t *ticket) bool { return t.id == id }) {
			return fmt.Sprintf("no answer named a stored session (%s)", who(w.stored[id].Subject))
		}
	}
	return ""
}

func failsOnlyByFault(w *world) string {
	for _, r := range w.requests {
		if r.status >= http.StatusInternalServerError && !w.replyLost {
			return fmt.Sprintf("%s was answered with %d", r.title(), r.status)
		}
	}
	return ""
}
