package core

import "github.com/cloakroom-go/sessions/core/internal/record"

// commitPlan is what a commit has to do. A session makes it under its lock, the executor
// carries it out without one, and the session then settles with the outcome.
type commitPlan struct {
	verified // the base, and the ticket that opens it; a merge replaces them
	moment
	kind         planKind
	delta        *delta
	keyAtStart   string           // the session's key when the plan was made
	toDelete     *sessionRef      // a session to delete first
	err          error            // why nothing is saved; toDelete is deleted all the same
	renewalOnly  bool             // only the age of the secret requires a save
	rebaseNeeded bool             // the updates have to run again before the first save
	loaded       *record.Snapshot // what the session held before a login
	changes      *delta           // what the request has changed, if the session is its own
	late         bool             // the ticket had been overtaken when the request began
	derived      bool             // a new session's id follows from the ticket and the subject
	joining      bool             // another login from the same ticket has started that session
	keepAlive    bool             // the use of the session has to be recorded, by a save
	uncertain    bool             // a save may have been carried out, although it failed
	merged       bool             // the changes of another request were merged with these
	undone       bool             // a login was saved and undone; the base is what is stored now
	sendCookie   bool             // another request has renewed the secret
}

type planKind uint8

const (
	planNone planKind = iota
	planCreate
	planReplace
	planTouch
)

// outcome is what came of a commit plan.
type outcome struct {
	composed            // what is stored now
	deleted   bool      // the session in commitPlan.toDelete is deleted, or may not be
	notOwned  bool      // its secret may no longer end it, or it has ended before
	overtaker *verified // the record that made the changes void, if there is one
}

// reason returns why the changes are void, or "" if that is not known.
func (o *outcome) reason() Reason {
	if o.overtaker == nil {
		return ""
	}
	return o.overtaker.reason()
}

// signedIn reports whether the session already belongs to the subject, so that the login needs
// no additional place.
func (p *commitPlan) signedIn() bool {
	return p.snap.Stored() && p.standing.opens() && p.delta.login.owns(&p.snap)
}
