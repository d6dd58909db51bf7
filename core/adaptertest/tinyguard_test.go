package adaptertest_test

import (
	"cmp"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
	"github.com/cloakroom-go/sessions/core/adaptertest"
)

func (c request) Form(name string) string { return c.r.PostFormValue(name) }

func (c request) ReturnPath(otherwise string) string {
	if c.f.returnsAnywhere {
		return cmp.Or(c.Query(core.ReturnParam), otherwise)
	}
	return core.ReturnPath(httpwriter.TargetOf(c.r), otherwise)
}

// guarded returns a handler for a route, with what guards it.
func guarded(r adaptertest.Route, h http.Handler, f faults) http.Handler {
	if r.Guard.SignOut != "" {
		h = signOut(r.Guard.SignOut, f)
	}
	if r.Guard.CSRFToken && !f.forgetsToken {
		h = judging(h, func(r *http.Request) adapter.Verdict { return judgeToken(r, f) })
	}
	if r.Guard.Require != nil {
		guard := core.NewGuard(*r.Guard.Require)
		h = judging(h, func(r *http.Request) adapter.Verdict { return judgeRequirement(r, guard, f) })
	}
	if p := r.Guard.CrossOrigin; p != nil && !f.forgetsOrigin {
		h = judging(h, func(r *http.Request) adapter.Verdict { return core.JudgeOrigin(p.Check(r)) })
	}
	return h
}

// judging answers the requests that judge does not let pass.
func judging(next http.Handler, judge func(*http.Request) adapter.Verdict) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := judge(r); !v.Passes() {
			answer(w, v)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, v adapter.Verdict) {
	status := http.StatusSeeOther
	if v.Location != "" {
		w.Header().Set("Location", v.Location)
		w.WriteHeader(status)
		return
	}
	adapter.ClearContent(w.Header())
	if v.Field != "" {
		w.Header().Set(v.Field, v.Value)
	}
	status = core.StatusCode(v.Err)
	http.Error(w, http.StatusText(status), status)
}

func judgeRequirement(r *http.Request, guard *core.Guard, f faults) adapter.Verdict {
	s, err := find(r, innermost{}).scope.Load()
	if err != nil && f.outageSignsIn {
		return adapter.Verdict{Location: guard.LoginPage}
	}
	if err != nil || guard.Met(s) {
		return adapter.Verdict{Err: err}
	}
	visit := httpwriter.VisitOf(r)
	if f.circles {
		visit.Target = "/elsewhere"
	}
	return guard.Refuse(s, &visit)
}

func judgeToken(r *http.Request, f faults) adapter.Verdict {
	if adapter.Safe(r.Method) {
		return adapter.Verdict{}
	}
	s, err := find(r, innermost{}).scope.Load()
	if err != nil {
		return adapter.Verdict{Err: err}
	}
	token := r.Header.Get(core.CSRFHeader)
	if token == "" && core.HasForm(r.Header.Get("Content-Type")) {
		token = r.PostFormValue(core.CSRFField)
		if f.tokenInURL {
			token = r.FormValue(core.CSRFField)
		}
	}
	return core.JudgeCSRFToken(s, token)
}

func signOut(to string, f faults) http.Handler {
	core.MustBeLocal(to)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, method := find(r, innermost{}), r.Method
		if f.getSignsOut {
			method = http.MethodPost
		}
		answer(w, s.scope.SignOut(method, to, s.apply))
	})
}
