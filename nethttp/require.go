package sessions

import (
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// Require returns middleware that lets a request pass only if its session meets the requirement;
// see [Requirement] for the answer to others. Mount it inside the session middleware. It panics if
// the requirement makes no sense; the message says what to change.
//
// An error is answered like those of the session middleware: with the text of its status, which
// middleware outside can replace.
func Require(requirement Requirement) func(http.Handler) http.Handler {
	guard := core.NewGuard(requirement)
	return guarding(func(r *http.Request) adapter.Verdict {
		s, err := Load(r)
		if err != nil || guard.Met(s) {
			return adapter.Verdict{Err: err}
		}
		visit := httpwriter.VisitOf(r)
		return guard.Refuse(s, &visit)
	})
}

// ReturnPath returns where the user wanted to go when [Require] sent them to this page: the query
// parameter [ReturnParam], if it is a [LocalPath], and otherwise the given path. Call it after the
// login. The form of a login page keeps the parameter if it is sent to the address of the page, as
// it is without an action attribute.
func ReturnPath(r *http.Request, otherwise string) string {
	return core.ReturnPath(httpwriter.TargetOf(r), otherwise)
}

// guarding returns middleware that answers the requests that judge does not let pass.
func guarding(judge func(*http.Request) adapter.Verdict) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v := judge(r); !v.Passes() {
				answer(w, r, v)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// answer answers a request in place of its handler.
func answer(w http.ResponseWriter, r *http.Request, v adapter.Verdict) {
	if v.Location != "" {
		w.Header().Set("Location", v.Location)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	if v.Field != "" {
		w.Header().Set(v.Field, v.Value)
	}
	if core.StatusCode(v.Err) == http.StatusInternalServerError {
		logFailure(r, v.Err)
	}
	reject(w, v.Err)
}
