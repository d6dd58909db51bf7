package fiberstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/fiberstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
)

// storage is a fiber.Storage of Fiber v2. Its values end after whole seconds, as those of Fiber's own do.
type storage struct {
	mu     sync.Mutex
	values map[string]value
	// between is called after a Get has read the value, in which another process may do something.
	between func()
}

type value struct {
	data []byte
	ends time.Time
}

func (s *storage) Get(key string) ([]byte, error) {
	s.mu.Lock()
	v, ok := s.values[key]
	between := s.between
	s.between = nil
	s.mu.Unlock()
	if between != nil {
		between()
	}
	if !ok || !v.ends.IsZero() && !time.Now().Before(v.ends) {
		return nil, nil
	}
	return v.data, nil
}

func (s *storage) Set(key string, data []byte, exp time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := value{data: data}
	if exp > 0 {
		v.ends = time.Now().Truncate(time.Second).Add(exp.Truncate(time.Second))
	}
	if s.values == nil {
		s.values = map[string]value{}
	}
	s.values[key] = v
	return nil
}

func (s *storage) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

// storageV3 is one of Fiber v3.
type storageV3 struct{ storage }

func (s *storageV3) GetWithContext(_ context.Context, key string) ([]byte, error) { return s.Get(key) }

func (s *storageV3) SetWithContext(_ context.Context, key string, data []byte, exp time.Duration) error {
	return s.Set(key, data, exp)
}

func (s *storageV3) DeleteWithContext(_ context.Context, key string) error { return s.Delete(key) }

func open(tb testing.TB, s fiberstore.Storage, o fiberstore.Options) *fiberstore.Store {
	tb.Helper()
	opened, err := fiberstore.New(s, o)
	if err != nil {
		tb.Fatal(err)
	}
	return opened
}

// TestConformance shows that in one process every rule holds.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, storage := range map[string]func() fiberstore.Storage{
		"v2": func() fiberstore.Storage { return &storage{} },
		"v3": func() fiberstore.Storage { return &storageV3{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := fiberstore.Options{OneProcess: true, AcceptStalls: true, MaxData: 1 << 20}
			storetest.Run(t, storetest.Config{
				New:       func(tb testing.TB) store.Store { tb.Helper(); return open(tb, storage(), o) },
				InProcess: true,
				TooLarge:  1<<20 + 1,
			})
		})
	}
}

// twoProcesses are stores on one storage that know nothing of each other.
func twoProcesses(t *testing.T) (shared *storage, first, second *fiberstore.Store, rec store.Record) {
	t.Helper()
	shared = &storage{}
	o := fiberstore.Options{AcceptLostUpdates: true, AcceptStalls: true}
	first, second = open(t, shared, o), open(t, shared, o)
	rec, err := first.Save(t.Context(), store.Record{Key: "session:1", Data: []byte("before")})
	if err != nil {
		t.Fatal(err)
	}
	return shared, first, second, rec
}

// TestTwoProcessesLoseAnUpdate and the next tests hold the documentation to what it says about several processes. If one
// of them fails, a promise holds that the documentation denies.
func TestTwoProcessesLoseAnUpdate(t *testing.T) {
	t.Parallel()
	shared, first, second, rec := twoProcesses(t)
	shared.between = func() {
		if _, err := second.Save(t.Context(), rec); err != nil {
			t.Errorf("the second process: %v", err)
		}
	}
	if _, err := first.Save(t.Context(), rec); err != nil {
		t.Errorf("the first process notices the change of the second one: %v", err)
	}
}

func TestTwoProcessesBringASessionBack(t *testing.T) {
	t.Parallel()
	shared, first, second, rec := twoProcesses(t)
	shared.between = func() {
		if err := second.Delete(t.Context(), rec.Key); err != nil {
			t.Error(err)
		}
	}
	if _, err := first.Save(t.Context(), rec); err != nil {
		t.Errorf("the first process notices the deletion of the second one: %v", err)
	}
	if _, err := second.Load(t.Context(), rec.Key); err != nil {
		t.Errorf("the deleted record is gone: %v", err)
	}
}

// TestOneProcessNoticesBoth is the same with one store.
func TestOneProcessNoticesBoth(t *testing.T) {
	t.Parallel()
	shared := &storage{}
	s := open(t, shared, fiberstore.Options{OneProcess: true, AcceptStalls: true})
	rec, err := s.Save(t.Context(), store.Record{Key: "session:1", Data: []byte("before")})
	if err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error)
	shared.between = func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := s.Save(ctx, rec); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second save between the read and the write of the first: %v", err)
		}
		go func() { deleted <- s.Delete(t.Context(), rec.Key) }()
	}
	if _, err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

// TestStorageReusesMemory has a storage that hands out memory in which it writes later.
func TestStorageReusesMemory(t *testing.T) {
	t.Parallel()
	shared := &storage{}
	s := open(t, shared, fiberstore.Options{OneProcess: true, AcceptStalls: true})
	if _, err := s.Save(t.Context(), store.Record{Key: "session:1", Data: []byte("before")}); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Load(t.Context(), "session:1")
	if err != nil {
		t.Fatal(err)
	}
	clear(shared.values["session:1"].data)
	if string(rec.Data) != "before" {
		t.Errorf("the record changes with the storage's memory: %q", rec.Data)
	}
}

func TestForeignValues(t *testing.T) {
	t.Parallel()
	shared := &storage{}
	s := open(t, shared, fiberstore.Options{OneProcess: true, AcceptStalls: true})
	for _, text := range []string{"", "x", "cloakrm1", "cloakrm1" + strings.Repeat("\x00", 24), "cloakrm1" + strings.Repeat("\xff", 30)} {
		if err := shared.Set("session:1", []byte(text), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), "session:1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", text, err)
		}
		saved, err := s.Save(t.Context(), store.Record{Key: "session:1"})
		if err != nil || saved.Version == 0 {
			t.Errorf("%q is in the way: %v", text, err)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	var none *storage
	for want, o := range map[string]fiberstore.Options{
		"no conditional writes":  {AcceptStalls: true},
		"conditional writes: se": {AcceptStalls: true, OneProcess: true, AcceptLostUpdates: true},
		"takes no context":       {OneProcess: true},
		"MaxData is -1":          {OneProcess: true, AcceptStalls: true, MaxData: -1},
	} {
		if _, err := fiberstore.New(&storage{}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want something about %q", o, err, want)
		}
	}
	for _, s := range []fiberstore.Storage{nil, none} {
		if _, err := fiberstore.New(s, fiberstore.Options{OneProcess: true}); err == nil {
			t.Error("a nil storage is accepted")
		}
	}
	if _, err := fiberstore.New(&storageV3{}, fiberstore.Options{OneProcess: true}); err != nil {
		t.Errorf("a storage of Fiber v3 is refused: %v", err)
	}
	s := open(t, &storageV3{}, fiberstore.Options{OneProcess: true})
	if _, err := core.NewManager(core.Options{Store: s, MaxSessions: 3}); err == nil {
		t.Error("MaxSessions is accepted without an index")
	}
}
