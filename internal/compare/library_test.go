package peers

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
	ourmem "github.com/cloakroom-go/sessions/core/memstore"
	ourecho "github.com/cloakroom-go/sessions/echo"
	ourfiber "github.com/cloakroom-go/sessions/fiber"
	ourgin "github.com/cloakroom-go/sessions/gin"
)

// visitor is what every library lets a handler do with a session.
type visitor interface {
	get(key string) any
	set(key string, value any) error
	end() error
	save() error
}

// response is what every framework lets a handler do with its response.
type response interface {
	write(text string)
	flush()
}

// page is one handler, the same for every library.
type page func(visitor, response)

// faults makes a library's store fail. It also keeps what the store was given as keys.
type faults struct {
	load, save atomic.Bool
	key        atomic.Value
}

var errDown = errors.New("the store is down")

func (f *faults) onLoad() error { return f.failing(&f.load) }

func (f *faults) onSave() error { return f.failing(&f.save) }

func (f *faults) failing(when *atomic.Bool) error {
	if when.Load() {
		return errDown
	}
	return nil
}

// library is a session library on its framework, with its memory store and otherwise as it comes.
type library struct {
	name  string
	start func(t *testing.T, f *faults, p page) (url string)
}

// errorHeader marks an answer that glue gave because the library handed the handler an error instead of a session.
const errorHeader = "X-Library-Error"

func ours() []library {
	return []library{{"Gin", startOurGin}, {"Echo", startOurEcho}, {"Fiber", startOurFiber}}
}

func peers() []library {
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

type ourVisitor struct{ s *core.Session }

func (v ourVisitor) get(key string) any {
	var value any
	v.s.Get(key, &value)
	return value
}

func (v ourVisitor) set(key string, value any) error { return v.s.Set(key, value) }

func (v ourVisitor) end() error { v.s.Destroy(); return nil }

func (v ourVisitor) save() error { return nil }

// ourStore is the memory store with faults.
type ourStore struct {
	core.Store
	faults *faults
}

func (s ourStore) Load(ctx context.Context, key string) (core.Record, error) {
	if err := s.faults.onLoad(); err != nil {
		return core.Record{}, err
	}
	return s.Store.Load(ctx, key)
}

func (s ourStore) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	if err := s.faults.onSave(); err != nil {
		return core.Record{}, err
	}
	s.faults.key.Store(rec.Key + string(rec.Data))
	return s.Store.Save(ctx, rec)
}

func ourOptions(f *faults) core.Options {
	return core.Options{Store: ourStore{ourmem.New(ourmem.Options{}), f}, Logger: quiet()}
}

func startOurGin(t *testing.T, f *faults, p page) string {
	t.Helper()
	r := gin.New()
	r.Use(ourgin.New(ourOptions(f)))
	r.GET("/", func(c *gin.Context) { p(ourVisitor{ourgin.Get(c)}, ginResponse{c}) })
	return serve(t, r)
}

func startOurEcho(t *testing.T, f *faults, p page) string {
	t.Helper()
	e := echo.New()
	e.Use(ourecho.New(ourOptions(f)))
	e.GET("/", func(c echo.Context) error { p(ourVisitor{ourecho.Get(c)}, echoResponse{c}); return nil })
	return serve(t, e)
}

func startOurFiber(t *testing.T, f *faults, p page) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(ourfiber.New(ourOptions(f)))
	app.Get("/", func(c *fiber.Ctx) error { p(ourVisitor{ourfiber.Get(c)}, fiberResponse{c}); return nil })
	return serveFiber(t, app)
}

// gorillaStore is the memory store of the Gorilla family with faults.
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

// Options makes it a store of gin-contrib's.
func (s gorillaStore) Options(contribgin.Options) {}

const signingKey = "a key of thirty-two bytes, for us"

type ginVisitor struct{ s contribgin.Session }

func (v ginVisitor) get(key string) any { return v.s.Get(key) }

func (v ginVisitor) set(key string, value any) error { v.s.Set(key, value); return nil }

func (v ginVisitor) end() error {
	v.s.Clear()
	v.s.Options(contribgin.Options{Path: "/", MaxAge: -1})
	return v.s.Save()
}

func (v ginVisitor) save() error { return v.s.Save() }

func startContribGin(t *testing.T, f *faults, p page) string {
	t.Helper()
	r := gin.New()
	r.Use(contribgin.Sessions("session", gorillaStore{ginmem.NewStore([]byte(signingKey)), f}))
	r.GET("/", func(c *gin.Context) { p(ginVisitor{contribgin.Default(c)}, ginResponse{c}) })
	return serve(t, r)
}

type echoVisitor struct {
	s *gorilla.Session
	c echo.Context
}

func (v echoVisitor) get(key string) any { return v.s.Values[key] }

func (v echoVisitor) set(key string, value any) error { v.s.Values[key] = value; return nil }

func (v echoVisitor) end() error { v.s.Options.MaxAge = -1; return v.save() }

func (v echoVisitor) save() error { return v.s.Save(v.c.Request(), v.c.Response()) }

func startContribEcho(t *testing.T, f *faults, p page) string {
	t.Helper()
	e := echo.New()
	e.Use(contribecho.Middleware(gorillaStore{memstore.NewMemStore([]byte(signingKey)), f}))
	e.GET("/", func(c echo.Context) error {
		s, err := contribecho.Get("session", c)
		if err != nil {
			c.Response().Header().Set(errorHeader, err.Error())
			return err
		}
		p(echoVisitor{s, c}, echoResponse{c})
		return nil
	})
	return serve(t, e)
}

// fiberStorage is a map, since Fiber's own memory storage cannot be wrapped from outside.
type fiberStorage struct {
	plainMap
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

type fiberVisitor struct{ s *fibersession.Session }

func (v fiberVisitor) get(key string) any { return v.s.Get(key) }

func (v fiberVisitor) set(key string, value any) error { v.s.Set(key, value); return nil }

func (v fiberVisitor) end() error { return v.s.Destroy() }

func (v fiberVisitor) save() error { return v.s.Save() }

func startFiberSession(t *testing.T, f *faults, p page) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	store := fibersession.New(fibersession.Config{Storage: &fiberStorage{faults: f}})
	app.Get("/", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			c.Set(errorHeader, err.Error())
			return err
		}
		p(fiberVisitor{s}, fiberResponse{c})
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

// scsVisitor's middleware saves, so save does nothing.
type scsVisitor struct {
	m   *scs.SessionManager
	ctx context.Context //nolint:containedctx // scs keeps the session there
}

func (v scsVisitor) get(key string) any { return v.m.Get(v.ctx, key) }

func (v scsVisitor) set(key string, value any) error { v.m.Put(v.ctx, key, value); return nil }

func (v scsVisitor) end() error { return v.m.Destroy(v.ctx) }

func (v scsVisitor) save() error { return nil }

func startSCS(t *testing.T, f *faults, p page) string {
	t.Helper()
	m := scs.New()
	m.Store = scsStore{scsmem.NewWithCleanupInterval(0), f}
	return serve(t, m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p(scsVisitor{m, r.Context()}, httpResponse{w})
	})))
}
