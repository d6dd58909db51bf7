package bench

import (
	"context"
	"net/http"
	"strconv"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// netApp returns an app for net/http that performs the actions behind a middleware. Its
// handlers find the session in the request's context.
func netApp(
	env environment, lib library[context.Context], middleware func(http.Handler) http.Handler,
) *app {
	mux, ok := http.NewServeMux(), []byte(okBody)
	for do := range numActions {
		mux.HandleFunc(do.path(), func(w http.ResponseWriter, r *http.Request) {
			n, err := perform(lib, do, env.payload, r.Context())
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
	const framework, peer = "net/http", "scs"
	none := func(h http.Handler) http.Handler { return h }
	return []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return netApp(env, bareLibrary[context.Context]{}, none), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[context.Context]{contextOf: netContext}
			return netApp(env, lib, netBaseline), nil
		})},
		{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			// The cleanup goroutine cannot be stopped without a data race, and requests do not
			// depend on it.
			return scsApp(env, memstore.NewWithCleanupInterval(0)), nil
		})},
		{framework, peer, inRedis, buildFunc(func(env environment) (*app, error) {
			client := newClient(env)
			out := scsApp(env, goredisstore.New(client))
			out.closers = append(out.closers, func() { _ = client.Close() })
			return out, nil
		})},
	}
}

func scsApp(env environment, store scs.Store) *app {
	m := scs.New()
	m.Store = store
	return netApp(env, scsLibrary{m}, m.LoadAndSave)
}

// scsLibrary implements library with scs, whose middleware saves.
type scsLibrary struct{ m *scs.SessionManager }

func (l scsLibrary) start(ctx context.Context, p *payload) error {
	for _, key := range p.keys {
		l.m.Put(ctx, key, p.value)
	}
	l.m.Put(ctx, counterKey, 1)
	return nil
}

func (l scsLibrary) read(ctx context.Context) (int, error) {
	return l.m.GetInt(ctx, counterKey), nil
}

func (l scsLibrary) change(ctx context.Context) error {
	n := l.m.GetInt(ctx, counterKey)
	if n == 0 {
		return errNotLoaded
	}
	l.m.Put(ctx, counterKey, n+1)
	return nil
}

func (l scsLibrary) create(ctx context.Context) error {
	l.m.Put(ctx, counterKey, 1)
	return nil
}
