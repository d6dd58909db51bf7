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

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
)

// The test binary runs itself as another process, which answers calls of a store on its standard input and output when
// roleEnv tells it to.
const roleEnv = "MONGOSTORE_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
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

// serve is the other process's side of remote.
func serve() {
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &service{stores: make(map[place]*mongostore.Store)}); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), roleEnv+"=1"), os.Stderr
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
	return func(p place) store.Store { return &remote{client, p} }
}

// Call is a call of any method of a store, and Answer what came of it. They are exported for net/rpc.
type Call struct {
	Place  place
	Method string
	Record store.Record
	Text   string
	Cursor string
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
	client *mongo.Client
	stores map[place]*mongostore.Store
}

// store returns the store at a place. All have one client.
func (s *service) store(p place) (*mongostore.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.stores[p]; found != nil {
		return found, nil
	}
	parsed, err := connstring.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	if s.client == nil {
		if s.client, err = mongo.Connect(options.Client().ApplyURI(p.URL)); err != nil {
			return nil, err
		}
	}
	made, err := mongostore.New(s.client.Database(parsed.Database).Collection(p.Collection), quiet())
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
	case methodDelete:
		err = target.Delete(ctx, c.Text)
	case "Touch":
		err = target.Touch(ctx, c.Record)
	case "BySubject":
		a.Records, err = target.BySubject(ctx, c.Text)
	case "List":
		a.Records, a.Next, err = target.List(ctx, c.Text, c.Cursor, c.Limit)
	}
	if err != nil {
		a.Failed = err.Error()
	}
	return nil
}

// methodDelete is not that of HTTP.
const methodDelete = "Delete"

// remote is a store in another process.
type remote struct {
	client *rpc.Client
	place  place
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
		if strings.HasPrefix(a.Failed, err.Error()) {
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
	_, err := r.call(ctx, Call{Method: methodDelete, Text: key})
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
	a, err := r.call(ctx, Call{Method: "List", Text: prefix, Cursor: cursor, Limit: limit})
	return a.Records, a.Next, err
}
