package bench

import "strings"

// The stores that contenders keep their sessions in.
const (
	memoryStore = "memory"
	cookieStore = "cookie"
	redisStore  = "Redis"
)

// Names of libraries: this one, and none. The last is a middleware that gives the request a context with its cookie and does
// nothing else, as cheaply as can be.
const (
	cloakroom     = "Cloakroom"
	cloakroomLazy = "Cloakroom, Lazy"
	bareFramework = "(bare)"
	cookieKept    = "(the cookie in the context)"
)

// contender is a library with a store on a framework.
type contender struct {
	framework, library, store string
	builder
}

// builder builds the site of a contender.
type builder interface {
	build(w world) (*site, error)
}

// buildFunc is a builder.
type buildFunc func(w world) (*site, error)

func (f buildFunc) build(w world) (*site, error) { return f(w) }

// world is what a site is built in.
type world struct {
	payload *payload
	redis   string // address
	db      int
}

func (c *contender) String() string {
	return strings.Join([]string{c.framework, c.library, c.store}, "/")
}

func (c *contender) isBare() bool { return c.library == bareFramework }

// keepsSessions reports whether there is a library.
func (c *contender) keepsSessions() bool { return c.store != "" }

func (c *contender) isOurs() bool { return strings.HasPrefix(c.library, cloakroom) }

func (c *contender) isLazy() bool { return c.library == cloakroomLazy }

// competes reports whether the contender is measured in a case: being lazy makes a difference only where the session is not
// touched, and only there is to keep the cookie most of what is done.
func (c *contender) competes(u *useCase) bool {
	return u.action == idle || !c.isLazy() && c.library != cookieKept
}

// frameworks are all frameworks, in the order of the report.
func frameworks() []string { return []string{"Gin", "Echo", "Fiber", "net/http"} }

// contenders are all contenders, those without a library first.
func contenders() []*contender {
	var all []*contender
	for _, group := range [][]*contender{ginContenders(), echoContenders(), fiberContenders(), netContenders()} {
		all = append(all, group...)
	}
	return all
}

// choose returns the contenders that fit.
func choose(fits func(c *contender) bool) []*contender {
	var out []*contender
	for _, c := range contenders() {
		if fits(c) {
			out = append(out, c)
		}
	}
	return out
}
