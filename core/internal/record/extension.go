package record

import (
	"encoding/binary"
	"slices"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// Extensions are fields that later releases have added to the identity of a record: for each a
// tag and its bytes. A release that does not know a field with an even tag keeps it as it is when
// it saves the record. It must not use a record with a field of an odd tag that it does not know,
// nor change it: reading it fails with ErrFormat.
type Extensions []byte

// The tags that this release knows.
const (
	tagProviderSession = 16
	tagActor           = 17
)

// An Actor says who acts for the subject of a session, and which session is their own. It is zero
// if the subject acts.
type Actor struct {
	Subject string
	Session [16]byte      // the id
	Digest  ticket.Digest // of the secret with which they have opened it
}

// actorSize is the size of an actor without the subject.
const actorSize = len(Actor{}.Session) + len(Actor{}.Digest)

func (e Extensions) check() error {
	r := reader{data: e}
	critical, valid := false, true
	for !r.failed && r.at < len(e) {
		tag, field := r.uvarint(), r.bytes()
		if tag == tagActor {
			valid = valid && len(field) >= actorSize
		} else {
			critical = critical || tag&1 == 1
		}
	}
	switch {
	case r.failed || !valid || len(e) == 0:
		return ErrDamaged
	case critical:
		return ErrFormat
	}
	return nil
}

// Actor returns who acts for the subject. A mark does not name them.
func (e Extensions) Actor() (a Actor) {
	if field := e.find(tagActor); field != nil {
		copy(a.Session[:], field)
		copy(a.Digest[:], field[len(a.Session):])
		a.Subject = string(field[actorSize:])
	}
	return a
}

// ProviderSession returns the session of the identity provider with which the subject signed in,
// or "" if none is known.
func (e Extensions) ProviderSession() string { return string(e.find(tagProviderSession)) }

// WithActor returns the extensions with another actor.
func (e Extensions) WithActor(a Actor) Extensions {
	if a == (Actor{}) {
		return e.with(tagActor, nil)
	}
	return e.with(tagActor, slices.Concat(a.Session[:], a.Digest[:], []byte(a.Subject)))
}

// WithProviderSession returns the extensions with another session of the identity provider.
func (e Extensions) WithProviderSession(id string) Extensions {
	return e.with(tagProviderSession, []byte(id))
}

// OfMark returns the extensions that the mark of a session has, which say nothing about people.
func (e Extensions) OfMark() Extensions {
	a := e.Actor()
	a.Subject = ""
	return e.WithProviderSession("").WithActor(a)
}

func (e Extensions) find(tag uint64) []byte {
	for r := (reader{data: e}); r.at < len(e); {
		if t, field := r.uvarint(), r.bytes(); t == tag {
			return field
		}
	}
	return nil
}

// with returns a copy in which the field with the tag is replaced, or left out if it is empty.
func (e Extensions) with(tag uint64, field []byte) (out Extensions) {
	for r := (reader{data: e}); r.at < len(e); {
		if t, other := r.uvarint(), r.bytes(); t != tag {
			out = out.AppendExtension(t, other)
		}
	}
	if len(field) == 0 {
		return out
	}
	return out.AppendExtension(tag, field)
}

// AppendExtension appends a field.
func (e Extensions) AppendExtension(tag uint64, field []byte) Extensions {
	return appendBytes(binary.AppendUvarint(e, tag), field)
}
