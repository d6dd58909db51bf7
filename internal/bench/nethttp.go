package bench

import (
	"net/http"
	"strconv"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// netApp returns an app for net/http that performs the actions behind a middleware.
func netApp(
	env environment, lib library[*http.Request], middleware func(http.Handler) http.Handler,
) *app {
	mux, ok := http.NewServeMux(), []byte(okBody)
	for do := range numActions {
		mux.HandleFunc(do.path(), func(w http.ResponseWriter, r *http.Request) {
			n, err := perform(lib, do, env.payload, r)
			switch {
			case err != nil:
				http.Error(w, err.Error(), http.StatusInternalServerError)
			case do == actionCounter:
				_, _ = w.Write([]byte(strconv.Itoa(n)))
			default:
				_, _ = w.Write(ok)
			}
		})
	}
	return &app{http: middleware(mux)}
}

func netSubjects() []*subject {
	const framework, peer = onNetHTTP, "scs"
	none := func(h http.Handler) http.Handler { return h }
	out := []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return netApp(env, bareLibrary[*http.Request]{}, none), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[*http.Request]{contextOf: netContext}
			return netApp(env, lib, netBaseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(framework, netCloakroom)...)
	return append(out,
		&subject{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			// The cleanup goroutine cannot be stopped without a data race, and requests do not
			// depend on it.
			return scsApp(env, memstore.NewWithCleanupInterval(0)), nil
		})},
		&subject{framework, peer, inRedis, buildFunc(func(env environment) (*app, error) {
			client := newClient(env)
			out := scsApp(env, goredisstore.New(client))
			out.closers = append(out.closers, func() { _ = client.Close() })
			return out, nil
		})},
	)
}

func netCloakroom(env environment, m *core.Manager) *app {
	return netApp(env, cloakroomLibrary[*http.Request]{sessions.Get}, sessions.Middleware(m))
}

func scsApp(env environment, store scs.Store) *app {
	m := scs.New()
	m.Store = store
	return netApp(env, scsLibrary{m}, m.LoadAndSave)
}

// scsLibrary implements library with scs, whose middleware saves.
type scsLibrary struct{ m *scs.SessionManager }

func (l scsLibrary) start(r *http.Request, p *payload) error {
	for _, key := range p.keys {
		l.m.Put(r.Context(), key, p.value)
	}
	l.m.Put(r.Context(), counterKey, 1)
	return nil
}

func (l scsLibrary) read(r *http.Request) (int, error) {
	return l.m.GetInt(r.Context(), counterKey), nil
}

func (l scsLibrary) change(r *http.Request) error {
	n := l.m.GetInt(r.Context(), counterKey)
	if n == 0 {
		return errNotLoaded
	}
	l.m.Put(r.Context(), counterKey, n+1)
	return nil
}

func (l scsLibrary) create(r *http.Request) error {
	l.m.Put(r.Context(), counterKey, 1)
	return nil
}
