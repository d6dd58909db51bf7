package tests_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// startWith starts a memcached with arguments of its own on a Unix socket, and returns the socket's path.
func startWith(t *testing.T, args ...string) string {
	t.Helper()
	testserver.Shared(t, roomy()) // skips, or fails, where there is none
	path, err := exec.LookPath(cmp.Or(os.Getenv("TEST_MEMCACHED_BINARY"), "memcached"))
	switch {
	case err != nil && os.Getenv("TEST_MEMCACHED_ADDR") != "":
		t.Skip("somebody else runs the server, and none can be started here: ", err)
	case err != nil:
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	args = append(args, "-s", socket)
	if os.Getuid() == 0 {
		args = append(args, "-u", "root")
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // G204: the name of a memcached
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	eventually(t, "memcached does not start", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return socket
}

// TestPassword logs in to a server that asks for it, over a Unix socket, and is turned away with a wrong one or with none.
func TestPassword(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("cloakroom:right-one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	servers := []string{startWith(t, "-Y", file)}
	s := open(t, memcachedstore.Options{Servers: servers, Username: "cloakroom", Password: "right-one"})
	rec := mustSave(t, s, record("k"))
	wants(t, s, rec)
	for _, o := range []memcachedstore.Options{
		{Servers: servers, Username: "cloakroom", Password: "wrong-one"},
		{Servers: servers, Username: "nobody", Password: "right-one"},
		{Servers: servers},
	} {
		s := open(t, o)
		promptly(t, func() { callsFail(t, s, rec, 3) })
		if _, err := s.Load(t.Context(), "k"); !failure(err) || strings.Contains(err.Error(), "-one") || !strings.Contains(err.Error(), "auth") {
			t.Errorf("Load as %q = %v, want the server's refusal without the password", o.Username, err)
		}
	}
	wants(t, s, rec)
}

// TestFull has a server that drops nothing for new items (-M): it says that it is full, and what is there stays.
func TestFull(t *testing.T) {
	t.Parallel()
	s := open(t, memcachedstore.Options{Servers: []string{startWith(t, "-M", "-m", "2")}})
	var all []store.Record
	for n := 0; ; n++ {
		rec := record(testserver.Name())
		rec.Data = make([]byte, 10000)
		saved, err := s.Save(t.Context(), rec)
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil || n > 100000 {
			t.Fatalf("create number %d = %v, want ErrFull in the end", n, err)
		}
		all = append(all, saved)
	}
	for _, rec := range all {
		wants(t, s, rec)
	}
	if err := s.Delete(t.Context(), all[0].Key); err != nil {
		t.Fatal(err)
	}
	all[0].Version = 0
	wants(t, s, mustSave(t, s, all[0]))
}

// TestNoTokens has a server that keeps no tokens (-C), on which a conditional write is none.
func TestNoTokens(t *testing.T) {
	t.Parallel()
	s := open(t, memcachedstore.Options{Servers: []string{startWith(t, "-C")}})
	rec := mustSave(t, s, record("k"))
	if _, err := s.Load(t.Context(), "k"); !failure(err) {
		t.Errorf("Load = %v, want a failure", err)
	}
	if _, err := s.Save(t.Context(), rec); !failure(err) {
		t.Errorf("Save = %v, want a failure", err)
	}
}
