package tests_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// roleEnv tells the test binary that it is to answer calls of a store on its standard input and output.
const roleEnv = "REDISSTORE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		serve()
		return
	}
	flag.Parse()
	// Most tests wait most of the time, for time to pass or for a server that is away.
	set("test.parallel", "24")
	if addr := exampleAddr(); addr != "" {
		_ = os.Setenv("REDIS_ADDR", addr)
	} else {
		set("test.skip", "^Example")
	}
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}

// exampleAddr returns the address of the server that tests and example share, "" if there is none.
func exampleAddr() (addr string) {
	var missing skipped
	defer func() {
		if r := recover(); r != nil && r != missing {
			panic(r)
		}
	}()
	return testserver.Shared(&noTest{}, testserver.Redis{}).Addr()
}

// noTest stands in for a test where there is none.
type noTest struct{ testing.TB }

type skipped struct{}

func (*noTest) Helper()                  {}
func (*noTest) Context() context.Context { return context.Background() }
func (*noTest) Cleanup(func())           {}
func (*noTest) Skip(...any)              { panic(skipped{}) }
func (*noTest) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (*noTest) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

// pipes is a connection made of two pipes.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// serve is the other process's side of remote.
func serve() {
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &service{stores: make(map[place]*redisstore.Store)}); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
}

// Call is a call of a method of a store, and Answer what came of it. They are exported for net/rpc.
type Call struct {
	Place  place
	Method string
	Record store.Record
	Text   string
	Limit  int
	Budget time.Duration
}

// Answer is what a call returned.
type Answer struct {
	Record  store.Record
	Records []store.Record
	Next    string
	Failed  string
}

// service makes the calls that another process asks for.
type service struct {
	mu     sync.Mutex
	stores map[place]*redisstore.Store
}

func (s *service) store(p place) (*redisstore.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.stores[p]; found != nil {
		return found, nil
	}
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	made, err := redisstore.New(client, redisstore.Options{})
	if err == nil {
		s.stores[p] = made
	}
	return made, err
}

// Call makes one call. What it returns itself is a failure of the test.
func (s *service) Call(c Call, a *Answer) error {
	target, err := s.store(c.Place)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Budget)
	defer cancel()
	switch c.Method {
	case "Load":
		a.Record, err = target.Load(ctx, c.Text)
	case "Save":
		a.Record, err = target.Save(ctx, c.Record)
	case "Remove":
		err = target.Delete(ctx, c.Text)
	case "Touch":
		err = target.Touch(ctx, c.Record)
	case "BySubject":
		a.Records, err = target.BySubject(ctx, c.Text)
	case "List":
		a.Records, a.Next, err = target.List(ctx, c.Text, c.Record.Key, c.Limit)
	}
	if err != nil {
		a.Failed = err.Error()
	}
	return nil
}

// remote is a store in another process.
type remote struct {
	client *rpc.Client
	place  place
}

// newRemote starts another process, which ends with the test, and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), roleEnv+"=serve"), os.Stderr
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
		cancel()
		_ = cmd.Wait()
		_ = client.Close()
	})
	return func(p place) store.Store { return &remote{client, p} }
}

func (r *remote) call(ctx context.Context, c Call) (Answer, error) {
	c.Place, c.Budget = r.place, 30*time.Second
	if deadline, ok := ctx.Deadline(); ok {
		c.Budget = min(c.Budget, time.Until(deadline))
	}
	var a Answer
	if err := r.client.Call("Store.Call", c, &a); err != nil {
		return a, err
	}
	for _, err := range []error{store.ErrNotFound, store.ErrConflict, store.ErrTooLarge} {
		if strings.Contains(a.Failed, err.Error()) {
			return a, err
		}
	}
	if a.Failed != "" {
		return a, errors.New(a.Failed)
	}
	return a, ctx.Err()
}

func (r *remote) Load(ctx context.Context, key string) (store.Record, error) {
	a, err := r.call(ctx, Call{Method: "Load", Text: key})
	return a.Record, err
}

func (r *remote) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	a, err := r.call(ctx, Call{Method: "Save", Record: rec})
	return a.Record, err
}

func (r *remote) Delete(ctx context.Context, key string) error {
	_, err := r.call(ctx, Call{Method: "Remove", Text: key})
	return err
}

func (r *remote) Touch(ctx context.Context, rec store.Record) error {
	_, err := r.call(ctx, Call{Method: "Touch", Record: rec})
	return err
}

func (r *remote) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	a, err := r.call(ctx, Call{Method: "BySubject", Text: subject})
	return a.Records, err
}

func (r *remote) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	a, err := r.call(ctx, Call{Method: "List", Text: prefix, Record: store.Record{Key: cursor}, Limit: limit})
	return a.Records, a.Next, err
}
