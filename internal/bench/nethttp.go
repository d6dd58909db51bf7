package bench

import (
	"context"
	"net/http"
	"strconv"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// netSite mounts the actions of net/http, whose handlers find the session in the context, behind a middleware.
func netSite(w world, lib library[context.Context], wrap func(http.Handler) http.Handler) *site {
	mux, ok := http.NewServeMux(), []byte(okBody)
	for a := range actions {
		mux.HandleFunc(a.path(), func(rw http.ResponseWriter, r *http.Request) {
			n, err := perform(lib, a, w.payload, r.Context())
			switch {
			case err != nil:
				http.Error(rw, err.Error(), http.StatusInternalServerError)
			case a == value:
				_, _ = rw.Write([]byte(strconv.Itoa(n)))
			default:
				_, _ = rw.Write(ok)
			}
		})
	}
	return &site{http: wrap(mux)}
}

func netContenders() []*contender {
	const name, peer = "net/http", "scs"
	none := func(h http.Handler) http.Handler { return h }
	return []*contender{
		{name, bareFramework, "", buildFunc(func(w world) (*site, error) { return netSite(w, bare[context.Context]{}, none), nil })},
		{name, cookieKept, "", buildFunc(func(w world) (*site, error) {
			return netSite(w, keeping[context.Context]{context: netContext}, netKeep), nil
		})},
		{name, peer, memoryStore, buildFunc(func(w world) (*site, error) {
			// Without its sweep, which takes no part in requests, and cannot be stopped without a data race.
			return scsSite(w, memstore.NewWithCleanupInterval(0)), nil
		})},
		{name, peer, redisStore, buildFunc(func(w world) (*site, error) {
			client := newClient(w)
			out := scsSite(w, goredisstore.New(client))
			out.end = append(out.end, func() { _ = client.Close() })
			return out, nil
		})},
	}
}

func scsSite(w world, store scs.Store) *site {
	m := scs.New()
	m.Store = store
	return netSite(w, scsLibrary{m}, m.LoadAndSave)
}

// scsLibrary is scs, whose middleware saves.
type scsLibrary struct{ m *scs.SessionManager }

func (l scsLibrary) start(ctx context.Context, p *payload) error {
	for _, key := range p.keys {
		l.m.Put(ctx, key, p.value)
	}
	l.m.Put(ctx, counterKey, 1)
	return nil
}

func (l scsLibrary) read(ctx context.Context) (int, error) { return l.m.GetInt(ctx, counterKey), nil }

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
