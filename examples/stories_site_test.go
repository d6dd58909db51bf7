package examples_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	echosessions "github.com/cloakroom-go/sessions/echo"
	echov5sessions "github.com/cloakroom-go/sessions/echov5"
	fibersessions "github.com/cloakroom-go/sessions/fiber"
	fiberv3sessions "github.com/cloakroom-go/sessions/fiberv3"
	ginsessions "github.com/cloakroom-go/sessions/gin"
	httpsessions "github.com/cloakroom-go/sessions/nethttp"
)

const (
	oneWay      = 15 * time.Millisecond // that a request or a response takes on the network
	storyGrace  = time.Second
	gateTimeout = 20 * time.Second
)

const (
	cart  = core.Key[[]string]("cart")
	polls = core.Key[int]("polls")
)

// storySite is the application of the stories. Any method does for any path:
//
//	/         a page with the script of the stories
//	/me       who is signed in, and the cart
//	/cart     puts the item "add" into the cart
//	/poll     writes
//	/login    signs "user" in, after a check of the password that takes "check" milliseconds
//	/step-up  the same for a second factor
//	/renew    replaces the secret
//	/logout   signs out
//
// A request stops at the gates that it names: "early" before the session is loaded, "before" when it is loaded, "after" when
// it is saved. With "lose" the connection breaks once the session is saved, so that no answer arrives.
type storySite struct {
	sessions *core.Manager
	address  string

	mu       sync.Mutex
	gates    map[string]*gate
	replaced map[string]bool // the Cookie fields with which users have signed in or stepped up
	late     int             // how many polls came with one of them afterwards
}

// gate is a place at which a request waits until it is opened.
type gate struct{ reached, opened chan struct{} }

func newStorySite(t *testing.T, on storyFramework, options core.Options) *storySite {
	t.Helper()
	options.Grace, options.Logger = storyGrace, slog.New(slog.DiscardHandler)
	m, err := core.NewManager(options)
	if err != nil {
		t.Fatal(err)
	}
	site := &storySite{sessions: m, gates: make(map[string]*gate), replaced: make(map[string]bool)}
	site.address = on(t, site)
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return site
}

func (a *storySite) gate(name string) *gate {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.gates[name]
	if g == nil {
		g = &gate{reached: make(chan struct{}, 1), opened: make(chan struct{})}
		a.gates[name] = g
	}
	return g
}

// stop stops at the gate, if there is a name.
func (a *storySite) stop(name string) {
	if name == "" {
		return
	}
	g := a.gate(name)
	select {
	case g.reached <- struct{}{}:
	default:
	}
	select {
	case <-g.opened:
	case <-time.After(gateTimeout): // The test has failed.
	}
}

// arrive is called before the middleware of the sessions.
func (a *storySite) arrive(early string) {
	time.Sleep(oneWay)
	a.stop(early)
}

// leave is called after it, before the response is sent.
func (*storySite) leave() { time.Sleep(oneWay) }

// storyVisit is a request, whatever the framework.
type storyVisit struct {
	*core.Session
	ctx          context.Context //nolint:containedctx // that of the request
	path, cookie string
	query        func(string) string
	lose         func() // breaks the connection
}

func (a *storySite) serve(v *storyVisit) (status int, page string) {
	a.stop(v.query("before"))
	err := a.act(v)
	if err == nil && v.query("after")+v.query("lose") != "" {
		err = v.Save(v.ctx)
	}
	a.stop(v.query("after"))
	switch {
	case err != nil:
		return core.StatusCode(err), fmt.Sprintf(storyPage, err)
	case v.query("lose") != "":
		v.lose()
	case v.path == "/":
		return http.StatusOK, storyScript
	}
	return http.StatusOK, fmt.Sprintf(storyPage, whoIs(v.Subject(), v.Auth().Level, cart.Get(v.Session)...))
}

// storyPage shows a text.
const storyPage = noIcon + `<p id="me">%s</p>`

// whoIs is what pages say of a user.
func whoIs(user string, level int, cart ...string) string {
	return fmt.Sprintf("user=%s level=%d cart=%s", user, level, strings.Join(cart, ","))
}

func (a *storySite) act(v *storyVisit) error {
	switch v.path {
	case "/cart":
		cart.Update(v.Session, func(items []string) []string { return append(items, v.query("add")) })
	case "/poll":
		a.countPoll(v.cookie)
		polls.Update(v.Session, func(n int) int { return n + 1 })
	case "/login":
		a.check(v)
		defer a.replace(v.cookie)
		return signInStory(v)
	case "/step-up":
		a.check(v)
		defer a.replace(v.cookie)
		return confirmStory(v)
	case "/renew":
		return v.Renew()
	case "/logout":
		v.Destroy()
	}
	return nil
}

func signInStory(v *storyVisit) error {
	return v.SignIn(v.ctx, v.query("user"), core.SignIn{
		Auth: core.Auth{Methods: []string{"pwd"}, Level: 1}, Remember: v.query("remember") != "",
	})
}

func confirmStory(v *storyVisit) error {
	return v.Confirm(v.ctx, core.Auth{Methods: []string{"otp"}, Level: 2})
}

// check takes the time of checking a password.
func (*storySite) check(v *storyVisit) {
	if d, err := time.ParseDuration(v.query("check") + "ms"); err == nil {
		time.Sleep(d)
	}
}

func (a *storySite) replace(cookie string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replaced[cookie] = true
}

func (a *storySite) countPoll(cookie string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.replaced[cookie] {
		a.late++
	}
}

func (a *storySite) latePolls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.late
}

// storyFramework starts a site, and returns its address.
type storyFramework func(*testing.T, *storySite) (address string)

func storyFrameworks() map[string]storyFramework {
	return map[string]storyFramework{
		"gin": storiesOnGin, "echo": storiesOnEcho, "echov5": storiesOnEchoV5,
		"fiber": storiesOnFiber, "fiberv3": storiesOnFiberV3, "nethttp": storiesOnHTTP,
	}
}

// overNetwork delays the requests and responses of a handler.
func (a *storySite) overNetwork(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.arrive(r.FormValue("early"))
		next.ServeHTTP(w, r)
		a.leave()
	})
}

func visitOf(r *http.Request, s *core.Session) *storyVisit {
	return &storyVisit{
		Session: s, ctx: r.Context(), path: r.URL.Path, cookie: r.Header.Get("Cookie"), query: r.FormValue,
		lose: func() { panic(http.ErrAbortHandler) },
	}
}

func storiesOnGin(t *testing.T, a *storySite) (address string) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(ginsessions.Middleware(a.sessions))
	r.Any("/*path", func(c *gin.Context) {
		status, page := a.serve(visitOf(c.Request, ginsessions.Get(c)))
		c.Data(status, "text/html", []byte(page))
	})
	return serve(t, a.overNetwork(r))
}

func storiesOnEcho(t *testing.T, a *storySite) (address string) {
	t.Helper()
	e := echov4.New()
	e.Use(echosessions.Middleware(a.sessions))
	e.Any("/*", func(c echov4.Context) error {
		return c.HTML(a.serve(visitOf(c.Request(), echosessions.Get(c))))
	})
	return serve(t, a.overNetwork(e))
}

func storiesOnEchoV5(t *testing.T, a *storySite) (address string) {
	t.Helper()
	e := echo.New()
	e.Use(echov5sessions.Middleware(a.sessions))
	e.Any("/*", func(c *echo.Context) error {
		return c.HTML(a.serve(visitOf(c.Request(), echov5sessions.Get(c))))
	})
	return serve(t, a.overNetwork(e))
}

func storiesOnHTTP(t *testing.T, a *storySite) (address string) {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, page := a.serve(visitOf(r, httpsessions.Get(r)))
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page) //nolint:gosec // a user of the stories attacks nobody
	})
	return serve(t, a.overNetwork(httpsessions.Middleware(a.sessions)(h)))
}

func storiesOnFiber(t *testing.T, a *storySite) (address string) {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Server().Logger = log.New(io.Discard, "", 0) // It tells of the connections that break.
	app.Use(func(c *fiber.Ctx) error {
		a.arrive(strings.Clone(c.Query("early")))
		defer a.leave()
		return c.Next()
	}, fibersessions.Middleware(a.sessions))
	app.All("/*", func(c *fiber.Ctx) error {
		status, page := a.serve(&storyVisit{
			Session: fibersessions.Get(c), ctx: c.Context(), path: strings.Clone(c.Path()),
			cookie: strings.Clone(c.Get("Cookie")),
			query:  func(key string) string { return strings.Clone(c.Query(key)) },
			lose:   func() { _ = c.Context().Conn().Close() },
		})
		return c.Status(status).Type("html").SendString(page)
	})
	return listen(t, app.Listener, app.ShutdownWithTimeout)
}

func storiesOnFiberV3(t *testing.T, a *storySite) (address string) {
	t.Helper()
	app := fiberv3.New()
	app.Server().Logger = log.New(io.Discard, "", 0) // It tells of the connections that break.
	app.Use(func(c fiberv3.Ctx) error {
		a.arrive(strings.Clone(c.Query("early")))
		defer a.leave()
		return c.Next()
	}, fiberv3sessions.Middleware(a.sessions))
	app.All("/*", func(c fiberv3.Ctx) error {
		status, page := a.serve(&storyVisit{
			Session: fiberv3sessions.Get(c), ctx: c.Context(), path: strings.Clone(c.Path()),
			cookie: strings.Clone(c.Get("Cookie")),
			query:  func(key string) string { return strings.Clone(c.Query(key)) },
			lose:   func() { _ = c.RequestCtx().Conn().Close() },
		})
		return c.Status(status).Type("html").SendString(page)
	})
	run := func(l net.Listener) error {
		return app.Listener(l, fiberv3.ListenConfig{DisableStartupMessage: true})
	}
	return listen(t, run, app.ShutdownWithTimeout)
}

// listen runs a server on a free port of this machine until the test ends.
func listen(t *testing.T, run func(net.Listener) error, shutdown func(time.Duration) error) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run(l) }()
	t.Cleanup(func() {
		if err := shutdown(time.Second); err != nil {
			t.Log(err) // The browser keeps its connection.
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// noIcon keeps browsers from asking for the icon, which would be one more request with the cookie.
const noIcon = `<!doctype html><link rel="icon" href="data:,">`

// storyScript is what the stories do in the page. Send returns the status and the text of the answer, or "lost".
const storyScript = noIcon + `<form method="post"><button>Sign in</button></form><script>
async function send(path, options) {
	try {
		const answer = await fetch(path, {method: "POST", ...options})
		return answer.status + " " + (await answer.text()).replace(/<[^>]*>/g, "")
	} catch {
		return "lost"
	}
}
async function whilePolling(path) {
	const sent = [send("/poll")]
	const timer = setInterval(() => sent.push(send("/poll")), 10)
	await sent[0]
	const answer = await send(path)
	clearInterval(timer)
	const refused = (await Promise.all(sent)).filter((poll) => !poll.startsWith("200 "))
	return [answer, ...refused].join("\n")
}
function inAWhile(what) {
	return new Promise((resolve) => setTimeout(() => resolve(what()), 120))
}
async function doubleClick(path) {
	return (await Promise.all([send(path), inAWhile(() => send(path))])).join("\n")
}
async function doubleSubmit(path) {
	const form = document.querySelector("form"), button = document.querySelector("button")
	form.action = path
	button.click()
	await inAWhile(() => button.click())
}
let abort, answer
function begin(path) {
	abort = new AbortController()
	answer = send(path, {signal: abort.signal})
}
</script>`
