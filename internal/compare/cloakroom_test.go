package compare

import (
	"context"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	cloakroommem "github.com/cloakroom-go/sessions/core/memstore"
	cloakroomecho "github.com/cloakroom-go/sessions/echo"
	cloakroomechov5 "github.com/cloakroom-go/sessions/echov5"
	cloakroomfiber "github.com/cloakroom-go/sessions/fiber"
	cloakroomfiberv3 "github.com/cloakroom-go/sessions/fiberv3"
	cloakroomgin "github.com/cloakroom-go/sessions/gin"
	cloakroomhttp "github.com/cloakroom-go/sessions/nethttp"
)

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

// cloakroomStore is the memory store with faults.
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
	e.GET("/", func(c echo.Context) error {
		p(cloakroomSession{cloakroomecho.Get(c)}, httpResponse{c.Response()})
		return nil
	})
	return serve(t, e)
}

func startCloakroomEchoV5(t *testing.T, f *faults, p handler) string {
	t.Helper()
	e := echov5.New()
	e.Use(cloakroomechov5.New(cloakroomOptions(f)))
	e.GET("/", func(c *echov5.Context) error {
		p(cloakroomSession{cloakroomechov5.Get(c)}, httpResponse{c.Response()})
		return nil
	})
	return serve(t, e)
}

func startCloakroomFiber(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(cloakroomfiber.New(cloakroomOptions(f)))
	app.Get("/", func(c *fiber.Ctx) error { p(cloakroomSession{cloakroomfiber.Get(c)}, fiberResponse{c}); return nil })
	return serveFiber(t, app.Listener, app.ShutdownWithTimeout)
}

func startCloakroomFiberV3(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiberv3.New()
	app.Use(cloakroomfiberv3.New(cloakroomOptions(f)))
	app.Get("/", func(c fiberv3.Ctx) error { p(cloakroomSession{cloakroomfiberv3.Get(c)}, fiberResponse{c}); return nil })
	return serveFiberV3(t, app)
}

func startCloakroomHTTP(t *testing.T, f *faults, p handler) string {
	t.Helper()
	middleware := cloakroomhttp.New(cloakroomOptions(f))
	return serve(t, middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p(cloakroomSession{cloakroomhttp.Get(r)}, httpResponse{w})
	})))
}
