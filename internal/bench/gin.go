package bench

import (
	"net/http"
	"strconv"

	contrib "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// cookieName and signingKey are what the other libraries are configured with.
const (
	cookieName = "session"
	signingKey = "thirty-two bytes to sign cookies"
)

// ginApp returns an app that performs the actions behind some middleware.
func ginApp(env environment, lib library[*gin.Context], middleware ...gin.HandlerFunc) *app {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(middleware...)
	for do := range numActions {
		e.GET(do.path(), func(c *gin.Context) {
			n, err := perform(lib, do, env.payload, c)
			switch {
			case err != nil:
				c.String(http.StatusInternalServerError, "%v", err)
			case do == actionCounter:
				_, _ = c.Writer.WriteString(strconv.Itoa(n))
			default:
				_, _ = c.Writer.WriteString(okBody)
			}
		})
	}
	return &app{http: e}
}

func ginSubjects() []*subject {
	const framework, peer = onGin, "gin-contrib/sessions"
	out := []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return ginApp(env, bareLibrary[*gin.Context]{}), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[*gin.Context]{contextOf: ginContext}
			return ginApp(env, lib, ginBaseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(framework, ginCloakroom)...)
	return append(out,
		&subject{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			return ginContribApp(env, memstore.NewStore([]byte(signingKey))), nil
		})},
		&subject{framework, peer, inCookie, buildFunc(func(env environment) (*app, error) {
			return ginContribApp(env, cookie.NewStore([]byte(signingKey))), nil
		})},
		&subject{framework, peer, inRedis, buildFunc(ginContribRedisApp)},
	)
}

func ginCloakroom(env environment, m *core.Manager) *app {
	return ginApp(env, cloakroomLibrary[*gin.Context]{sessions.Get}, sessions.Middleware(m))
}

func ginContribApp(env environment, store contrib.Store) *app {
	return ginApp(env, ginContrib{}, contrib.Sessions(cookieName, store))
}

func ginContribRedisApp(env environment) (*app, error) {
	store, err := redis.NewStoreWithDB(
		10, "tcp", env.redis, "", "", strconv.Itoa(env.db), []byte(signingKey),
	)
	if err != nil {
		return nil, err
	}
	inner, err := redis.GetRedisStore(store)
	if err != nil {
		return nil, err
	}
	inner.SetMaxLength(0) // no limit; the default is 4 KiB
	out := ginContribApp(env, store)
	out.closers = append(out.closers, func() { _ = inner.Close() })
	return out, nil
}

// ginContrib implements library with gin-contrib/sessions.
type ginContrib struct{}

func (ginContrib) start(c *gin.Context, p *payload) error {
	s := contrib.Default(c)
	for _, key := range p.keys {
		s.Set(key, p.value)
	}
	s.Set(counterKey, 1)
	return s.Save()
}

func (ginContrib) read(c *gin.Context) (int, error) {
	n, _ := contrib.Default(c).Get(counterKey).(int)
	return n, nil
}

func (ginContrib) change(c *gin.Context) error {
	s := contrib.Default(c)
	n, ok := s.Get(counterKey).(int)
	if !ok {
		return errNotLoaded
	}
	s.Set(counterKey, n+1)
	return s.Save()
}

func (ginContrib) create(c *gin.Context) error {
	s := contrib.Default(c)
	s.Set(counterKey, 1)
	return s.Save()
}
