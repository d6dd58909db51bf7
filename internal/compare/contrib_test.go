package compare

import (
	"net/http"
	"testing"

	contribgin "github.com/gin-contrib/sessions"
	ginmem "github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
	contribecho "github.com/labstack/echo-contrib/session"
	contribechov5 "github.com/labstack/echo-contrib/v5/session"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"
	"github.com/quasoft/memstore"
)

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
	r *http.Request
	w http.ResponseWriter
}

func (v contribEchoSession) get(key string) any { return v.s.Values[key] }

func (v contribEchoSession) set(key string, value any) error { v.s.Values[key] = value; return nil }

func (v contribEchoSession) destroy() error { v.s.Options.MaxAge = -1; return v.save() }

func (v contribEchoSession) save() error { return v.s.Save(v.r, v.w) }

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
		p(contribEchoSession{s, c.Request(), c.Response()}, httpResponse{c.Response()})
		return nil
	})
	return serve(t, e)
}

func startContribEchoV5(t *testing.T, f *faults, p handler) string {
	t.Helper()
	e := echov5.New()
	e.Use(contribechov5.Middleware(gorillaStore{memstore.NewMemStore([]byte(signingKey)), f}))
	e.GET("/", func(c *echov5.Context) error {
		s, err := contribechov5.Get("session", c)
		if err != nil {
			c.Response().Header().Set(errorHeader, err.Error())
			return err
		}
		p(contribEchoSession{s, c.Request(), c.Response()}, httpResponse{c.Response()})
		return nil
	})
	return serve(t, e)
}
