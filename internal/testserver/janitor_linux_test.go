package testserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// orphanEnv makes TestOrphans the process that is to die: "exit" or "kill".
const orphanEnv = "TESTSERVER_ORPHANS"

// TestOrphans is not a test by itself: it is the other process of
// TestNothingOutlivesTheTestProcess.
func TestOrphans(t *testing.T) {
	t.Parallel()
	mode := os.Getenv(orphanEnv)
	if mode == "" {
		return // Nobody asks for orphans; what it does is proven below.
	}
	servers := []*Server{Shared(t, Redis{}), Shared(t, Postgres{}), Shared(t, Memcached{}), Start(t, Postgres{})}
	servers[3].Pause(t)
	for _, s := range servers {
		for _, pid := range processTree(s.proc.pid()) {
			say("pid", pid)
		}
	}
	say("segment", segment(t, servers[1]))
	say("segment", segment(t, servers[3]))
	dir, err := workspace()
	if err != nil {
		t.Fatal(err)
	}
	say("dir", dir)
	if mode == "kill" {
		say("ready")
		select {}
	}
}

// say tells the other process a line.
func say(words ...any) { _, _ = fmt.Fprintln(os.Stdout, words...) }

// segment returns the id of PostgreSQL's shared memory segment.
func segment(t *testing.T, s *Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.program.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(strings.Split(string(text), "\n")[6])[1]
}

func TestNothingOutlivesTheTestProcess(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exit", "kill"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for _, s := range []Spec[*Server]{Redis{}, Memcached{}, Postgres{}} {
				Shared(t, s) // Skips where one is missing.
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOrphans$") //nolint:gosec // Ourselves.
			cmd.Env = append(os.Environ(), orphanEnv+"="+mode)
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			found := map[string][]string{}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				fields := strings.Fields(lines.Text() + " .")
				found[fields[0]] = append(found[fields[0]], fields[1])
				if fields[0] == "ready" && cmd.Process.Kill() != nil {
					t.Fatal("cannot kill")
				}
			}
			_ = cmd.Wait() // One of the modes fails by intention.
			if len(found["pid"]) < 10 || len(found["dir"]) != 1 {
				t.Fatalf("the other process said %v", found)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := poll(ctx, func() error { return cleared(ctx, found) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// cleared fails while something of what another process had is left.
func cleared(ctx context.Context, found map[string][]string) error {
	for _, text := range found["pid"] {
		if pid, err := strconv.Atoi(text); err != nil || !hasEnded(pid) {
			return fmt.Errorf("process %s is left: %w", text, err)
		}
	}
	if _, err := os.Stat(found["dir"][0]); !os.IsNotExist(err) {
		return errors.New("the folder is left")
	}
	segments, err := exec.CommandContext(ctx, "ipcs", "-m").Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(segments)) {
		if fields := strings.Fields(line); len(fields) > 1 && slices.Contains(found["segment"], fields[1]) {
			return errors.New("the shared memory segment is left")
		}
	}
	return nil
}
