package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxSubject bounds the name of a user; real ones are far shorter.
const maxSubject = 1024

// Login binds the session to subject, keeps its id and data, and changes the secret: the old one is dead from the moment
// of the commit, so that whoever planted or saw it is left outside (OWASP ASVS 5.0, 7.2.4). The data stay even where
// another user was signed in: call [Session.Clear] first where one must not see what the other left. The subject is any
// non-empty string of at most 1024 bytes. After the response has begun it is [ErrLate].
//
// Where [Options.MaxSessions] makes the manager refuse a login, the commit fails with [ErrLimit]; commit explicitly to answer
// it in the handler. What was changed since the last commit is dropped then, so that the session is as it was before.
func (s *Session) Login(subject string) error { return s.LoginWith(subject, Auth{}) }

// LoginWith is [Session.Login] that records how the subject has proved who they are, in place of what was recorded before.
func (s *Session) LoginWith(subject string, how Auth) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("sessions: Login needs a subject of 1 to %d bytes, got %d; use Destroy to sign out", maxSubject, len(subject))
	}
	return s.authenticate(&login{subject: strings.Clone(subject), auth: how})
}

// ErrAnonymous says that the operation needs a signed-in subject.
var ErrAnonymous = errors.New("sessions: nobody is signed in; call Login first")

// StepUp records that the signed-in subject has proved again who they are, before something sensitive or to reach a higher
// level (OWASP ASVS 5.0, 7.5). The time of authentication is now, the methods are added to those known, the level rises and
// never falls, and the secret changes as at a login (7.2.4). Without a signed-in subject it is [ErrAnonymous].
func (s *Session) StepUp(how Auth) error { return s.authenticate(&login{auth: how, stepUp: true}) }

// authenticate records a login or a step-up for the next commit.
func (s *Session) authenticate(l *login) error {
	if !l.auth.valid() {
		return fmt.Errorf("sessions: Auth takes at most %d methods of 1 to %d bytes and a level of 0 to %d", maxMethods, maxMethod, maxLevel)
	}
	l.auth = l.auth.clone()
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(true); err != nil {
		return err
	}
	if l.stepUp {
		if l.subject = s.subject(); l.subject == "" {
			return ErrAnonymous
		}
	}
	l.at = time.Now().UnixMilli()
	d := s.change()
	d.secret, d.login = secretLogin, d.login.then(l)
	return nil
}

// AuthenticatedAt returns when the subject last proved who they are, by login or step-up; the zero time while anonymous.
func (s *Session) AuthenticatedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if l := s.login(); l != nil {
		return instantOf(l.at)
	}
	return instantOf(s.snap.auth)
}

// Fresh reports whether the subject proved who they are within the last maxAge, for handlers that ask again before they
// do something sensitive. An anonymous session is never fresh.
func (s *Session) Fresh(maxAge time.Duration) bool {
	at := s.AuthenticatedAt()
	age := time.Since(at)
	return !at.IsZero() && age <= maxAge && age >= -maxAge // a proof from the future is none
}

// Auth returns how the subject has proved who they are since the login; the zero value while anonymous, or where the
// application did not say.
func (s *Session) Auth() Auth {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	auth := s.snap.holder().account.auth()
	for _, l := range [...]*login{s.saving.proof(), s.pending.proof()} {
		if l != nil {
			auth = l.over(&auth)
		}
	}
	auth.Methods = slices.Clone(auth.Methods)
	return auth
}

// over returns what is proved after l, given what was before it.
func (l *login) over(before *Auth) Auth {
	if l.stepUp {
		return before.with(l.auth)
	}
	return l.auth
}

// login returns the latest login that is not in the base yet, nil if there is none. It expects s.mu to be held.
func (s *Session) login() *login {
	if l := s.pending.proof(); l != nil {
		return l
	}
	return s.saving.proof()
}

// identify notes where the request came from, if that is to be recorded now: at a login, and when a touch of a signed-in
// session is due. The framework works the address out, which costs it something.
func (s *Session) identify(c Client) {
	if c == nil || !s.wantsDevice() {
		return
	}
	d := newDevice(c.Client()) // outside the lock: how an address is found may be the application's code
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = d
}

func (s *Session) wantsDevice() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager.noDevice || s.device != nil {
		return false
	}
	if s.pending.proof() != nil {
		return true
	}
	return s.state == stateLive && len(s.snap.holder().subject) != 0 && s.manager.touchDue(&s.snap.life, time.Now().UnixMilli())
}
