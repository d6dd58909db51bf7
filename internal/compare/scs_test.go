package compare

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"
)

// scsStore is scs's memory store with faults.
type scsStore struct {
	*scsmem.MemStore
	faults *faults
}

func (s scsStore) Find(token string) ([]byte, bool, error) {
	if err := s.faults.onLoad(); err != nil {
		return nil, false, err
	}
	return s.MemStore.Find(token)
}

func (s scsStore) Commit(token string, b []byte, expiry time.Time) error {
	if err := s.faults.onSave(); err != nil {
		return err
	}
	s.faults.key.Store(token)
	return s.MemStore.Commit(token, b, expiry)
}

// scsSession is a session of scs. The middleware saves it, so save does nothing.
type scsSession struct {
	m   *scs.SessionManager
	ctx context.Context //nolint:containedctx // scs keeps the session there
}

func (v scsSession) get(key string) any { return v.m.Get(v.ctx, key) }

func (v scsSession) set(key string, value any) error { v.m.Put(v.ctx, key, value); return nil }

func (v scsSession) destroy() error { return v.m.Destroy(v.ctx) }

func (v scsSession) save() error { return nil }

func startSCS(t *testing.T, f *faults, p handler) string {
	t.Helper()
	m := scs.New()
	m.Store = scsStore{scsmem.NewWithCleanupInterval(0), f}
	return serve(t, m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p(scsSession{m, r.Context()}, httpResponse{w})
	})))
}
