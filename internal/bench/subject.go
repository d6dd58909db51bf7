package bench

import "strings"

// The stores in which subjects keep their sessions.
const (
	inMemory = "memory"
	inCookie = "cookie"
	inRedis  = "Redis"
)

// The frameworks on which subjects are measured.
const (
	onGin     = "Gin"
	onEcho    = "Echo"
	onEchoV5  = "Echo v5"
	onFiber   = "Fiber"
	onFiberV3 = "Fiber v3"
	onNetHTTP = "net/http"
)

// The names of Cloakroom, of the bare framework, and of the baselineLibrary.
const (
	cloakroomName     = "Cloakroom"
	cloakroomLazyName = "Cloakroom, Lazy"
	bareName          = "(bare)"
	baselineName      = "(the cookie in the context)"
)

// subject is a library with a store on a framework. The store is "" if there are no sessions.
type subject struct {
	framework, library, store string
	builder
}

// builder builds the app of a subject.
type builder interface {
	build(env environment) (*app, error)
}

// buildFunc implements builder.
type buildFunc func(env environment) (*app, error)

func (f buildFunc) build(env environment) (*app, error) { return f(env) }

// environment is what an app is built with.
type environment struct {
	payload *payload
	redis   string // address
	db      int    // number of the Redis database
}

func (s *subject) String() string {
	return strings.Join([]string{s.framework, s.library, s.store}, "/")
}

func (s *subject) isBare() bool { return s.library == bareName }

func (s *subject) hasSessions() bool { return s.store != "" }

func (s *subject) isCloakroom() bool { return strings.HasPrefix(s.library, cloakroomName) }

func (s *subject) isLazy() bool { return s.library == cloakroomLazyName }

// measuredIn reports whether the subject is measured in a use case. Lazy loading makes a
// difference only where the session is not used, and only there is the baseline most of the
// work.
func (s *subject) measuredIn(u *useCase) bool {
	return u.action == actionIdle || !s.isLazy() && s.library != baselineName
}

// frameworks returns all frameworks, in the order of the report.
func frameworks() []string {
	return []string{onGin, onEcho, onEchoV5, onFiber, onFiberV3, onNetHTTP}
}

// subjects returns all subjects. On each framework the bare one is the first.
func subjects() []*subject {
	var all []*subject
	groups := [][]*subject{
		ginSubjects(), echoSubjects(), echoV5Subjects(), fiberSubjects(), fiberV3Subjects(),
		netSubjects(),
	}
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

// subjectsWhere returns the subjects for which match returns true.
func subjectsWhere(match func(s *subject) bool) []*subject {
	var out []*subject
	for _, s := range subjects() {
		if match(s) {
			out = append(out, s)
		}
	}
	return out
}

func isGinOnRedis(s *subject) bool {
	return s.framework == onGin && s.library == cloakroomName && s.store == inRedis
}

func isGinInMemory(s *subject) bool {
	return s.framework == onGin && s.library == cloakroomName && s.store == inMemory
}
