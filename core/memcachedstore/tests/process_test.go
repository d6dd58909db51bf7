package tests_test

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// childEnv makes the test binary another process that makes calls of a store.
const childEnv = "MEMCACHEDSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		serve()
		return
	}
	os.Exit(m.Run())
}

// pipes is a connection made of two pipes.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// serve is the other process: it answers on its standard input and output until that ends.
func serve() {
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &service{stores: make(map[string]store.Store)}); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
}

// Call is a call of a method of a store, and Answer what came of it. They are exported for net/rpc.
type Call struct {
	Servers []string
	Method  string
	Record  store.Record
	Budget  time.Duration
}

// Answer is what a call returned.
type Answer struct {
	Record store.Record
	Failed string
}

// service makes the calls that another process asks for.
type service struct {
	mu     sync.Mutex
	stores map[string]store.Store
}

func (s *service) store(servers []string) (store.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.Join(servers, " ")
	if found := s.stores[name]; found != nil {
		return found, nil
	}
	made, err := memcachedstore.New(memcachedstore.Options{Servers: servers})
	if err == nil {
		s.stores[name] = made
	}
	return made, err
}

// The names of methods.
const (
	methodLoad   = "Load"
	methodSave   = "Save"
	methodTouch  = "Touch"
	methodDelete = "Delete"
)

// Call makes one call. What it returns itself is a failure of the test.
func (s *service) Call(c Call, a *Answer) error {
	target, err := s.store(c.Servers)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Budget)
	defer cancel()
	switch c.Method {
	case methodLoad:
		a.Record, err = target.Load(ctx, c.Record.Key)
	case methodSave:
		a.Record, err = target.Save(ctx, c.Record)
	case methodDelete:
		err = target.Delete(ctx, c.Record.Key)
	case methodTouch:
		err = target.(store.Toucher).Touch(ctx, c.Record)
	}
	if err != nil {
		a.Failed = err.Error()
	}
	return nil
}

// remote is a store in another process.
type remote struct {
	client  *rpc.Client
	servers []string
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(servers []string) store.Store {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	client := rpc.NewClient(pipes{out, in})
	tb.Cleanup(func() {
		_ = client.Close()
		cancel()
		_ = cmd.Wait()
	})
	return func(servers []string) store.Store { return &remote{client, servers} }
}

func (r *remote) call(ctx context.Context, method string, rec store.Record) (store.Record, error) {
	c := Call{Servers: r.servers, Method: method, Record: rec, Budget: 30 * time.Second}
	if deadline, ok := ctx.Deadline(); ok {
		c.Budget = min(c.Budget, time.Until(deadline))
	}
	var a Answer
	if err := r.client.Call("Store.Call", c, &a); err != nil {
		return a.Record, err
	}
	for _, err := range []error{store.ErrNotFound, store.ErrConflict, store.ErrTooLarge} {
		if strings.HasPrefix(a.Failed, err.Error()) {
			return a.Record, err
		}
	}
	if a.Failed != "" {
		return a.Record, errors.New(a.Failed)
	}
	return a.Record, ctx.Err()
}

func (r *remote) Load(ctx context.Context, key string) (store.Record, error) {
	return r.call(ctx, methodLoad, store.Record{Key: key})
}

func (r *remote) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	return r.call(ctx, methodSave, rec)
}

func (r *remote) Delete(ctx context.Context, key string) error {
	_, err := r.call(ctx, methodDelete, store.Record{Key: key})
	return err
}

func (r *remote) Touch(ctx context.Context, rec store.Record) error {
	_, err := r.call(ctx, methodTouch, rec)
	return err
}
