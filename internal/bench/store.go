package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
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
	cloakroommem "github.com/cloakroom-go/sessions/core/memstore"
)

// storeUnderTest is a memory store that is called as its library calls it. Its sessions hold
// one small key.
type storeUnderTest struct {
	name string
	// sweepInterval is how often the store looks for expired sessions. It is 0 if the store
	// needs no sweep, because it does so as it is used, and negative if it never drops any.
	sweepInterval time.Duration
	put           func(expires time.Time) (key string, err error)
	get           func(key string) bool
	close         func()
}

// storeConstructor returns an empty store.
type storeConstructor func(ctx context.Context) (*storeUnderTest, error)

// storesUnderTest returns the constructors of all stores, Cloakroom's first.
func storesUnderTest() []storeConstructor {
	return []storeConstructor{newCloakroomStore, newFiberStore, newSCSStore, newGorillaStore}
}

var errNotStored = errors.New("the session was not stored")

// fill puts sessions into the store, which expire at early and at late in alternation. It
// returns the keys of some that expire at late.
func (s *storeUnderTest) fill(sessions int, early, late time.Time) (keys []string, err error) {
	for i := range sessions {
		expires := early
		if i%2 == 1 {
			expires = late
		}
		key, err := s.put(expires)
		if err != nil {
			return nil, err
		}
		if i%512 == 511 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// longestRead reads the keys from one time to another and returns the duration of the slowest
// read.
func (s *storeUnderTest) longestRead(
	keys []string, from, to time.Time,
) (longest time.Duration, err error) {
	time.Sleep(time.Until(from))
	now := time.Now()
	for i := 0; now.Before(to); i++ {
		if !s.get(keys[i%len(keys)]) {
			return 0, fmt.Errorf("%s: %w", s.name, errNotStored)
		}
		after := time.Now()
		longest = max(longest, after.Sub(now))
		now = after
	}
	return longest, nil
}

func newCloakroomStore(ctx context.Context) (*storeUnderTest, error) {
	s := cloakroommem.New(cloakroommem.Options{MaxRecords: 1 << 30, MaxBytes: 1 << 40})
	data, err := cloakroomRecord(ctx)
	return &storeUnderTest{
		name: cloakroomName,
		put: func(expires time.Time) (string, error) {
			id, err := uuid.NewV7()
			if err != nil {
				return "", err
			}
			rec, err := s.Save(ctx, core.Record{
				Key: core.DefaultPrefix + id.String(), Data: bytes.Clone(data), Expires: expires,
			})
			return rec.Key, err
		},
		get:   func(key string) bool { _, err := s.Load(ctx, key); return err == nil },
		close: func() { _ = s.Close() },
	}, err
}

// cloakroomRecord returns the data of a record as the Manager stores it.
func cloakroomRecord(ctx context.Context) ([]byte, error) {
	s := cloakroommem.New(cloakroommem.Options{})
	var b builder = cloakroomBuilder{
		openStore: func(environment) (core.Store, func(), error) { return s, func() {}, nil },
		mount:     fiberCloakroom,
	}
	a, err := b.build(environment{})
	if err != nil {
		return nil, err
	}
	if _, _, err := a.visit(ctx, actionCreate, ""); err != nil {
		return nil, err
	}
	all, _, err := s.List(ctx, "", "", 1)
	if err != nil || len(all) != 1 {
		return nil, errors.Join(err, errNotStored)
	}
	return all[0].Data, nil
}

func newFiberStore(ctx context.Context) (*storeUnderTest, error) {
	store := session.New()
	a := fiberApp(environment{}, fiberSession{store})
	cookie, _, err := a.visit(ctx, actionCreate, "")
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(cookie, "=")
	data, err := store.Storage.Get(id)
	if err == nil && data == nil {
		err = errNotStored
	}
	return &storeUnderTest{
		name: "Fiber session", sweepInterval: 10 * time.Second,
		put: func(expires time.Time) (string, error) {
			key := utils.UUIDv4()
			return key, store.Storage.Set(key, data, time.Until(expires)) // copies both
		},
		get: func(key string) bool {
			data, err := store.Storage.Get(key)
			return err == nil && data != nil
		},
		close: func() { _ = store.Storage.Close() },
	}, err
}

func newSCSStore(context.Context) (*storeUnderTest, error) {
	// The default of scs is one minute, which takes longer and changes nothing else.
	const sweepInterval = 10 * time.Second
	store := scsmem.NewWithCleanupInterval(sweepInterval)
	values := map[string]any{counterKey: 1}
	data, err := scs.GobCodec{}.Encode(time.Now().Add(24*time.Hour), values)
	return &storeUnderTest{
		name: "scs", sweepInterval: sweepInterval,
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

// newGorillaStore returns the store that gin-contrib and echo-contrib use. It never drops a
// session.
func newGorillaStore(ctx context.Context) (*storeUnderTest, error) {
	store := memstore.NewMemStore([]byte(signingKey))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	w := &responseRecorder{header: http.Header{}}
	return &storeUnderTest{
		name: "gin-contrib, echo-contrib", sweepInterval: -1,
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
