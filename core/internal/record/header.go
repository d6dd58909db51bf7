package record

import "github.com/cloakroom-go/sessions/core/internal/ticket"

// A Header is what a record says about itself.
type Header struct {
	Times
	Identity
	Digest ticket.Digest // of the current secret
}

// Times says when a session was used and how long it lasts, in milliseconds and milliseconds of
// the Unix epoch.
type Times struct {
	Created       int64 // when the session was first stored
	Seen          int64 // when it was last used
	Issued        int64 // when session and cookie were last extended
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
}

func (id *Identity) valid(flags byte) bool {
	return (flags&flagHistory == 0 || id.History.Valid()) &&
		(flags&flagAccount == 0 || id.Account.valid())
}

func (h *Header) flags() (flags byte) {
	if len(h.History) != 0 {
		flags |= flagHistory
	}
	if h.OwnIdle {
		flags |= flagOwnExpiry
	}
	if len(h.Account) != 0 {
		flags |= flagAccount
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

	cookieInvalid // Both flags are set.
)

func (p CookiePersistence) flag() byte {
	return [...]byte{CookiePolicy: 0, CookieRemember: flagRemember, CookieForget: flagForget, cookieInvalid: 0}[p]
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
	return cookieInvalid
}
