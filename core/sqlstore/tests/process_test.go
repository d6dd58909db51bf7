package tests_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// The test binary runs itself as another process: roleEnv tells that one what it is for.
const (
	roleEnv   = "SQLSTORE_TEST_ROLE"
	roleServe = "serve" // answers calls of a store on its standard input and output
	roleWrite = "write" // creates records and reports each that was acknowledged, until it is killed
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case roleServe:
		serve()
	case roleWrite:
		writeUntilKilled(os.Args[1], os.Args[2], os.Args[3])
	default:
		_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // it writes about each connection that a test breaks
		os.Exit(m.Run())
	}
}

// child starts the test binary in a role. It ends with the test.
func child(tb testing.TB, role string, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out io.Reader) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd = exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), roleEnv+"="+role), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	return cmd, in, out
}

// pipes is a connection made of two pipes.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// serve is the other process's side of remote.
func serve() {
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &service{stores: make(map[place]*sqlstore.Store)}); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
}

// Call is a call of any method of a store, and Answer what came of it. They are exported for net/rpc.
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
	stores map[place]*sqlstore.Store
}

func (s *service) store(p place) (*sqlstore.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.stores[p]; found != nil {
		return found, nil
	}
	made, err := p.open()
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
		a.Records, a.Next, err = target.List(ctx, c.Text, c.Record.Key, c.Limit)
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

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	_, in, out := child(tb, roleServe)
	client := rpc.NewClient(pipes{out, in})
	tb.Cleanup(func() { _ = client.Close() })
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
	a, err := r.call(ctx, Call{Method: "List", Text: prefix, Record: store.Record{Key: cursor}, Limit: limit})
	return a.Records, a.Next, err
}

const writersPerChild = 8

// writeUntilKilled creates and replaces records from several goroutines. It prints "n i" once replacement i of record n is
// acknowledged.
func writeUntilKilled(driver, dsn, prefix string) {
	s, err := place{driver, dsn, sqlstore.SQLite}.open()
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range writersPerChild {
		wg.Go(func() {
			rec := store.Record{Key: fmt.Sprint(prefix, n)}
			for i := 0; ; i++ {
				rec.Data = fmt.Append(nil, i)
				saved, err := save(s, rec)
				if err != nil {
					panic(err)
				}
				rec = saved
				mu.Lock()
				_, _ = fmt.Fprintln(os.Stdout, n, i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func save(s *sqlstore.Store, rec store.Record) (store.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.Save(ctx, rec)
}

// acknowledged reads what writeUntilKilled printed, until it is killed, and returns the last replacement of each record.
func acknowledged(out io.Reader, each func(count int)) map[int]int {
	last := make(map[int]int)
	lines := bufio.NewScanner(out)
	for count := 1; lines.Scan(); count++ {
		var n, i int
		if _, err := fmt.Sscan(lines.Text(), &n, &i); err == nil {
			last[n] = i
		}
		each(count)
	}
	return last
}
