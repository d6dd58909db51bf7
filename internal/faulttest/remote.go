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

// processEnv is an environment variable. If it is set, the test binary serves the calls of
// another one on its standard input and output.
const processEnv = "SESSIONS_FAULTTEST"

// Open opens the store at an address. The function closeAll closes the store and everything
// that it uses.
type Open func(address string) (s store.Store, closeAll func() error, err error)

// Serve serves the calls of another process if this process was started for that. It returns
// false if it was not. TestMain must begin with it.
func Serve(open Open) bool {
	if os.Getenv(processEnv) == "" {
		return false
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Process", newProcess(open)); err != nil {
		panic(err)
	}
	server.ServeConn(pipeConn{os.Stdin, os.Stdout})
	return true
}

// pipeConn is a connection that consists of two pipes.
type pipeConn struct {
	io.Reader
	io.WriteCloser
}

// startProcess starts another process, which ends with the test.
func startProcess(tb testing.TB) *rpc.Client {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this program
	cmd.Env, cmd.Stderr = append(os.Environ(), processEnv+"=1"), os.Stderr
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
	client := rpc.NewClient(pipeConn{out, in})
	tb.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		_ = client.Close()
	})
	return client
}

// Remote starts another process and returns a function that opens stores in it.
func Remote(tb testing.TB) func(address string) store.Store {
	tb.Helper()
	client := startProcess(tb)
	return func(address string) store.Store { return &remoteStore{client, address} }
}

// remoteStore is a store in another process.
type remoteStore struct {
	client  *rpc.Client
	address string
}

func (r *remoteStore) call(ctx context.Context, c StoreCall) (StoreResult, error) {
	c.Address, c.Timeout = r.address, hangTimeout
	if deadline, ok := ctx.Deadline(); ok {
		c.Timeout = min(c.Timeout, time.Until(deadline))
	}
	var result StoreResult
	if err := r.client.Call("Process.Store", c, &result); err != nil {
		return result, err
	}
	if result.Err == "" {
		return result, ctx.Err()
	}
	for _, err := range []error{
		store.ErrNotFound, store.ErrConflict, store.ErrTooLarge, errors.ErrUnsupported,
	} {
		if strings.Contains(result.Err, err.Error()) {
			return result, err
		}
	}
	return result, errors.New(result.Err)
}

func (r *remoteStore) Load(ctx context.Context, key string) (store.Record, error) {
	result, err := r.call(ctx, StoreCall{Method: callLoad, Text: key})
	return result.Record, err
}

func (r *remoteStore) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	result, err := r.call(ctx, StoreCall{Method: callSave, Record: rec})
	return result.Record, err
}

func (r *remoteStore) Delete(ctx context.Context, key string) error {
	_, err := r.call(ctx, StoreCall{Method: callDelete, Text: key})
	return err
}

func (r *remoteStore) Touch(ctx context.Context, rec store.Record) error {
	_, err := r.call(ctx, StoreCall{Method: callTouch, Record: rec})
	return err
}

func (r *remoteStore) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	result, err := r.call(ctx, StoreCall{Method: callBySubject, Text: subject})
	return result.Records, err
}

func (r *remoteStore) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) ([]string, string, error) {
	call := StoreCall{Method: callSubjectKeys, Text: subject, Cursor: cursor, Limit: limit}
	result, err := r.call(ctx, call)
	return result.Keys, result.Next, err
}

func (r *remoteStore) List(
	ctx context.Context, prefix, cursor string, limit int,
) ([]store.Record, string, error) {
	call := StoreCall{Method: callList, Text: prefix, Cursor: cursor, Limit: limit}
	result, err := r.call(ctx, call)
	return result.Records, result.Next, err
}
