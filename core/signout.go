package core

import (
	"errors"
	"fmt"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// SignOut ends the session of the request and returns what to answer: a redirect to the path. It
// is for adapters, and saves like [Scope.Commit]. Any method but POST is refused, because
// browsers, mail programs and other sites send GET requests on their own. If there is no session,
// or it has ended meanwhile, as after a double click, the answer is the same.
func (sc *Scope) SignOut(method, to string, apply func(*adapter.Reply)) adapter.Verdict {
	if method != "POST" {
		return adapter.Verdict{Field: "Allow", Value: "POST", Err: ErrMethod}
	}
	s, err := sc.Load()
	if err == nil {
		s.Destroy()
		err = sc.Commit(apply)
	}
	if err != nil && !errors.Is(err, ErrGone) {
		return adapter.Verdict{Err: err}
	}
	return adapter.Verdict{Location: to}
}

// MustBeLocal panics with a sentence that says what to change unless the path is a [LocalPath].
// It is for adapters, which call it when SignOut is mounted.
func MustBeLocal(to string) {
	if !LocalPath(to) {
		panic(fmt.Sprintf("sessions: SignOut(%q): use a path on the same site that begins with a "+
			"single slash, without a fragment", to))
	}
}
