package compare

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"
	contribgin "github.com/gin-contrib/sessions"
	ginmem "github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	gorilla "github.com/gorilla/sessions"
	contribecho "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
	"github.com/quasoft/memstore"

	"github.com/cloakroom-go/sessions/core"
	cloakroommem "github.com/cloakroom-go/sessions/core/memstore"
	cloakroomecho "github.com/cloakroom-go/sessions/echo"
	cloakroomfiber "github.com/cloakroom-go/sessions/fiber"
	cloakroomgin "github.com/cloakroom-go/sessions/gin"
)

// handlerSession is what a handler does with a session of any library.
type handlerSession interface {
	get(key string) any
	set(key string, value any) error
	destroy() error
	save() error
}

// responseWriter is what a handler does with its response on any framework.
type responseWriter interface {
	write(text string)
	flush()
}

// handler is a handler for all libraries.
type handler func(handlerSession, responseWriter)

// faults makes the store of a library fail. It also records the keys that the store was given.
type faults struct {
	load, save atomic.Bool
	key        atomic.Value
}

var errDown = errors.New("the store is down")

func (f *faults) onLoad() error { return f.fail(&f.load) }

func (f *faults) onSave() error { return f.fail(&f.save) }

func (f *faults) fail(when *atomic.Bool) error {
	if when.Load() {
		return errDown
	}
	return nil
}

// library is a session library on its framework, with its memory store and its defaults.
type library struct {
	name  string
	start func(t *testing.T, f *faults, p handler) (url string)
}

// errorHeader is set in the response if the library returns an error instead of a session.
const errorHeader = "X-Library-Error"

func cloakroomLibraries() []library {
	return []library{{"Gin", startCloakroomGin}, {"Echo", startCloakroomEcho}, {"Fiber", startCloakroomFiber}}
}

func otherLibraries() []library {
	return []library{
		{"gin-contrib/sessions", startContribGin},
		{"echo-contrib/session", startContribEcho},
		{"Fiber session", startFiberSession},
		{"scs", startSCS},
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func serveFiber(t *testing.T, app *fiber.App) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return "http://" + listener.Addr().String()
}

// Responses.

type httpResponse struct{ http.ResponseWriter }

func (r httpResponse) write(text string) { _, _ = r.Write([]byte(text)) }

func (r httpResponse) flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

type ginResponse struct{ c *gin.Context }

func (r ginResponse) write(text string) { _, _ = r.c.Writer.WriteString(text) }

func (r ginResponse) flush() { r.c.Writer.Flush() }

type echoResponse struct{ c echo.Context }

func (r echoResponse) write(text string) { _, _ = r.c.Response().Write([]byte(text)) }

func (r echoResponse) flush() { r.c.Response().Flush() }

// fiberResponse cannot flush: Fiber sends a handler's response when the handler has returned.
type fiberResponse struct{ c *fiber.Ctx }

func (r fiberResponse) write(text string) { _, _ = r.c.WriteString(text) }

func (r fiberResponse) flush() {}

// Cloakroom. Its middleware saves, so save does nothing.

type cloakroomSession struct{ s *core.Session }

func (v cloakroomSession) get(key string) any {
	var value any
	v.s.Get(key, &value)
	return value
}

func (v cloakroomSession) set(key string, value any) error { return v.s.Set(key, value) }

func (v cloakroomSession) destroy() error { v.s.Destroy(); return nil }

func (v cloakroomSession) save() error { return nil }

// ourStore is the memory store with faults.
type cloakroomStore struct {
	core.Store
	faults *faults
}

func (s cloakroomStore) Load(ctx context.Context, key string) (core.Record, error) {
	if err := s.faults.onLoad(); err != nil {
		return core.Record{}, err
	}
	return s.Store.Load(ctx, key)
}

func (s cloakroomStore) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	if err := s.faults.onSave(); err != nil {
		return core.Record{}, err
	}
	s.faults.key.Store(rec.Key + string(rec.Data))
	return s.Store.Save(ctx, rec)
}

func cloakroomOptions(f *faults) core.Options {
	return core.Options{Store: cloakroomStore{cloakroommem.New(cloakroommem.Options{}), f}, Logger: discardLogger()}
}

func startCloakroomGin(t *testing.T, f *faults, p handler) string {
	t.Helper()
	r := gin.New()
	r.Use(cloakroomgin.New(cloakroomOptions(f)))
	r.GET("/", func(c *gin.Context) { p(cloakroomSession{cloakroomgin.Get(c)}, ginResponse{c}) })
	return serve(t, r)
}

func startCloakroomEcho(t *testing.T, f *faults, p handler) string {
	t.Helper()
	e := echo.New()
	e.Use(cloakroomecho.New(cloakroomOptions(f)))
	e.GET("/", func(c echo.Context) error { p(cloakroomSession{cloakroomecho.Get(c)}, echoResponse{c}); return nil })
	return serve(t, e)
}

func startCloakroomFiber(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(cloakroomfiber.New(cloakroomOptions(f)))
	app.Get("/", func(c *fiber.Ctx) error { p(cloakroomSession{cloakroomfiber.Get(c)}, fiberResponse{c}); return nil })
	return serveFiber(t, app)
}

// gorillaStore is the memory store of gin-contrib or echo-contrib with faults.
type gorillaStore struct {
	gorilla.Store
	faults *faults
}

func (s gorillaStore) Get(r *http.Request, name string) (*gorilla.Session, error) {
	return gorilla.GetRegistry(r).Get(s, name)
}

func (s gorillaStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	out := gorilla.NewSession(s, name)
	out.Options, out.IsNew = &gorilla.Options{Path: "/", MaxAge: 3600}, true
	if err := s.faults.onLoad(); err != nil {
		return out, err
	}
	in, err := s.Store.New(r, name)
	if in != nil {
		out.ID, out.Values, out.Options, out.IsNew = in.ID, in.Values, in.Options, in.IsNew
	}
	return out, err
}

func (s gorillaStore) Save(r *http.Request, w http.ResponseWriter, session *gorilla.Session) error {
	if err := s.faults.onSave(); err != nil {
		return err
	}
	return s.Store.Save(r, w, session)
}

// Options implements the store interface of gin-contrib.
func (s gorillaStore) Options(contribgin.Options) {}

const signingKey = "a key of thirty-two bytes, for us"

type contribGinSession struct{ s contribgin.Session }

func (v contribGinSession) get(key string) any { return v.s.Get(key) }

func (v contribGinSession) set(key string, value any) error { v.s.Set(key, value); return nil }

func (v contribGinSession) destroy() error {
	v.s.Clear()
	v.s.Options(contribgin.Options{Path: "/", MaxAge: -1})
	return v.s.Save()
}

func (v contribGinSession) save() error { return v.s.Save() }

func startContribGin(t *testing.T, f *faults, p handler) string {
	t.Helper()
	r := gin.New()
	r.Use(contribgin.Sessions("session", gorillaStore{ginmem.NewStore([]byte(signingKey)), f}))
	r.GET("/", func(c *gin.Context) { p(contribGinSession{contribgin.Default(c)}, ginResponse{c}) })
	return serve(t, r)
}

type contribEchoSession struct {
	s *gorilla.Session
	c echo.Context
}

func (v contribEchoSession) get(key string) any { return v.s.Values[key] }

func (v contribEchoSession) set(key string, value any) error { v.s.Values[key] = value; return nil }

func (v contribEchoSession) destroy() error { v.s.Options.MaxAge = -1; return v.save() }

func (v contribEchoSession) save() error { return v.s.Save(v.c.Request(), v.c.Response()) }

func startContribEcho(t *testing.T, f *faults, p handler) string {
	t.Helper()
	e := echo.New()
	e.Use(contribecho.Middleware(gorillaStore{memstore.NewMemStore([]byte(signingKey)), f}))
	e.GET("/", func(c echo.Context) error {
		s, err := contribecho.Get("session", c)
		if err != nil {
			c.Response().Header().Set(errorHeader, err.Error())
			return err
		}
		p(contribEchoSession{s, c}, echoResponse{c})
		return nil
	})
	return serve(t, e)
}

// fiberStorage is a map, since Fiber's own memory storage cannot be wrapped from outside.
type fiberStorage struct {
	lockedMap
	faults *faults
}

func (s *fiberStorage) Get(key string) ([]byte, error) {
	if err := s.faults.onLoad(); err != nil {
		return nil, err
	}
	return s.load(key), nil
}

func (s *fiberStorage) Set(key string, value []byte, _ time.Duration) error {
	if err := s.faults.onSave(); err != nil {
		return err
	}
	s.faults.key.Store(key)
	s.store(key, value)
	return nil
}

func (s *fiberStorage) Delete(key string) error { s.remove(key); return nil }

func (s *fiberStorage) Reset() error { return nil }

func (s *fiberStorage) Close() error { return nil }

type fiberSession struct{ s *fibersession.Session }

func (v fiberSession) get(key string) any { return v.s.Get(key) }

func (v fiberSession) set(key string, value any) error { v.s.Set(key, value); return nil }

func (v fiberSession) destroy() error { return v.s.Destroy() }

func (v fiberSession) save() error { return v.s.Save() }

func startFiberSession(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	store := fibersession.New(fibersession.Config{Storage: &fiberStorage{faults: f}})
	app.Get("/", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			c.Set(errorHeader, err.Error())
			return err
		}
		p(fiberSession{s}, fiberResponse{c})
		return nil
	})
	return serveFiber(t, app)
}

// scsStore is scs's memory store with faults.
type scsStore struct {
	*scsmem.MemStore
	faults *faults
}

func (s scsStore) Find(token string) ([]byte, bool, error) {
	if err := s.faults.onLoad(); err != nil {
		return nil, false, err
	}
	return s.MemStore.Find(token)
}

func (s scsStore) Commit(token string, b []byte, expiry time.Time) error {
	if err := s.faults.onSave(); err != nil {
		return err
	}
	s.faults.key.Store(token)
	return s.MemStore.Commit(token, b, expiry)
}

// scsSession is a session of scs. The middleware saves it, so save does nothing.
type scsSession struct {
	m   *scs.SessionManager
	ctx context.Context //nolint:containedctx // scs keeps the session there
}

func (v scsSession) get(key string) any { return v.m.Get(v.ctx, key) }

func (v scsSession) set(key string, value any) error { v.m.Put(v.ctx, key, value); return nil }

func (v scsSession) destroy() error { return v.m.Destroy(v.ctx) }

func (v scsSession) save() error { return nil }

func startSCS(t *testing.T, f *faults, p handler) string {
	t.Helper()
	m := scs.New()
	m.Store = scsStore{scsmem.NewWithCleanupInterval(0), f}
	return serve(t, m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p(scsSession{m, r.Context()}, httpResponse{w})
	})))
}
