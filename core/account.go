package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Auth says how a subject has proved who they are, for [Session.LoginWith] and
// [Session.StepUp].
//
// In JSON and in a log line the fields have names such as "provider_session", and what is zero or
// empty is left out. JSON is read back as it was written, except that it never has Start.
type Auth struct { //nolint:recvcheck // slog finds LogValue on values, too.
	// Methods names the methods, with the values of RFC 8176 where they exist, such as "pwd",
	// "otp" or "hwk". There may be at most 16 of at most 32 bytes each.
	Methods []string `json:"methods,omitempty"`
	// Level is the assurance level that the application assigns to the methods, from 1 to 255,
	// such as the levels 1 to 3 of NIST SP 800-63B. The default, 0, states none.
	Level int `json:"level,omitempty"`
	// At is when the subject proved it, or when the proof began, if that was before the call, such
	// as the auth_time of a single sign-on. A time in the future counts as now. The default is
	// now. [Options.Lifetime] counts from At, so an older proof is refused with [ErrStaleProof].
	// A login is refused if the sessions of its subject were revoked after At. The default is the
	// arrival of the request, or the call of Login if another process has revoked them.
	At time.Time `json:"at,omitzero"`
	// Start is the result of [Manager.StartProof]. It makes exact which revocations refuse the
	// login, whatever the clocks of several servers say. The default is to go by At.
	Start ProofStart `json:"-"`
	// ProviderSession names the session at the identity provider with which the subject signed
	// in, such as the sid of an OpenID Connect ID token, for [Manager.RevokeProviderSession]. It
	// has at most 512 bytes. If users come from several providers, put the provider's name in
	// front of it. The default, "", states none.
	ProviderSession string `json:"provider_session,omitempty"`
	// Actor is the user who really acts, by [Session.ActAs], while the session is that of another
	// one. It is "" if the subject acts. It cannot be set: a login with an Actor is refused.
	Actor string `json:"actor,omitempty"`
}

// attrs returns the names and values of the JSON.
func (a *Auth) attrs() (all attrs) {
	if len(a.Methods) > 0 {
		all = append(all, slog.Any("methods", a.Methods))
	}
	if a.Level != 0 {
		all = append(all, slog.Int("level", a.Level))
	}
	all.time("at", a.At)
	all.text("provider_session", a.ProviderSession)
	all.text("actor", a.Actor)
	return all
}

// LogValue returns a group with the names and values of the JSON.
func (a Auth) LogValue() slog.Value {
	all := a.attrs()
	return all.value()
}

// ProofStart says when the proof of a subject began, for [Auth.Start]; see [Manager.StartProof].
// The zero value says nothing.
type ProofStart struct{ revocation []byte }

// StartProof notes that the proof of a subject begins: that the application is about to check a
// password, for instance. Pass the result in [Auth.Start]: the login is then refused exactly if
// [Manager.RevokeAll] or [Manager.RevokeOthers] were called for the subject since. Without it a
// login that another process may have overtaken is judged by the clock, and refused if that was
// less than a minute ago, the first time. StartProof makes one call of the store.
func (m *Manager) StartProof(ctx context.Context, subject string) (ProofStart, error) {
	if err := m.made(); err != nil {
		return ProofStart{}, err
	}
	ctx, cancel := m.records.withTimeout(ctx)
	defer cancel()
	last, err := m.records.lastRevocation(ctx, subject)
	if err != nil {
		return ProofStart{}, err
	}
	return ProofStart{revocation: append([]byte{}, last.by...)}, nil
}

// maxProviderSession limits [Auth.ProviderSession].
const maxProviderSession = 512

// check returns an error if a record cannot hold a.
func (a *Auth) check() error {
	badMethod := func(m string) bool { return m == "" || len(m) > record.MaxMethodLen }
	switch {
	case len(a.Methods) > record.MaxMethods, a.Level < 0, a.Level > record.MaxLevel,
		slices.ContainsFunc(a.Methods, badMethod):
		return fmt.Errorf("sessions: Auth takes at most %d methods of 1 to %d bytes "+
			"and a level of 0 to %d", record.MaxMethods, record.MaxMethodLen, record.MaxLevel)
	case len(a.ProviderSession) > maxProviderSession:
		return fmt.Errorf("sessions: Auth.ProviderSession takes at most %d bytes, got %d",
			maxProviderSession, len(a.ProviderSession))
	case a.Actor != "":
		return errActorSet
	}
	return nil
}

var errActorSet = errors.New("sessions: Auth.Actor cannot be set by a login; " +
	"sign the operator in, and call ActAs")

// at returns the time of the proof in milliseconds.
func (a *Auth) at(now time.Time) int64 {
	if a.At.IsZero() || a.At.After(now) {
		return now.UnixMilli()
	}
	return max(a.At.UnixMilli(), 1)
}

// proof returns a copy whose strings do not belong to the caller, or to the framework. The time of
// the proof is given in milliseconds.
func (a *Auth) proof(at int64) (p record.Proof) {
	if a.Level > 0 {
		p.Levels = []record.LevelTime{{Level: a.Level, At: at}}
	}
	for _, m := range a.Methods {
		p.Methods = append(p.Methods, strings.Clone(m))
	}
	return p
}

// maxSubject limits the name of a user. Real names are much shorter.
const maxSubject = 1024

// Login binds the session to subject. It keeps the session's id and data, even if another user
// was signed in: call [Session.Clear] first to drop the data. It replaces the secret, and the
// old one opens nothing from the commit on, so that somebody who planted or saw it is shut out
// (OWASP ASVS 5.0, 7.2.4). The subject is any string of 1 to 1024 bytes.
//
// If [Options.MaxSessions] makes the manager refuse the login, the commit returns [ErrLimit],
// and the changes since the last commit are dropped, so that the session is as it was before.
// Commit explicitly to handle that error.
//
// Login needs a cookie, so it returns [ErrLate] after the response has begun.
func (s *Session) Login(subject string) error { return s.LoginWith(subject, Auth{}) }

// LoginWith is like [Session.Login] and records how the subject has proved who they are.
func (s *Session) LoginWith(subject string, how Auth) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("sessions: Login needs a subject of 1 to %d bytes, got %d; "+
			"use Destroy to sign out", maxSubject, len(subject))
	}
	return s.authenticate(&login{subject: strings.Clone(subject)}, &how)
}

// StepUp records that the signed-in subject has proved again who they are, before something
// sensitive or to reach a higher level (OWASP ASVS 5.0, 7.5). It sets the time of
// authentication to now, adds the methods to those of before, raises the level if how has a
// higher one, and replaces the secret as a login does (7.2.4).
//
// StepUp returns [ErrAnonymous] if nobody is signed in, and [ErrLate] after the response has
// begun.
func (s *Session) StepUp(how Auth) error { return s.authenticate(&login{stepUp: true}, &how) }

// authenticate adds a login or a step-up to the next commit.
func (s *Session) authenticate(l *login, how *Auth) error {
	if err := how.check(); err != nil {
		return err
	}
	l.at = how.at(time.Now())
	if life := s.manager.timeouts.lifetime; life > 0 && time.Since(timeOf(l.at)) >= life {
		return ErrStaleProof
	}
	l.proof = how.proof(l.at)
	l.began, l.stated = l.at, !how.At.IsZero()
	l.start = how.Start.revocation
	l.providerSession = strings.Clone(how.ProviderSession)
	s.mu.Lock()
	defer s.unlock()
	s.access()
	check := s.mayLogin
	if l.stepUp {
		check = func() error { return s.writable(true) }
	}
	if err := check(); err != nil {
		return err
	}
	if l.stepUp {
		if l.subject = s.currentSubject(); l.subject == "" {
			return ErrAnonymous
		}
		l.at = max(l.at, s.authenticatedAt()) // An older proof takes nothing from a later one.
		l.actor = s.actor()
	}
	d := s.change()
	d.secret, d.login = secretLogin, d.login.then(l)
	return nil
}

// Subject returns the signed-in user, or "" if nobody is signed in.
func (s *Session) Subject() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	return s.currentSubject()
}

// AuthenticatedAt returns when the subject last proved who they are, by a login or a step-up.
// It is the zero time if nobody is signed in.
func (s *Session) AuthenticatedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	return timeOf(s.authenticatedAt())
}

// authenticatedAt is AuthenticatedAt in milliseconds. It expects s.mu to be held.
func (s *Session) authenticatedAt() int64 {
	if l := s.latestLogin(); l != nil {
		return l.at
	}
	if s.standing == standingFormer {
		at, _ := s.formerProof()
		return at
	}
	return s.snap.Authenticated
}

// Fresh reports whether the subject proved who they are within the last maxAge, for handlers
// that ask again before something sensitive. An anonymous session is never fresh.
func (s *Session) Fresh(maxAge time.Duration) bool {
	return isFresh(s.AuthenticatedAt(), maxAge)
}

// FreshLevel is like [Session.Fresh] for a proof of at least the given level. A step-up with a
// lower level does not count, although it leaves the session its level: the time of each level is
// kept. With a level of 0 it is Fresh.
func (s *Session) FreshLevel(level int, maxAge time.Duration) bool {
	if level <= 0 {
		return s.Fresh(maxAge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	proof := s.proof()
	at, ok := proof.LevelAt(level)
	return ok && isFresh(timeOf(at), maxAge)
}

// isFresh reports whether something was proved within the last maxAge.
func isFresh(at time.Time, maxAge time.Duration) bool {
	age := time.Since(at) // It is negative if another server's clock is ahead.
	return !at.IsZero() && age <= maxAge && age >= -max(maxAge, maxClockSkew)
}

// Auth returns how the subject has proved who they are since the login. It is zero if nobody is
// signed in, or if the application did not say.
func (s *Session) Auth() Auth {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	proof, x := s.proof(), s.snap.Extensions()
	for _, l := range [...]*login{s.saving.getLogin(), s.pending.getLogin()} {
		if l != nil {
			x = l.extensionsAfter(x)
		}
	}
	return authOf(&proof, x)
}

// authOf returns how a subject has proved who they are, with copies of what a record says.
func authOf(proof *record.Proof, x record.Extensions) Auth {
	return Auth{
		Methods: slices.Clone(proof.Methods), Level: proof.Level(),
		ProviderSession: x.ProviderSession(), Actor: x.Actor().Subject,
	}
}

// proof returns how the subject has proved who they are. It expects s.mu to be held.
func (s *Session) proof() record.Proof {
	proof := s.snap.Identity().Account.Proof()
	if s.standing == standingFormer {
		_, proof = s.formerProof()
	}
	for _, l := range [...]*login{s.saving.getLogin(), s.pending.getLogin()} {
		if l != nil {
			proof = l.proofAfter(&proof)
		}
	}
	return proof
}

// noteDevice asks the client where the request came from, if the commit is to record that: at a
// login, and when a signed-in session is extended. Other requests do not ask, because finding
// the address takes the framework time.
func (s *Session) noteDevice() {
	s.mu.Lock()
	wanted := s.wantsDevice()
	s.mu.Unlock()
	if wanted {
		s.askDevice()
	}
}

// wantsDevice reports whether noteDevice has to ask. It expects s.mu to be held.
func (s *Session) wantsDevice() bool {
	m := s.manager
	switch {
	case m.executor.noDevice, s.device != nil, s.passive, s.response.client == nil:
		return false
	case s.response.sent(): // The framework may reuse the client.
		return false
	case s.pending.getLogin() != nil:
		return true
	}
	return s.status == statusLive && s.snap.SignedIn() &&
		m.timeouts.touchDue(&s.snap.Times, time.Now().UnixMilli())
}

// askDevice asks the client. It does not hold s.mu meanwhile, because the client may run code of
// the application.
func (s *Session) askDevice() {
	d := newDevice(s.response.client.Client())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = d
}

const (
	maxIP        = 64  // the length of an IPv6 address with a zone
	maxUserAgent = 256 // the start of a user agent is enough to recognize it
)

// newDevice returns a device with copies of the framework's strings, shortened to what a record
// holds.
func newDevice(ip, userAgent string) *record.Device {
	return &record.Device{IP: shorten(ip, maxIP), UserAgent: shorten(userAgent, maxUserAgent)}
}

// shorten returns a copy of s as valid UTF-8 of at most limit bytes.
func shorten(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit+utf8.UTFMax)], "")
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.Clone(s)
}
