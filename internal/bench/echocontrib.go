package bench

import (
	"context"
	"strconv"

	"github.com/boj/redistore"
	gorilla "github.com/gorilla/sessions"
	"github.com/quasoft/memstore"
	"github.com/rbcervilla/redisstore/v9"
)

// echoContrib implements library with echo-contrib/session, on a version of Echo whose handlers
// are called with a C.
type echoContrib[C any] struct {
	get  func(name string, c C) (*gorilla.Session, error)
	save func(s *gorilla.Session, c C) error
}

func (l echoContrib[C]) start(c C, p *payload) error {
	s, err := l.get(cookieName, c)
	if err != nil {
		return err
	}
	for _, key := range p.keys {
		s.Values[key] = p.value
	}
	s.Values[counterKey] = 1
	return l.save(s, c)
}

func (l echoContrib[C]) read(c C) (int, error) {
	s, err := l.get(cookieName, c)
	if err != nil {
		return 0, err
	}
	n, _ := s.Values[counterKey].(int)
	return n, nil
}

func (l echoContrib[C]) change(c C) error {
	s, err := l.get(cookieName, c)
	if err != nil {
		return err
	}
	n, ok := s.Values[counterKey].(int)
	if !ok {
		return errNotLoaded
	}
	s.Values[counterKey] = n + 1
	return l.save(s, c)
}

func (l echoContrib[C]) create(c C) error {
	s, err := l.get(cookieName, c)
	if err != nil {
		return err
	}
	s.Values[counterKey] = 1
	return l.save(s, c)
}

// echoContribBuilder builds an app that uses echo-contrib/session.
type echoContribBuilder struct {
	openStore func(env environment) (gorilla.Store, func(), error)
	mount     func(env environment, store gorilla.Store) *app
}

func (b echoContribBuilder) build(env environment) (*app, error) {
	store, closeStore, err := b.openStore(env)
	if err != nil {
		return nil, err
	}
	out := b.mount(env, store)
	out.closers = append(out.closers, closeStore)
	return out, nil
}

// echoContribSubjects returns the subjects that use echo-contrib/session on a version of Echo. The
// function mount returns an app whose middleware uses the store.
func echoContribSubjects(
	framework string, mount func(env environment, store gorilla.Store) *app,
) []*subject {
	const peer = "echo-contrib/session"
	return []*subject{
		{framework, peer, inMemory, echoContribBuilder{openQuasoft, mount}},
		{framework, peer + " (rbcervilla)", inRedis, echoContribBuilder{openRbcervilla, mount}},
		{framework, peer + " (boj)", inRedis, echoContribBuilder{openBoj, mount}},
	}
}

func openQuasoft(environment) (gorilla.Store, func(), error) {
	return memstore.NewMemStore([]byte(signingKey)), func() {}, nil
}

func openRbcervilla(env environment) (gorilla.Store, func(), error) {
	client := newClient(env)
	store, err := redisstore.NewRedisStore(context.Background(), client)
	return store, func() { _ = client.Close() }, err
}

func openBoj(env environment) (gorilla.Store, func(), error) {
	store, err := redistore.NewRediStoreWithDB(
		10, "tcp", env.redis, "", "", strconv.Itoa(env.db), []byte(signingKey),
	)
	if err != nil {
		return nil, nil, err
	}
	store.SetMaxLength(0) // no limit; the default is 4 KiB
	return store, func() { _ = store.Close() }, nil
}
