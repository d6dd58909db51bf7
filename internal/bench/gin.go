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

// cookieName and signingKey are the peers'.
const (
	cookieName = "session"
	signingKey = "thirty-two bytes to sign cookies"
)

// ginSite mounts the actions behind some middleware.
func ginSite(w world, lib library[*gin.Context], use ...gin.HandlerFunc) *site {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(use...)
	for a := range actions {
		e.GET(a.path(), func(c *gin.Context) {
			n, err := perform(lib, a, w.payload, c)
			switch {
			case err != nil:
				c.String(http.StatusInternalServerError, "%v", err)
			case a == value:
				_, _ = c.Writer.WriteString(strconv.Itoa(n))
			default:
				_, _ = c.Writer.WriteString(okBody)
			}
		})
	}
	return &site{http: e}
}

func ginContenders() []*contender {
	const name, peer = "Gin", "gin-contrib/sessions"
	out := []*contender{
		{name, bareFramework, "", buildFunc(func(w world) (*site, error) { return ginSite(w, bare[*gin.Context]{}), nil })},
		{name, cookieKept, "", buildFunc(func(w world) (*site, error) {
			return ginSite(w, keeping[*gin.Context]{context: ginContext}, ginKeep), nil
		})},
	}
	out = append(out, ourContenders(name, mountGin)...)
	return append(out,
		&contender{name, peer, memoryStore, buildFunc(func(w world) (*site, error) {
			return contribSite(w, memstore.NewStore([]byte(signingKey))), nil
		})},
		&contender{name, peer, cookieStore, buildFunc(func(w world) (*site, error) {
			return contribSite(w, cookie.NewStore([]byte(signingKey))), nil
		})},
		&contender{name, peer, redisStore, buildFunc(contribRedis)},
	)
}

func mountGin(w world, m *core.Manager) *site {
	return ginSite(w, ours[*gin.Context]{sessions.Get}, sessions.Middleware(m))
}

func contribSite(w world, store contrib.Store) *site {
	return ginSite(w, contribGin{}, contrib.Sessions(cookieName, store))
}

func contribRedis(w world) (*site, error) {
	store, err := redis.NewStoreWithDB(10, "tcp", w.redis, "", "", strconv.Itoa(w.db), []byte(signingKey))
	if err != nil {
		return nil, err
	}
	inner, err := redis.GetRedisStore(store)
	if err != nil {
		return nil, err
	}
	inner.SetMaxLength(0) // by default 4 KiB are too much
	out := contribSite(w, store)
	out.end = append(out.end, func() { _ = inner.Close() })
	return out, nil
}

// contribGin is gin-contrib/sessions.
type contribGin struct{}

func (contribGin) start(c *gin.Context, p *payload) error {
	s := contrib.Default(c)
	for _, key := range p.keys {
		s.Set(key, p.value)
	}
	s.Set(counterKey, 1)
	return s.Save()
}

func (contribGin) read(c *gin.Context) (int, error) {
	n, _ := contrib.Default(c).Get(counterKey).(int)
	return n, nil
}

func (contribGin) change(c *gin.Context) error {
	s := contrib.Default(c)
	n, ok := s.Get(counterKey).(int)
	if !ok {
		return errNotLoaded
	}
	s.Set(counterKey, n+1)
	return s.Save()
}

func (contribGin) create(c *gin.Context) error {
	s := contrib.Default(c)
	s.Set(counterKey, 1)
	return s.Save()
}
