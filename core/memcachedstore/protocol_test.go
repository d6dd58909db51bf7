package memcachedstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// scripted is a server that answers each request as answer says, %O being the request's number.
type scripted struct {
	address string
	conns   atomic.Int32
}

func newScripted(t *testing.T, answer func(request string) string) *scripted {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &scripted{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			go serve(conn, answer)
		}
	}()
	return s
}

func serve(conn net.Conn, answer func(request string) string) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if words[0] == "ms" || words[0] == "set" {
			size, _ := strconv.Atoi(words[map[string]int{"ms": 2, "set": 4}[words[0]]])
			if _, err := in.Discard(size + 2); err != nil {
				return
			}
		}
		reply := answer(strings.TrimSpace(line))
		if reply == "" {
			return
		}
		if i := strings.LastIndex(line, " O"); i >= 0 {
			reply = strings.ReplaceAll(reply, "%O", strings.TrimSpace(line[i+1:]))
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

func (s *scripted) open(t *testing.T, o memcachedstore.Options) *memcachedstore.Store {
	t.Helper()
	o.Servers = []string{s.address}
	opened, err := memcachedstore.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func calls(t *testing.T, s *memcachedstore.Store) map[string]error {
	t.Helper()
	rec := store.Record{Key: "k", Data: []byte("data"), Expires: time.Now().Add(time.Hour)}
	all := make(map[string]error)
	_, all["Load"] = s.Load(t.Context(), "k")
	_, all["create"] = s.Save(t.Context(), rec)
	rec.Version = 1
	_, all["replace"] = s.Save(t.Context(), rec)
	all["Touch"] = s.Touch(t.Context(), rec)
	all["Delete"] = s.Delete(t.Context(), "k")
	return all
}

// TestGarbledAnswers gives answers that no memcached gives, or not to this request: they are failures, never absence, never
// success, and the connection is not used again.
func TestGarbledAnswers(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"", "\r\n", "\n", " \r\n", "XX %O\r\n", "hello\r\n", "HD\n", "EN\r\n", "HD\r\n", "NF\r\n", "HD O999\r\n", "EN O999\r\n", "NF O0\r\n", "HD Ox\r\n", "HD O\r\n", "HD %O0\r\n",
		"VA\r\n", "VA x %O c1\r\n", "VA -1 %O c1\r\n", "VA 99999999999999999999 %O c1\r\n", "VA 9223372036854775807 %O c1\r\n", "VA 1048577 %O c1\r\n", "VA 4 %O c1\r\ndat", "VA 4 %O c1\r\ndata!!", "VA 4 %O cx\r\ndata\r\n", "VA 4 c1\r\ndata\r\n",
		"VA 4 O999 c1\r\ndata\r\n", "END\r\n", "STORED\r\n", "MN\r\n", strings.Repeat("x", 10000), strings.Repeat("x", 10000) + "\r\n",
	} {
		t.Run(fmt.Sprintf("%.30q", reply), func(t *testing.T) {
			t.Parallel()
			server := newScripted(t, func(string) string { return reply })
			s := server.open(t, memcachedstore.Options{Timeout: 200 * time.Millisecond})
			for method, err := range calls(t, s) {
				if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrTooLarge) {
					t.Errorf("%s = %v, want a failure", method, err)
				}
			}
			if n := server.conns.Load(); n < 5 {
				t.Errorf("5 calls took %d connections: one was used again", n)
			}
		})
	}
}

// TestComplaints passes on what a server complains about, as a failure and without the end of a long one.
func TestComplaints(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"ERROR", "ERROR Too many open connections", "CLIENT_ERROR unauthenticated", "SERVER_ERROR out of memory writing get response", "SERVER_ERROR " + strings.Repeat("x", 1000)} {
		server := newScripted(t, func(string) string { return text + "\r\n" })
		s := server.open(t, memcachedstore.Options{})
		_, err := s.Load(t.Context(), "k")
		if err == nil || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), text[:min(len(text), 90)]) || len(err.Error()) > 300 {
			t.Errorf("Load = %v, want what the server said", err)
		}
		if n := server.conns.Load(); n != 1 {
			t.Errorf("%d connections were made, want 1: to ask again does not help", n)
		}
		if _, err := s.Load(t.Context(), "k"); err == nil || server.conns.Load() != 2 {
			t.Errorf("Load = %v over connection number %d, want another one: the server may not have read all of the request before", err, server.conns.Load())
		}
	}
}

// TestRefusedForRoom translates the refusals of a create. A replace that is refused has cost the record before, so it is a plain failure.
func TestRefusedForRoom(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{"out of memory storing object": store.ErrFull, "object too large for cache": store.ErrTooLarge} {
		header := "cloakrm\x01" + strings.Repeat("\x00", 7) + "\x01" + strings.Repeat("\x00", 8) + "\xff\xff\xff\xff" + strings.Repeat("\x00", 4)
		server := newScripted(t, func(request string) string {
			if strings.HasPrefix(request, "mg") {
				return fmt.Sprintf("VA %d c5 %%O\r\n%s\r\n", len(header), header)
			}
			return "SERVER_ERROR " + text + "\r\n"
		})
		s := server.open(t, memcachedstore.Options{})
		if rec, err := s.Load(t.Context(), "k"); err != nil || rec.Version != 1 {
			t.Fatalf("Load = %+v, %v, so nothing is tested", rec, err)
		}
		if _, err := s.Save(t.Context(), store.Record{Key: "k"}); !errors.Is(err, want) {
			t.Errorf("create = %v, want %v", err, want)
		}
		if _, err := s.Save(t.Context(), store.Record{Key: "k", Version: 1}); err == nil || errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("replace = %v, want a failure that is not %v", err, want)
		}
	}
}

// TestWithoutTokens meets a server that runs with -C. It would do conditional writes without looking at the condition.
func TestWithoutTokens(t *testing.T) {
	t.Parallel()
	var writes atomic.Int32
	server := newScripted(t, func(request string) string {
		if strings.HasPrefix(request, "mg") {
			return "VA 4 c0 %O\r\ndata\r\n"
		}
		writes.Add(1)
		return "HD %O\r\n"
	})
	s := server.open(t, memcachedstore.Options{})
	if _, err := s.Load(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "-C") {
		t.Errorf("Load = %v, want an error that tells to start the server without -C", err)
	}
	if _, err := s.Save(t.Context(), store.Record{Key: "k", Version: 1}); err == nil || writes.Load() != 0 {
		t.Errorf("replace = %v after %d writes, want a failure before the first", err, writes.Load())
	}
}

// TestLogin shows name and password to each connection before anything else, and tells neither to anybody else.
func TestLogin(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	server := newScripted(t, func(request string) string {
		switch {
		case strings.HasPrefix(request, "set ") && !refuse.Load():
			return "STORED\r\n"
		case strings.HasPrefix(request, "set "):
			return "CLIENT_ERROR authentication failure\r\n"
		}
		return "EN %O\r\n"
	})
	s := server.open(t, memcachedstore.Options{Username: "name", Password: "hush-hush", IdleTimeout: 1})
	if _, err := s.Load(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
	refuse.Store(true)
	if _, err := s.Load(t.Context(), "k"); err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "hush") {
		t.Errorf("Load with a wrong password = %v, want a failure that does not tell it", err)
	}
}

// TestInterruptedIsReset gives up a call. The connection must end by a reset: in good order it would still deliver, later, what
// the system has not sent yet.
func TestInterruptedIsReset(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	end := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
		end <- err
	}()
	// Long enough for the request to be sent before it, on a busy machine too.
	const timeout = 500 * time.Millisecond
	s, err := memcachedstore.New(memcachedstore.Options{Servers: []string{l.Addr().String()}, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), store.Record{Key: "k"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Save = %v, want the end of Options.Timeout", err)
	}
	if err := <-end; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server reads %v at the end, want a reset", err)
	}
}
