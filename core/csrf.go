package core

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// Where the adapters' RequireCSRFToken looks for the token of a session.
const (
	// CSRFHeader is the header field in which the token is looked for first. A request that has
	// it keeps its body untouched.
	CSRFHeader = "X-CSRF-Token"
	// CSRFField is the field of a form in which the token is looked for otherwise.
	CSRFField = "csrf_token"
)

// csrfStarted is the value that makes a visitor's session one that is stored.
const csrfStarted = Key[bool]("sessions.csrf")

// csrfPurpose is what the token is derived for.
const csrfPurpose = "cloakroom csrf token v1"

// csrfSize is the length of what the token proves. The token is that twice, in base64url.
const csrfSize = len(ticket.Digest{})

// CSRFToken returns a token for the forms and scripts of the page, which RequireCSRFToken asks for
// in requests that change something. It is bound to the session's secret, so a login or a step-up
// makes the tokens from before invalid; a renewal does not, because it may happen at any time and
// would break the forms that are open. The store holds nothing of it. Each call returns other
// bytes, so that a compressed page does not give the token away (BREACH).
//
// A visitor without a session gets one, with a cookie and a record in the store. So for a visitor
// CSRFToken returns [ErrLate] after the response has begun, and any page that shows a token to
// everybody costs a record for everybody, robots included. For others it costs no store call.
//
// Call CSRFToken after a login or step-up has been saved, by [Session.SignIn], [Session.Confirm]
// or [Session.Save]: it returns an error between the two, because the new secret is not known yet.
func (s *Session) CSRFToken() (string, error) {
	if s.IsNew() {
		if _, overtaken := s.Overtaken(); !overtaken {
			if err := csrfStarted.Set(s, true); err != nil {
				return "", err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if s.failure != nil {
		return "", s.failure
	}
	if s.pending.getLogin() != nil && s.status != statusNew {
		return "", errLoginUnsaved
	}
	if s.key() == "" && s.status == statusNew {
		s.issueTicket(time.Now())
	}
	t := s.csrfTicket()
	return maskCSRF(t.Secret.Derive(csrfPurpose)), nil
}

var errLoginUnsaved = errors.New("sessions: CSRFToken was called after a login or step-up that " +
	"is not saved yet, so its secret is not known; use SignIn or Confirm, or call Save first")

// CheckCSRFToken reports whether the token is one that [Session.CSRFToken] has returned in a
// request with the same secret, or with one that a renewal has replaced since. It is for handlers
// that read the token themselves, as one that streams an upload; others have RequireCSRFToken. The
// comparison takes the same time whatever the answer.
//
// For a request whose ticket was overtaken it also accepts a token of that ticket: the request is
// the user's, and it changes nothing in any case. See [Session.Overtaken].
func (s *Session) CheckCSRFToken(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	t := s.csrfTicket()
	if t == (ticket.Ticket{}) {
		return false // There is no secret, so anybody could make the token of none.
	}
	shown, ok := unmaskCSRF(token)
	own := t.Secret.Derive(csrfPurpose)
	return ok && own.Equal(&shown)
}

// csrfTicket returns the ticket that the request has presented, or that it has been issued. It
// expects s.mu to be held.
func (s *Session) csrfTicket() ticket.Ticket {
	if v := s.beside.getOvertaker(); v != nil && s.status == statusGone {
		return v.ticket
	}
	return s.ticket
}

// maskCSRF returns the text of a token: random bytes, and the digest XORed with them.
func maskCSRF(d ticket.Digest) string {
	var raw [2 * csrfSize]byte
	_, _ = rand.Read(raw[:csrfSize]) // It never fails.
	subtle.XORBytes(raw[csrfSize:], d[:], raw[:csrfSize])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// unmaskCSRF returns the digest of a token's text.
func unmaskCSRF(token string) (d ticket.Digest, ok bool) {
	var raw [2 * csrfSize]byte
	if len(token) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return d, false
	}
	n, err := base64.RawURLEncoding.Decode(raw[:], []byte(token))
	subtle.XORBytes(d[:], raw[:csrfSize], raw[csrfSize:])
	return d, err == nil && n == len(raw)
}

// JudgeCSRFToken returns what to answer to a request with the token. It is for adapters, which ask
// for methods that are not [adapter.Safe] only.
func JudgeCSRFToken(s *Session, token string) adapter.Verdict {
	if s.CheckCSRFToken(token) {
		return adapter.Verdict{}
	}
	return adapter.Verdict{Err: ErrCSRFToken}
}

// HasForm reports whether the body of a request with the Content-Type is a form, which may have
// the field [CSRFField]. It is for adapters, which leave any other body alone.
func HasForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	return strings.EqualFold(kind, "application/x-www-form-urlencoded") ||
		strings.EqualFold(kind, "multipart/form-data")
}
