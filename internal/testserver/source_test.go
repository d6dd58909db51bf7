package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// recorder is a test that notes how it was ended instead of ending.
type recorder struct {
	testing.TB

	ended, text string
}

func (r *recorder) Helper() {}

func (r *recorder) end(how, text string) {
	r.ended, r.text = how, text
	runtime.Goexit()
}

func (r *recorder) Skip(args ...any) { r.end("skip", fmt.Sprint(args...)) }

func (r *recorder) Fatal(args ...any) { r.end("fatal", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) { r.end("fatal", fmt.Sprintf(format, args...)) }

// record returns how f ended its test.
func record(t *testing.T, f func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

func TestMissingServerSkipsAndSaysWhatHelps(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("TEST_REQUIRE", "")
	t.Setenv("TEST_MEMCACHED_ADDR", "")
	t.Setenv("TEST_MEMCACHED_BINARY", "/nonexistent/memcached")
	start := func(tb testing.TB) {
		tb.Helper()
		Start(tb, Memcached{})
	}
	r := record(t, start)
	for _, want := range []string{"TEST_MEMCACHED_ADDR", "TEST_MEMCACHED_BINARY", "apt-get install", "/nonexistent/memcached"} {
		if r.ended != "skip" || !strings.Contains(r.text, want) {
			t.Errorf("ended by %q: %s; want a skip that names %s", r.ended, r.text, want)
		}
	}
	t.Setenv("TEST_REQUIRE", "redis,memcached")
	if r := record(t, start); r.ended != "fatal" {
		t.Errorf("with TEST_REQUIRE: ended by %q", r.ended)
	}
	t.Setenv("TEST_REQUIRE", "redis")
	if r := record(t, start); r.ended != "skip" {
		t.Errorf("with TEST_REQUIRE for another: ended by %q", r.ended)
	}
	t.Setenv("CI", "true")
	if r := record(t, start); r.ended != "fatal" {
		t.Errorf("with CI: ended by %q", r.ended)
	}
}

func TestExternalServerIsNotBroken(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("TEST_REQUIRE", "")
	t.Setenv("TEST_REDIS_ADDR", "127.0.0.1:6379")
	t.Setenv("TEST_POSTGRES_URL", "postgres://me:pw@127.0.0.1:5432/db?sslmode=disable")
	t.Setenv("TEST_MARIADB_DSN", "me:pw@tcp(127.0.0.1:3306)/db")
	t.Setenv("TEST_MONGO_URL", "mongodb://127.0.0.1:27017")
	s := Start(t, Redis{})
	if !s.External() || s.Addr() != "127.0.0.1:6379" || s.URL() != "redis://127.0.0.1:6379/0" {
		t.Errorf("external Redis: %s, %s", s.Addr(), s.URL())
	}
	for name, fault := range map[string]func(testing.TB){
		"Kill": s.Kill, "Stop": s.Stop, "Restart": s.Restart, "Pause": s.Pause, "Resume": s.Resume,
	} {
		if r := record(t, fault); r.ended != "skip" || !strings.Contains(r.text, "TEST_REDIS_ADDR") {
			t.Errorf("%s of an external server: %s %q", name, r.ended, r.text)
		}
	}
	r := record(t, func(tb testing.TB) { tb.Helper(); Start(tb, Redis{TLS: true}) })
	if r.ended != "skip" || !strings.Contains(r.text, "configured") {
		t.Errorf("options for an external server: %s %q", r.ended, r.text)
	}
	for want, s := range map[string]*Server{
		"127.0.0.1:5432":  Start(t, Postgres{}),
		"127.0.0.1:3306":  Start(t, MariaDB{}),
		"127.0.0.1:27017": Start(t, Mongo{}),
	} {
		if s.Addr() != want || !strings.Contains(s.Database(t), want+"/") && !strings.Contains(s.Database(t), want+")/") {
			t.Errorf("Addr = %s, Database = %s, want them to hold %s", s.Addr(), s.Database(t), want)
		}
	}
}

func TestSharedServerIsNotBroken(t *testing.T) {
	t.Parallel()
	s := Shared(t, Redis{})
	for name, fault := range map[string]func(testing.TB){
		"Kill": s.Kill, "Stop": s.Stop, "Restart": s.Restart, "Pause": s.Pause, "Resume": s.Resume,
	} {
		if r := record(t, fault); r.ended != "fatal" {
			t.Errorf("%s of a shared server: ended by %q", name, r.ended)
		}
	}
	mustPing(t, s)
}

func TestBinaryByVariable(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	for _, chosen := range []string{path, "sh"} {
		t.Setenv("TEST_REDIS_BINARY", chosen)
		if found, err := redisSource().find(); found != path || err != nil {
			t.Errorf("find with %s = %s, %v", chosen, found, err)
		}
	}
}

func TestNewestVersionIsChosen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, version := range []string{"9", "15", "13"} {
		folder := filepath.Join(dir, "v", version)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "prog"), []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // A program.
			t.Fatal(err)
		}
	}
	t.Logf("looking in %s", dir)
	if got, want := newestExecutable(filepath.Join(dir, "v", "*", "prog")), filepath.Join(dir, "v", "15", "prog"); got != want {
		t.Errorf("newest = %s, want %s", got, want)
	}
}
