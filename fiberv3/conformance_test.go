package sessions_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adaptertest"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// TestConformance proves that the adapter keeps the rules of every adapter.
func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: start})
}

// TestConformanceWithoutNormalizing has an application in which the names of fields keep their spelling.
func TestConformanceWithoutNormalizing(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: func(t *testing.T, a adaptertest.App) string {
		t.Helper()
		return startWith(t, newSuiteApp(&fiber.Config{DisableHeaderNormalizing: true}, a), a)
	}})
}

// newApp returns an application that answers its own panics.
func newApp(handler fiber.ErrorHandler) *fiber.App {
	app := fiber.New(fiber.Config{ErrorHandler: handler})
	app.Use(fiberrecover.New())
	return app
}

func start(t *testing.T, a adaptertest.App) string {
	t.Helper()
	return startWith(t, newSuiteApp(&fiber.Config{}, a), a)
}

// newSuiteApp returns an application with the error handler that the suite needs.
func newSuiteApp(config *fiber.Config, a adaptertest.App) *fiber.App {
	config.ErrorHandler = sessions.ErrorHandler(failing(a.Failed))
	return fiber.New(*config)
}

// startWith is start with an application that has nothing mounted yet.
func startWith(t *testing.T, app *fiber.App, a adaptertest.App) string {
	t.Helper()
	app.Use(fiberrecover.New())
	if a.ReadCookies {
		app.Use(readCookies)
	}
	for _, m := range a.Engine {
		app.Use(sessions.Middleware(m))
	}
	group := app.Group("/group")
	for _, m := range a.Group {
		group.Use(sessions.Middleware(m))
	}
	for _, r := range a.Routes {
		if path, ok := strings.CutPrefix(r.Path, "/group"); ok {
			chain := guarded(r)
			group.Add([]string{r.Method}, path, chain[0], chain[1:]...)
		} else {
			chain := guarded(r)
			app.Add([]string{r.Method}, r.Path, chain[0], chain[1:]...)
		}
	}
	if a.NotFound != nil {
		app.Use(handler(a.NotFound))
	}
	return serve(t, app)
}

func readCookies(c fiber.Ctx) error {
	_ = c.Cookies("session")
	return c.Next()
}

// serve serves app on 127.0.0.1 until the test has ended.
func serve(t *testing.T, app *fiber.App) string {
	t.Helper()
	ln := listen(t)
	serveOn(t, app, ln)
	return "http://" + ln.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func serveOn(t *testing.T, app *fiber.App, ln net.Listener) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithTimeout(0); err != nil {
			_ = ln.Close()
		}
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// failing returns an error handler that calls failed, if there is one.
func failing(failed func(adaptertest.Context, int) error) fiber.ErrorHandler {
	if failed == nil {
		return nil
	}
	return func(c fiber.Ctx, err error) error {
		if status := new(fiber.Error); errors.As(err, &status) {
			return failed(request{c}, status.Code)
		}
		return fiber.DefaultErrorHandler(c, err)
	}
}

// guarded returns the handlers of a route, with what guards it.
func guarded(r adaptertest.Route) (chain []any) {
	if r.Guard.CrossOrigin != nil {
		chain = append(chain, sessions.RefuseCrossOrigin(r.Guard.CrossOrigin))
	}
	if r.Guard.Require != nil {
		chain = append(chain, sessions.Require(*r.Guard.Require))
	}
	if r.Guard.CSRFToken {
		chain = append(chain, sessions.RequireCSRFToken())
	}
	if r.Guard.SignOut != "" {
		return append(chain, sessions.SignOut(r.Guard.SignOut))
	}
	return append(chain, handler(r.Handler))
}

func handler(h adaptertest.Handler) fiber.Handler {
	return func(c fiber.Ctx) error { return h(request{c}) }
}

// request is the suite's view of one request.
type request struct{ c fiber.Ctx }

func (r request) Get() *sessions.Session                        { return sessions.Get(r.c) }
func (r request) GetFrom(m *sessions.Manager) *sessions.Session { return sessions.GetFrom(r.c, m) }
func (r request) Load() (*sessions.Session, error)              { return sessions.Load(r.c) }
func (r request) Lookup() (*sessions.Session, bool)             { return sessions.Lookup(r.c) }
func (r request) Commit() error                                 { return sessions.Commit(r.c) }
func (r request) Context() context.Context                      { return r.c.Context() }
func (r request) Query(name string) string                      { return r.c.Query(name) }
func (r request) Header(name string) string                     { return r.c.Get(name) }
func (r request) Form(name string) string                       { return r.c.FormValue(name) }
func (r request) ReturnPath(otherwise string) string            { return sessions.ReturnPath(r.c, otherwise) }
func (r request) SetHeader(name, value string)                  { r.c.Set(name, value) }
func (r request) AddHeader(name, value string)                  { r.c.Response().Header.Add(name, value) }

func (r request) Redirect(status int, target string) error {
	return r.c.Redirect().Status(status).To(target)
}
func (r request) Fail(status int) error { return fiber.NewError(status) }

func (r request) EarlyHints() error {
	return r.c.SendEarlyHints([]string{"</style.css>; rel=preload"})
}

func (r request) Body(status int, body string) error { return r.c.Status(status).SendString(body) }

func (r request) Status(status int) error {
	r.c.Status(status)
	return nil
}

func (r request) Stream(write func(w adaptertest.Flusher)) error {
	return r.c.SendStream(&lateStream{write: func(w *bufio.Writer) { write(w) }})
}

// lateStream is a body stream that starts when the header has been sent. That of SendStreamWriter starts at once, beside
// the commit, so that nobody can tell whether a change of the session comes before that.
type lateStream struct {
	write func(w *bufio.Writer)
	body  io.ReadCloser
}

func (s *lateStream) Read(p []byte) (int, error) {
	if s.body == nil {
		s.body = fasthttp.NewStreamReader(s.write)
	}
	return s.body.Read(p)
}

func (s *lateStream) Close() error {
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}

func (r request) Upgrade(talk func(conn net.Conn)) error {
	r.c.Status(fiber.StatusSwitchingProtocols)
	r.c.Set(fiber.HeaderConnection, "Upgrade")
	r.c.Set(fiber.HeaderUpgrade, "echo")
	r.c.RequestCtx().Hijack(func(conn net.Conn) { talk(conn) })
	return nil
}
