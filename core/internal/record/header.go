package record

import "github.com/cloakroom-go/sessions/core/internal/ticket"

// A Header is the part of a record before the keys.
type Header struct {
	Times
	Identity
	Digest ticket.Digest // of the current secret
}

// Times says when a session was used and how long it lasts, in milliseconds. Instants are
// milliseconds since the Unix epoch.
type Times struct {
	Created       int64 // when the session was first stored
	Seen          int64 // when it was last used
	Extended      int64 // when session and cookie were last extended
	Idle          int64 // the idle timeout; 0 if the session is permanent
	Authenticated int64 // when the subject last proved who they are; 0 if nobody is signed in
	OwnIdle       bool  // Idle was set for this session and does not follow the manager's policy
	Cookie        CookiePersistence
}

// An Identity says whose a session is. Its slices may point into the data of a record.
type Identity struct {
	CookieName []byte
	Subject    []byte
	History    ticket.History
	Account    Account
	Past       ticket.Past
	Ended      []byte     // why the session has ended; empty if it has not
	Extensions Extensions // what later releases have added
}

// check returns ErrDamaged or ErrFormat if a field is not one that this release can read.
func (id *Identity) check(flags byte) error {
	valid := (flags&flagHistory == 0 || id.History.Valid()) &&
		(flags&flagAccount == 0 || id.Account.valid()) &&
		(flags&flagPast == 0 || len(id.Past) != 0 && id.Past.Valid()) &&
		(flags&flagEnded == 0 || len(id.Ended) != 0)
	if !valid {
		return ErrDamaged
	}
	if flags&flagExtended != 0 {
		return id.Extensions.check()
	}
	return nil
}

func (h *Header) flags() (flags byte) {
	if len(h.History) != 0 {
		flags |= flagHistory
	}
	if h.OwnIdle {
		flags |= flagOwnIdle
	}
	if len(h.Account) != 0 {
		flags |= flagAccount
	}
	if len(h.Past) != 0 {
		flags |= flagPast
	}
	if len(h.Ended) != 0 {
		flags |= flagEnded
	}
	if len(h.Extensions) != 0 {
		flags |= flagExtended
	}
	return flags | h.Cookie.flag()
}

// CookiePersistence says whether the cookie of a session outlives the browser.
type CookiePersistence uint8

// The values of CookiePersistence.
const (
	// CookiePolicy leaves it to the manager's policy.
	CookiePolicy CookiePersistence = iota
	// CookieRemember makes the cookie outlive the browser.
	CookieRemember
	// CookieForget makes the cookie end with the browser.
	CookieForget
	// CookieLasting makes the cookie outlive the browser, and the idle timeout as well.
	CookieLasting
)

func (p CookiePersistence) flag() byte {
	switch p {
	case CookieRemember:
		return flagRemember
	case CookieForget:
		return flagForget
	case CookieLasting:
		return flagRemember | flagForget
	case CookiePolicy:
	}
	return 0
}

func cookiePersistenceOf(flags byte) CookiePersistence {
	switch flags & (flagRemember | flagForget) {
	case 0:
		return CookiePolicy
	case flagRemember:
		return CookieRemember
	case flagForget:
		return CookieForget
	}
	return CookieLasting
}

func readTimes(r *reader, flags byte) (t Times) {
	t.Created, t.Seen, t.Extended = r.millis(), r.millis(), r.millis()
	t.Idle, t.Authenticated = r.millis(), r.millis()
	t.OwnIdle = flags&flagOwnIdle != 0
	t.Cookie = cookiePersistenceOf(flags)
	return t
}

// read sets id, which is zero, to the fields that the flags announce.
func (id *Identity) read(r *reader, flags byte) {
	id.CookieName, id.Subject = r.bytes(), r.bytes()
	if flags&flagHistory != 0 {
		id.History = r.bytes()
	}
	if flags&flagAccount != 0 {
		id.Account = r.bytes()
	}
	if flags&(flagPast|flagEnded|flagExtended) != 0 {
		id.readLaterFields(r, flags)
	}
}

// readLaterFields reads the fields that few records have.
func (id *Identity) readLaterFields(r *reader, flags byte) {
	if flags&flagPast != 0 {
		id.Past = r.bytes()
	}
	if flags&flagEnded != 0 {
		id.Ended = r.bytes()
	}
	if flags&flagExtended != 0 {
		id.Extensions = r.bytes()
	}
}

func (id *Identity) append(b []byte) []byte {
	b = appendBytes(appendBytes(b, id.CookieName), id.Subject)
	for _, part := range [...][]byte{
		id.History, id.Account, id.Past, id.Ended, id.Extensions,
	} {
		if len(part) != 0 {
			b = appendBytes(b, part)
		}
	}
	return b
}
