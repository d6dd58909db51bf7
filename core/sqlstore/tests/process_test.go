package tests_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
)

// roleWrite has the test binary create records and report each that was acknowledged, until it is killed.
const roleWrite = "SQLSTORE_TEST_WRITE"

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // it writes about each connection that a test breaks
	switch {
	case faulttest.Serve(openAt):
	case os.Getenv(roleWrite) != "":
		writeUntilKilled(os.Args[1], os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
}

// address is the place as text.
func (p place) address() string {
	text, _ := json.Marshal(p)
	return string(text)
}

// openAt opens a store at an address.
func openAt(address string) (store.Store, func() error, error) {
	var p place
	if err := json.Unmarshal([]byte(address), &p); err != nil {
		return nil, nil, err
	}
	return p.open()
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	handle := faulttest.Remote(tb)
	return func(p place) store.Store { return handle(p.address()) }
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		newStore(t, p.db(t), quiet(p.Dialect)) // which creates the table
		faulttest.Processes(t, p.address())
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		newStore(t, p.db(t), quiet(p.Dialect)) // which creates the table
		faulttest.Accounts(t, openAt, p.address())
	})
}

// child starts the test binary in a role. It ends with the test.
func child(tb testing.TB, role string, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out io.Reader) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd = exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // it is this program
	cmd.Env, cmd.Stderr = append(os.Environ(), role+"=1"), os.Stderr
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

const writersPerChild = 8

// writeUntilKilled creates and replaces records from several goroutines. It prints "n i" once replacement i of record n is
// acknowledged.
func writeUntilKilled(driver, dsn, prefix string) {
	s, _, err := place{driver, dsn, sqlstore.SQLite}.open()
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

func save(s store.Store, rec store.Record) (store.Record, error) {
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
