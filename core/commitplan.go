package core

// commitPlan is what a commit has to do. A session makes it under its lock, the executor
// carries it out without one, and the session then settles with the outcome.
type commitPlan struct {
	verified // the base, and the ticket that opens it; a merge replaces them
	moment
	kind         planKind
	delta        *delta
	keyAtStart   string      // the session's key when the plan was made
	toDelete     *sessionRef // a session to delete first
	err          error       // why nothing is saved; toDelete is deleted all the same
	renewalOnly  bool        // only the age of the secret requires a save
	rebaseNeeded bool        // the updates have to run again before the first save
	merged       bool        // the changes of another request were merged with these
	undone       bool        // a login was saved and undone; the base is what is stored now
	sendCookie   bool        // another request rotated the secret, so the response sets the cookie
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
	composed          // what is stored now
	deleted      bool // the session in commitPlan.toDelete is deleted, or may not be
	notOwned     bool // it was not deleted, because its secret may no longer end it
	updateFailed bool // an update could not run again, and nothing was saved
}

// signedIn reports whether the session already belongs to the subject, so that the login needs
// no additional place.
func (p *commitPlan) signedIn() bool {
	return p.snap.Stored() && p.snap.Subject() == p.delta.login.subject
}
