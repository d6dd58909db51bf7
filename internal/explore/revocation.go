package explore

import (
	"context"
	"slices"
)

// revocation is the end of a user's sessions from outside.
type revocation struct {
	subject  string
	listedAt int      // the step in which it lists the user's sessions, or 0
	ids      []string // the sessions that the user had then, except for the one that is spared
}

// begin notes what a revocation is about to end, if the call is the one that lists it. A session
// that is another user's at that moment is not meant.
func (v *revocation) begin(r *request, c *call) {
	if v == nil || v.listedAt != 0 || c.access != lists {
		return
	}
	v.listedAt = r.world.now
	infos, err := r.world.manager.List(context.Background(), v.subject)
	if err != nil {
		panic(err)
	}
	for i := range infos {
		if r.presented == nil || r.presented.id != infos[i].ID {
			v.ids = append(v.ids, infos[i].ID)
		}
	}
}

// ends reports whether a revocation ends the session that a ticket was issued for. It spares a
// session in which another user has signed in since the sessions were listed.
func (v *revocation) ends(t *ticket) bool {
	return v != nil && t.subject == v.subject && slices.Contains(v.ids, t.id)
}
