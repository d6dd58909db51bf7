package bench

import (
	"context"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/redisstore"
)

const counter = core.Key[int](counterKey)

// ours is this library on a framework whose handlers get a C.
type ours[C any] struct{ get func(c C) *core.Session }

func (o ours[C]) start(c C, p *payload) error {
	s := o.get(c)
	for _, key := range p.keys {
		if err := core.Key[string](key).Set(s, p.value); err != nil {
			return err
		}
	}
	return counter.Set(s, 1)
}

func (o ours[C]) read(c C) (int, error) { return counter.Get(o.get(c)), nil }

func (o ours[C]) change(c C) error {
	if counter.Update(o.get(c), func(n int) int { return n + 1 }) < 2 {
		return errNotLoaded
	}
	return nil
}

func (o ours[C]) create(c C) error { return counter.Set(o.get(c), 1) }

// ourMemory returns the default store and how it is closed.
func ourMemory(world) (core.Store, func(), error) {
	store := memstore.New(memstore.Options{})
	return store, func() { _ = store.Close() }, nil
}

// ourRedis returns the store in Redis and how it is closed.
func ourRedis(w world) (core.Store, func(), error) {
	client := newClient(w)
	store, err := redisstore.New(client, redisstore.Options{})
	return store, func() { _ = client.Close() }, err
}

// newClient returns a client of the benchmark's Redis.
func newClient(w world) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: w.redis, DB: w.db, ContextTimeoutEnabled: true})
}

// ourSite builds a site of this library.
type ourSite struct {
	store func(w world) (core.Store, func(), error)
	lazy  bool
	mount func(w world, m *core.Manager) *site
}

// build makes a manager with the defaults.
func (o ourSite) build(w world) (*site, error) {
	store, end, err := o.store(w)
	if err != nil {
		return nil, err
	}
	m, err := core.NewManager(core.Options{Store: store, Lazy: o.lazy, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	out := o.mount(w, m)
	out.end = append(out.end, func() { _ = m.Close(context.Background()); end() })
	return out, nil
}

// ourContenders are this library's on one framework. mount makes a site of a manager.
func ourContenders(framework string, mount func(w world, m *core.Manager) *site) []*contender {
	return []*contender{
		{framework, cloakroom, memoryStore, ourSite{ourMemory, false, mount}},
		{framework, cloakroomLazy, memoryStore, ourSite{ourMemory, true, mount}},
		{framework, cloakroom, redisStore, ourSite{ourRedis, false, mount}},
	}
}
