package compare

import (
	"context"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
	cloakroommem "github.com/cloakroom-go/sessions/core/memstore"
	cloakroomecho "github.com/cloakroom-go/sessions/echo"
	cloakroomfiber "github.com/cloakroom-go/sessions/fiber"
	cloakroomgin "github.com/cloakroom-go/sessions/gin"
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
