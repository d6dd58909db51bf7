package core

import (
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// composer makes the record to save from a base and a delta. It does no I/O.
type composer struct {
	*keyspace
	*policy
	cookieNameBytes []byte // keyspace.cookieName, as records hold it
	noDevice        bool
	maxSize         int
}

// moment is what a commit knows of its request.
type moment struct {
	now         time.Time
	device      *record.Device // where the request came from; nil if that is not to be recorded
	headersSent bool           // no cookie can be sent any more
	passive     bool           // the request does not count as use
	arrival     uint32         // how many revocations were known when the request arrived
}

// composed is a record to save, the ticket that will open it, and what is new in it.
type composed struct {
	snap       record.Snapshot
	ticket     ticket.Ticket
	standing   standing // what the ticket is to the record
	login      bool     // a subject signs in or steps up
	renewal    bool     // the secret is replaced, by a renewal or a login
	sendCookie bool     // a cookie has to be sent once the record is saved
}
