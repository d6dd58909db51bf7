package faulttest

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// role tells the test binary that it is another process, which answers on its standard input and output.
const role = "SESSIONS_DRILL"

// Open opens the store at an address, and returns what closes it with all it holds.
type Open func(address string) (s store.Store, closeAll func() error, err error)

// Serve does the work of another process, if this is one, and reports whether it was. TestMain begins with it.
func Serve(open Open) bool {
	if os.Getenv(role) == "" {
		return false
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Process", newProcess(open)); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
	return true
}

// pipes is a connection made of two pipes.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// start starts another process. It ends with the test.
func start(tb testing.TB) *rpc.Client {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), role+"=1"), os.Stderr
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
	return client
}

// Remote starts another process and returns what opens stores in it.
func Remote(tb testing.TB) func(address string) store.Store {
	tb.Helper()
	client := start(tb)
	return func(address string) store.Store { return &remote{client, address} }
}

// remote is a store in another process.
type remote struct {
	client  *rpc.Client
	address string
}

func (r *remote) call(ctx context.Context, c Call) (Answer, error) {
	c.Address, c.Budget = r.address, patience
	if deadline, ok := ctx.Deadline(); ok {
		c.Budget = min(c.Budget, time.Until(deadline))
	}
	var a Answer
	if err := r.client.Call("Process.Store", c, &a); err != nil {
		return a, err
	}
	if a.Failed == "" {
		return a, ctx.Err()
	}
	for _, err := range []error{store.ErrNotFound, store.ErrConflict, store.ErrTooLarge, errors.ErrUnsupported} {
		if strings.Contains(a.Failed, err.Error()) {
			return a, err
		}
	}
	return a, errors.New(a.Failed)
}

func (r *remote) Load(ctx context.Context, key string) (store.Record, error) {
	a, err := r.call(ctx, Call{Method: callLoad, Text: key})
	return a.Record, err
}

func (r *remote) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	a, err := r.call(ctx, Call{Method: callSave, Record: rec})
	return a.Record, err
}

func (r *remote) Delete(ctx context.Context, key string) error {
	_, err := r.call(ctx, Call{Method: callDelete, Text: key})
	return err
}

func (r *remote) Touch(ctx context.Context, rec store.Record) error {
	_, err := r.call(ctx, Call{Method: callTouch, Record: rec})
	return err
}

func (r *remote) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	a, err := r.call(ctx, Call{Method: callBySubject, Text: subject})
	return a.Records, err
}

func (r *remote) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	a, err := r.call(ctx, Call{Method: callList, Text: prefix, Cursor: cursor, Limit: limit})
	return a.Records, a.Next, err
}
