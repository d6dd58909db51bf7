package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/google/uuid"
	"github.com/quasoft/memstore"

	"github.com/cloakroom-go/sessions/core"
	ourmem "github.com/cloakroom-go/sessions/core/memstore"
)

// shelf is a memory store, used as its library uses it, with sessions of one small key.
type shelf struct {
	name  string
	sweep time.Duration // how often it looks for expired sessions; 0: as it is used; negative: never
	put   func(expires time.Time) (key string, err error)
	get   func(key string) bool
	close func()
}

// shelfMaker makes an empty shelf.
type shelfMaker func(ctx context.Context) (*shelf, error)

func shelves() []shelfMaker { return []shelfMaker{ourShelf, fiberShelf, scsShelf, gorillaShelf} }

func ourShelf(ctx context.Context) (*shelf, error) {
	s := ourmem.New(ourmem.Options{MaxRecords: 1 << 30, MaxBytes: 1 << 40})
	data, err := ourRecord(ctx)
	return &shelf{
		name: cloakroom,
		put: func(expires time.Time) (string, error) {
			id, err := uuid.NewV7()
			if err != nil {
				return "", err
			}
			rec, err := s.Save(ctx, core.Record{Key: core.DefaultPrefix + id.String(), Data: bytes.Clone(data), Expires: expires})
			return rec.Key, err
		},
		get:   func(key string) bool { _, err := s.Load(ctx, key); return err == nil },
		close: func() { _ = s.Close() },
	}, err
}

// ourRecord returns what the manager stores.
func ourRecord(ctx context.Context) ([]byte, error) {
	s := ourmem.New(ourmem.Options{})
	var b builder = ourSite{
		store: func(world) (core.Store, func(), error) { return s, func() {}, nil },
		mount: mountFiber,
	}
	made, err := b.build(world{})
	if err != nil {
		return nil, err
	}
	if _, _, err := made.visit(ctx, create, ""); err != nil {
		return nil, err
	}
	all, _, err := s.List(ctx, "", "", 1)
	if err != nil || len(all) != 1 {
		return nil, errors.Join(err, errNotStored)
	}
	return all[0].Data, nil
}

var errNotStored = errors.New("the session was not stored")

func fiberShelf(ctx context.Context) (*shelf, error) {
	store := session.New()
	cookie, _, err := fiberSite(world{}, fiberSession{store}).visit(ctx, create, "")
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(cookie, "=")
	data, err := store.Storage.Get(id)
	if err == nil && data == nil {
		err = errNotStored
	}
	return &shelf{
		name: "Fiber session", sweep: 10 * time.Second,
		put: func(expires time.Time) (string, error) {
			key := utils.UUIDv4()
			return key, store.Storage.Set(key, data, time.Until(expires)) // it copies both
		},
		get:   func(key string) bool { data, err := store.Storage.Get(key); return err == nil && data != nil },
		close: func() { _ = store.Storage.Close() },
	}, err
}

func scsShelf(context.Context) (*shelf, error) {
	const sweep = 10 * time.Second // a minute is usual, which takes longer and changes nothing else
	store := scsmem.NewWithCleanupInterval(sweep)
	data, err := scs.GobCodec{}.Encode(time.Now().Add(24*time.Hour), map[string]any{counterKey: 1})
	return &shelf{
		name: "scs", sweep: sweep,
		put: func(expires time.Time) (string, error) {
			var random [32]byte
			_, _ = rand.Read(random[:]) // never fails
			key := base64.RawURLEncoding.EncodeToString(random[:])
			return key, store.Commit(key, bytes.Clone(data), expires)
		},
		get:   func(key string) bool { _, ok, _ := store.Find(key); return ok },
		close: store.StopCleanup,
	}, err
}

// gorillaShelf is what gin-contrib and echo-contrib use. It never drops anything.
func gorillaShelf(ctx context.Context) (*shelf, error) {
	store := memstore.NewMemStore([]byte(signingKey))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	w := &recorder{header: http.Header{}}
	return &shelf{
		name: "gin-contrib, echo-contrib", sweep: -1,
		put: func(time.Time) (string, error) {
			w.reset()
			s, err := store.New(r, cookieName)
			if err != nil {
				return "", err
			}
			s.Values[counterKey] = 1
			return s.ID, store.Save(r, w, s)
		},
		close: func() {},
	}, err
}
