package core

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// entropy makes the ids of new sessions. Tests replace newID to force collisions.
type entropy struct {
	newID func(now time.Time) uuid.UUID
}

// newTicket returns the ticket of a new session.
func (e *entropy) newTicket(now time.Time) ticket.Ticket {
	return ticket.Ticket{ID: e.newID(now), Secret: ticket.NewSecret()}
}

// newID returns a UUIDv7 (RFC 9562): the milliseconds of now followed by random bits. The
// function of the uuid package allocates.
func newID(now time.Time) (id uuid.UUID) {
	_, _ = rand.Read(id[:]) // It never fails.
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	setTimeV7(&id, ms[2:])
	return id
}

// setTimeV7 makes id a UUIDv7 of a time, which is its first six bytes.
func setTimeV7(id *uuid.UUID, ms []byte) {
	copy(id[:6], ms)
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
}
