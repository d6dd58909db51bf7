package core

import (
	"context"
	"time"
)

// SignIn says how a subject signs in, for [Session.SignIn]. The zero value is a login with a
// cookie that ends with the browser.
type SignIn struct {
	// Auth says how and when the subject has proved who they are.
	Auth Auth
	// Remember makes the cookie outlive the browser; see [Session.Remember].
	Remember bool
	// Expiry is the session's own idle timeout; see [Session.SetExpiry]. By default the session
	// follows [Options.Expiry].
	Expiry time.Duration
	// KeepValues keeps the values that another subject has left in the session. By default they
	// are removed. The values of a visitor who was not signed in always stay.
	KeepValues bool
}

// SignIn is the login of an application in one call: it signs the subject in, sets how long the
// session and its cookie last, removes what another subject has left, and saves. Call it in the
// handler, on the goroutine of the request, before the response begins, and answer its error:
//
//   - nil: the subject is signed in. If two requests of a browser sign the same subject in at the
//     same time, as after a double click, both succeed and share one session.
//   - [ErrGone]: the session, or all of the subject, were revoked meanwhile. The status is 409.
//   - [ErrLimit]: the subject has as many sessions as allowed. The status is 409.
//   - [ErrStore]: the store failed. The status is 503, and nobody is signed in.
//
// After an error the session is as it was before, except that it has ended after ErrGone.
// [StatusCode] returns the status.
func (s *Session) SignIn(ctx context.Context, subject string, how SignIn) error {
	if _, err := expiryOf(how.Expiry); err != nil {
		return err // Otherwise the subject would be signed in all the same.
	}
	if err := s.mayCommit(); err != nil {
		return err
	}
	before, acted := s.Subject(), s.Auth().Actor != ""
	if err := s.LoginWith(subject, how.Auth); err != nil {
		return err
	}
	if before != "" && (before != subject || acted) && !how.KeepValues {
		if err := s.Clear(); err != nil {
			return err
		}
	}
	if err := s.Remember(how.Remember); err != nil {
		return err
	}
	if err := s.SetExpiry(how.Expiry); err != nil {
		return err
	}
	s.noteDevice()
	return s.Save(ctx)
}

// Confirm is the step-up of an application in one call: it records that the signed-in subject has
// proved again who they are, and saves; see [Session.StepUp]. If two requests of a browser
// confirm at the same time, both succeed. The error is [ErrAnonymous], [ErrLate], or one of those
// of [Session.SignIn].
func (s *Session) Confirm(ctx context.Context, how Auth) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	if err := s.StepUp(how); err != nil {
		return err
	}
	s.noteDevice()
	return s.Save(ctx)
}
