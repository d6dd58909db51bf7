package record

import (
	"encoding/binary"
	"math"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/store"
)

// A Snapshot is a record as the store returned it, or as it is about to be saved. Because every
// request makes one, it holds only the times in decoded form, and where the rest is found.
type Snapshot struct {
	Record store.Record
	Times
	count    uint32
	identity uint32 // offset of the identity in the data
	keys     uint32 // offset of the table of keys and lengths of values
	values   uint32 // offset of the values
}

// Decode reads s.Record.Data. It neither panics nor allocates, whatever the bytes are. If it
// returns an error, only s.Record may be used. ErrFormat means that a later release has written
// the record: nothing may be done to it, except that it may be ended.
func (s *Snapshot) Decode() error {
	r := reader{data: s.Record.Data}
	if version := r.byte(); version != formatVersion || len(r.data) > math.MaxInt32 {
		return foreign(r.data)
	}
	flags := r.byte()
	r.take(len(ticket.Digest{}))
	s.Times = readTimes(&r, flags)
	s.identity = r.offset()
	var identity Identity
	identity.read(&r, flags)
	invalid := identity.check(flags)
	if invalid == ErrDamaged { //nolint:errorlint // It is not wrapped.
		return ErrDamaged
	}
	s.count = uint32(r.length())
	s.keys = r.offset()
	total := r.sizes(s.count)
	sum := checksum(r.data[:r.at])
	stored := r.uint32()
	s.values = r.offset()
	if r.failed || stored != sum || len(r.data)-r.at != total {
		return ErrDamaged
	}
	return invalid
}

// foreign returns what is wrong with data that is not of this format version. The records of
// later versions end with the checksum of all bytes before it, in whichever way they are laid
// out, so that they can be told from damaged ones.
func foreign(data []byte) error {
	n := len(data) - 4
	if n > 0 && data[0] > formatVersion &&
		binary.BigEndian.Uint32(data[n:]) == checksum(data[:n]) {
		return ErrFormat
	}
	return ErrDamaged
}

// Stored reports whether the record has been stored.
func (s *Snapshot) Stored() bool { return s.Record.Version != 0 }

// Identity returns the identity, whose slices point into the record's data. It is zero for a
// record without data.
func (s *Snapshot) Identity() (id Identity) {
	s.readIdentity(&id)
	return id
}

func (s *Snapshot) readIdentity(id *Identity) {
	if len(s.Record.Data) == 0 {
		return
	}
	r := reader{data: s.Record.Data, at: int(s.identity)}
	id.read(&r, s.Record.Data[1])
}

// CookieName returns the name of the cookie that the session was made for.
func (s *Snapshot) CookieName() []byte {
	r := reader{data: s.Record.Data, at: int(s.identity)}
	return r.bytes()
}

// Subject returns the signed-in user, or "" if nobody is signed in.
func (s *Snapshot) Subject() string { return string(s.subject()) }

// SignedIn reports whether a user is signed in.
func (s *Snapshot) SignedIn() bool { return len(s.subject()) != 0 }

// subject reads no more of the identity than it needs.
func (s *Snapshot) subject() []byte {
	if len(s.Record.Data) == 0 {
		return nil
	}
	r := reader{data: s.Record.Data, at: int(s.identity)}
	r.bytes() // the name of the cookie
	return r.bytes()
}

// HasPast reports whether the record remembers other secrets than the current one.
func (s *Snapshot) HasPast() bool {
	if s.flags()&(flagHistory|flagPast) == 0 {
		return false
	}
	id := s.Identity()
	return id.History.Len() != 0 || len(id.Past) != 0
}

// HasExtensions reports whether there are extensions, which few records have.
func (s *Snapshot) HasExtensions() bool { return s.flags()&flagExtended != 0 }

// Extensions returns the extensions.
func (s *Snapshot) Extensions() Extensions {
	if !s.HasExtensions() {
		return nil
	}
	return s.Identity().Extensions
}

// Actor returns who acts for the subject. It is zero if the subject acts.
func (s *Snapshot) Actor() Actor { return s.Extensions().Actor() }

// HasEnded reports whether the record is a mark, which says that the session has ended.
func (s *Snapshot) HasEnded() bool { return s.flags()&flagEnded != 0 }

// Ended returns why the session has ended, or "" if it has not.
func (s *Snapshot) Ended() string { return string(s.Identity().Ended) }

// Undelivered reports whether the current secret has not been presented yet, while a secret from
// before it is accepted.
func (s *Snapshot) Undelivered() bool {
	if s.flags()&(flagHistory|flagPast) == 0 {
		return false
	}
	id := s.Identity()
	return id.History.Undelivered() || id.Past.Undelivered()
}

func (s *Snapshot) flags() byte {
	if len(s.Record.Data) == 0 {
		return 0
	}
	return s.Record.Data[1]
}

// Digest returns the digest of the current secret.
func (s *Snapshot) Digest() (d ticket.Digest) {
	if len(s.Record.Data) != 0 {
		d = ticket.Digest(s.Record.Data[2:])
	}
	return d
}

// Header returns everything that the record says about itself.
func (s *Snapshot) Header() (h Header) {
	s.ReadHeader(&h)
	return h
}

// ReadHeader sets h, which is zero, to what Header returns. It saves a copy.
func (s *Snapshot) ReadHeader(h *Header) {
	h.Times, h.Digest = s.Times, s.Digest()
	s.readIdentity(&h.Identity)
}

// SecretSince returns when the current secret was made, in milliseconds since the Unix epoch.
func (s *Snapshot) SecretSince() int64 {
	return max(s.Created, s.Authenticated, s.Identity().History.Rotated())
}

// Len returns the number of entries.
func (s *Snapshot) Len() int { return int(s.count) }

// Each calls visit for each entry in order.
func (s *Snapshot) Each(visit func(key, value []byte)) {
	r := reader{data: s.Record.Data, at: int(s.keys)}
	at := int(s.values)
	for range s.count {
		key, size := r.entry()
		visit(key, r.data[at:at+size:at+size])
		at += size
	}
}

// Find returns the value under key, and the key as it stands in the record.
func (s *Snapshot) Find(key string) (name, value []byte, ok bool) {
	r := reader{data: s.Record.Data, at: int(s.keys)}
	at := int(s.values)
	for range s.count {
		name, size := r.entry()
		if string(name) == key {
			return name, r.data[at : at+size : at+size], true
		}
		at += size
	}
	return nil, nil, false
}

// maxRounding is how far a store may round an expiry up, in milliseconds. A smaller difference
// is not a touch.
const maxRounding = 1000

// ApplyTouchedExpiry corrects the times by the expiry of the store's record, which a touch
// extends without rewriting the data.
func (s *Snapshot) ApplyTouchedExpiry(now int64) {
	if s.Idle == 0 || s.Record.Expires.IsZero() {
		return
	}
	touched := min(s.Record.Expires.UnixMilli()-s.Idle, now)
	if touched > s.Seen+min(maxRounding, s.Idle/10) {
		s.Seen, s.Extended = touched, touched
	}
}
