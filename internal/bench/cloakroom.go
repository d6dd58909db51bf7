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

// cloakroomLibrary is Cloakroom on a framework whose handlers are called with a C.
type cloakroomLibrary[C any] struct{ get func(c C) *core.Session }

func (l cloakroomLibrary[C]) start(c C, p *payload) error {
	s := l.get(c)
	for _, key := range p.keys {
		if err := core.Key[string](key).Set(s, p.value); err != nil {
			return err
		}
	}
	return counter.Set(s, 1)
}

func (l cloakroomLibrary[C]) read(c C) (int, error) { return counter.Get(l.get(c)), nil }

func (l cloakroomLibrary[C]) change(c C) error {
	if counter.Update(l.get(c), func(n int) int { return n + 1 }) < 2 {
		return errNotLoaded
	}
	return nil
}

func (l cloakroomLibrary[C]) create(c C) error { return counter.Set(l.get(c), 1) }

// openMemstore returns the default store and a function that closes it.
func openMemstore(environment) (core.Store, func(), error) {
	store := memstore.New(memstore.Options{})
	return store, func() { _ = store.Close() }, nil
}

// openRedisstore returns the Redis store and a function that closes its client.
func openRedisstore(env environment) (core.Store, func(), error) {
	client := newClient(env)
	store, err := redisstore.New(client, redisstore.Options{})
	return store, func() { _ = client.Close() }, err
}

// newClient returns a client of the environment's Redis.
func newClient(env environment) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: env.redis, DB: env.db, ContextTimeoutEnabled: true,
	})
}

// cloakroomBuilder builds an app that uses Cloakroom with the default options.
type cloakroomBuilder struct {
	openStore func(env environment) (core.Store, func(), error)
	lazy      bool
	mount     func(env environment, m *core.Manager) *app
}

func (b cloakroomBuilder) build(env environment) (*app, error) {
	store, closeStore, err := b.openStore(env)
	if err != nil {
		return nil, err
	}
	m, err := core.NewManager(core.Options{
		Store: store, Lazy: b.lazy, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	out := b.mount(env, m)
	out.closers = append(out.closers, func() { _ = m.Close(context.Background()); closeStore() })
	return out, nil
}

// cloakroomSubjects returns the subjects that use Cloakroom on a framework. The function mount
// returns an app whose middleware uses the Manager.
func cloakroomSubjects(
	framework string, mount func(env environment, m *core.Manager) *app,
) []*subject {
	return []*subject{
		{framework, cloakroomName, inMemory, cloakroomBuilder{openMemstore, false, mount}},
		{framework, cloakroomLazyName, inMemory, cloakroomBuilder{openMemstore, true, mount}},
		{framework, cloakroomName, inRedis, cloakroomBuilder{openRedisstore, false, mount}},
	}
}
