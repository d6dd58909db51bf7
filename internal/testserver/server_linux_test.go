package testserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kinds are the servers that consist of one process of their own.
func kinds() map[string]Spec[*Server] {
	return map[string]Spec[*Server]{
		"redis":          Redis{},
		"redis password": Redis{Password: "secret", AppendOnly: true},
		"redis user":     Redis{User: "app", Rules: "~session:* +get +set"},
		"redis TLS":      Redis{TLS: true, User: "app"},
		"valkey":         Redis{Valkey: true, TLS: true},
		"memcached":      Memcached{Megabytes: 16, ItemSize: "2m"},
		"postgres":       Postgres{},
		"mariadb":        MariaDB{},
		"mongo":          Mongo{},
	}
}

func TestEveryServerStandsEveryFault(t *testing.T) {
	t.Parallel()
	for name, spec := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, spec)
			if host, _, err := net.SplitHostPort(s.Addr()); err != nil || host != "127.0.0.1" {
				t.Fatalf("Addr = %q", s.Addr())
			}
			mustPing(t, s)
			t.Log(s.URL())
			killAndRestart(t, s)
			pauseAndResume(t, s)
			stopAndRestart(t, s)
		})
	}
}

func killAndRestart(t *testing.T, s *Server) {
	t.Helper()
	addr, processes := s.Addr(), processTree(s.proc.pid())
	s.Kill(t)
	for _, pid := range processes {
		if !hasEnded(pid) {
			t.Errorf("process %d outlived Kill", pid)
		}
	}
	mustRefuse(t, s)
	s.Restart(t)
	if s.Addr() != addr {
		t.Errorf("Restart moved from %s to %s", addr, s.Addr())
	}
	mustPing(t, s)
}

func mustRefuse(t *testing.T, s *Server) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", s.Addr())
	if err == nil {
		_ = conn.Close()
		t.Error("a server that is down accepted a connection")
	}
}

func pauseAndResume(t *testing.T, s *Server) {
	t.Helper()
	s.Pause(t)
	for _, pid := range processTree(s.proc.pid()) {
		if !isStopped(pid) {
			t.Errorf("process %d moves after Pause", pid)
		}
	}
	err := pingFor(t, s, s.Addr(), 100*time.Millisecond)
	// On a busy machine the time may be over before the connection is made, which is an error of another kind.
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a paused server: %v, want a timeout", err)
	}
	s.Resume(t)
	mustPing(t, s)
}

func stopAndRestart(t *testing.T, s *Server) {
	t.Helper()
	s.Stop(t)
	mustRefuse(t, s)
	s.Restart(t)
	mustPing(t, s)
	s.Restart(t)
	mustPing(t, s)
}

func TestKillOfAPausedServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redis", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, kinds()[name])
			s.Pause(t)
			s.Kill(t)
			s.Restart(t)
			mustPing(t, s)
			s.Pause(t)
			s.Restart(t) // A clean stop, which a paused server could not hear.
			mustPing(t, s)
			s.Pause(t) // Cleanup must cope with it.
		})
	}
}

//nolint:tparallel // The subtest ends before what it left is looked at.
func TestCleanupLeavesNothing(t *testing.T) {
	t.Parallel()
	var pids []int
	var dir, addr string
	t.Run("inner", func(t *testing.T) {
		s := Start(t, Postgres{})
		pids, dir, addr = processTree(s.proc.pid()), s.program.dir, s.Addr()
		if len(pids) < 2 {
			t.Errorf("PostgreSQL has %d processes; the tree was not walked", len(pids))
		}
	})
	for _, pid := range pids {
		if !hasEnded(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("folder is left: %v", err)
	}
	mustRefuse(t, &Server{addr: addr})
}

//nolint:tparallel // The subtest ends before what it left is looked at.
func TestCleanupAfterKillLeavesNoSegment(t *testing.T) {
	t.Parallel()
	found := map[string][]string{"dir": {"/nonexistent"}}
	t.Run("inner", func(t *testing.T) {
		s := Start(t, Postgres{})
		found["segment"] = []string{segment(t, s)}
		s.Kill(t)
	})
	if err := cleared(t.Context(), found); err != nil {
		t.Error(err)
	}
}

func TestWrongAnswersAtStart(t *testing.T) {
	t.Parallel()
	h := &serverGroup{}
	t.Cleanup(h.close)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout/2)
	defer cancel()
	_, err := startSpec(ctx, h, Redis{Config: "no-such-option yes"})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("Start with a broken configuration: %v, want what the server said", err)
	}
	if ctx.Err() != nil {
		t.Error("the end of the process was not noticed until the time was over")
	}
}

// onThread runs f on a thread that ends with it: one that is locked and not unlocked, and not
// the first one of the process, which never ends.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() == os.Getpid() {
			onThread(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
}

// The kernel ties our children to the thread that started them, and this one ends.
func TestServerOutlivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	Shared(t, Redis{}) // Skips where it is missing.
	h := &serverGroup{}
	t.Cleanup(h.close)
	started := make(chan error)
	var thread int
	var s *Server
	onThread(func() {
		var err error
		s, err = startSpec(t.Context(), h, Redis{})
		thread = syscall.Gettid()
		started <- err
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := poll(ctx, func() error {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread)); err == nil {
			return errors.New("the thread is still there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		mustPing(t, s)
	}
}

func TestPortTakenIsTriedAgain(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	for name, src := range map[string]Spec[*Server]{"redis": Redis{}, "memcached": Memcached{}} {
		h := &serverGroup{}
		t.Cleanup(h.close)
		tries := 0
		s := Start(t, src) // Skips where the server is missing.
		p := s.program
		p.dir, err = h.folder("taken", nil)
		if err != nil {
			t.Fatal(err)
		}
		args := p.args
		if name == "redis" {
			n := &redisNode{path: p.path, dir: p.dir}
			args = n.program().args
		}
		p.args = func(port int) ([]string, error) {
			if tries++; tries == 1 {
				port = taken
			}
			return args(port)
		}
		// The listener answers nothing, so only the end of the process can show the first try
		// failed.
		if _, err := launch(t.Context(), h, p); err != nil || tries != 2 {
			t.Errorf("%s: launch = %v after %d tries, want success after 2", name, err, tries)
		}
	}
}

func TestDatabasesAreFresh(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec[*Server]{Postgres{}, MariaDB{}, Mongo{}} {
		s := Shared(t, spec)
		first, second := s.Database(t), s.Database(t)
		if first == second || !strings.Contains(first, s.Addr()) {
			t.Errorf("databases %s and %s", first, second)
		}
		if again := Shared(t, spec); again != s {
			t.Error("equal specs got different servers")
		}
	}
}

//nolint:tparallel // The subtest ends before what it left is looked at.
func TestDatabaseIsDroppedAfterwards(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec[*Server]{Postgres{}, MariaDB{}} {
		s := Shared(t, spec)
		var name string
		t.Run(s.program.name, func(t *testing.T) {
			url := s.Database(t)
			base, _, _ := strings.Cut(url, "?")
			name = base[strings.LastIndexByte(base, '/')+1:]
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := s.executeSQL(ctx, "CREATE DATABASE "+name); err == nil {
				t.Error("Database did not create what it returned")
			}
		})
		s.mustExecute(t, "CREATE DATABASE "+name)
	}
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec[*Server]{Postgres{}, MariaDB{}} {
		s := Start(t, spec)
		name := Name()
		s.mustExecute(t, "CREATE DATABASE "+name)
		s.Kill(t)
		s.Restart(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := s.executeSQL(ctx, "CREATE DATABASE "+name)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "exists") {
			t.Errorf("%s: after a kill, creating the database again: %v; want that it exists", s.program.name, err)
		}
	}
}

// BenchmarkStart says how long each server takes from nothing to its first answer (-benchtime
// 1x).
func BenchmarkStart(b *testing.B) {
	for name, spec := range kinds() {
		benchmarkStart(b, name, spec)
	}
	benchmarkStart(b, "sentinel", RedisSentinel{})
	benchmarkStart(b, "cluster", RedisCluster{})
	benchmarkStart(b, "cluster with replicas", RedisCluster{Replicas: true})
}

func benchmarkStart[S any](b *testing.B, name string, spec Spec[S]) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			Start(b, spec)
		}
	})
}
