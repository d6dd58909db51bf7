package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopWait is how long a server may take to stop, and faultWait how long it may take to stand still.
const (
	stopWait  = 20 * time.Second
	faultWait = 10 * time.Second
	portTries = 5
)

// program is what a server runs and how to talk to it.
type program struct {
	name  string
	path  string
	dir   string
	user  *account
	args  func(port int) ([]string, error) // May write configuration files; called once for each port.
	ping  func(ctx context.Context, addr string) error
	stop  syscall.Signal // Asks for a clean end.
	clean bool           // Leaves something outside its folder unless it ends cleanly.
}

// Server is a running server. Its methods may be called from several goroutines; the fault methods, from Kill on,
// end the test when they fail, so they belong to the test's own goroutine. They skip on an external server.
type Server struct {
	program  program
	source   source
	host     *host
	external bool
	addr     string
	url      string
	password string
	tls      *tls.Config
	execute  func(ctx context.Context, statement string) error // Runs SQL as administrator; nil where that means nothing.

	mu   sync.Mutex
	port *port
	bus  *port // Of a node of a cluster.
	args []string
	proc *process // nil while stopped.
}

// launch starts a program on a port of its own.
func launch(ctx context.Context, h *host, p program) (*Server, error) {
	var err error
	for range portTries {
		var s *Server
		if s, err = launchOnce(ctx, h, p); err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
	return nil, err
}

func launchOnce(ctx context.Context, h *host, p program) (*Server, error) {
	number, err := reservePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{program: p, host: h, addr: number.addr(), port: number}
	if s.args, err = p.args(number.number); err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		s.close() //nolint:contextcheck // What is to end must end, whatever became of the test.
		return nil, err
	}
	h.add(s)
	return s, nil
}

// begin starts the process and waits until it answers.
func (s *Server) begin(ctx context.Context) error {
	proc, err := command{s.program.path, s.args, s.program.dir, s.program.user}.start() //nolint:contextcheck // A server outlives the call that starts it.
	if err != nil {
		return err
	}
	s.proc = proc
	return proc.waitReady(ctx, func(ctx context.Context) error { return s.program.ping(ctx, s.addr) })
}

// outside stands for a server that somebody else runs.
func outside(src source, addr, url string) *Server {
	return &Server{source: src, program: program{name: src.name}, external: true, addr: addr, url: url}
}

// Addr returns host:port. A restart keeps it.
func (s *Server) Addr() string { return s.addr }

// URL returns the address in the form that clients of this kind of server take, credentials included: a redis or
// rediss URL, a postgres URL, a DSN of go-sql-driver/mysql, a mongodb URL; for memcached, the address.
func (s *Server) URL() string { return s.url }

// Password returns the password that URL contains, "" without one. Tests for wrong passwords replace it.
func (s *Server) Password() string { return s.password }

// TLS returns what a client needs to trust the server, nil without TLS. Each call returns a copy.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// External reports whether somebody else runs the server. It cannot be broken, and may hold data of others.
func (s *Server) External() bool { return s.external }

// Log returns the end of what the server wrote.
func (s *Server) Log() string {
	if s.external {
		return "(the log of an external server is not ours)"
	}
	return readLog(s.program.dir)
}

// Database creates a database for this test alone and returns its URL. An external SQL server has only the database
// in its address: tests there share it.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := Name()
	if s.execute == nil {
		return s.databaseURL(name)
	}
	s.sql(tb, "CREATE DATABASE "+name)
	tb.Cleanup(func() {
		// Best effort: the server may be dead by now, and with a server of its own the database ends anyway.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Second)
		defer cancel()
		_ = s.execute(ctx, s.dropStatement(name))
	})
	return s.databaseURL(name)
}

// dropStatement drops a database that clients may still be connected to.
func (s *Server) dropStatement(name string) string {
	if s.program.name == postgresSource().name {
		return "DROP DATABASE " + name + " WITH (FORCE)"
	}
	return "DROP DATABASE " + name
}

// databaseURL puts a database's name into the URL.
func (s *Server) databaseURL(name string) string {
	if s.external && s.program.name != mongoSource().name {
		return s.url
	}
	base, query, found := strings.Cut(s.url, "?")
	base = base[:strings.LastIndexByte(base, '/')+1] + name
	if found {
		base += "?" + query
	}
	return base
}

// sql runs a statement as the administrator.
func (s *Server) sql(tb testing.TB, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), stopWait)
	defer cancel()
	if err := s.execute(ctx, statement); err != nil {
		tb.Fatalf("%s: %s: %v", s.program.name, statement, err)
	}
}

// Proxy returns a proxy in front of the server, for this test alone. It works with shared and external servers too.
func (s *Server) Proxy(tb testing.TB) *Proxy {
	tb.Helper()
	return NewProxy(tb, s.addr)
}

// Kill ends the server at once, as a crash would (SIGKILL).
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		err := s.proc.kill() //nolint:contextcheck // What is to end must end, whatever became of the test.
		s.proc = nil
		return err
	})
}

// Stop ends the server cleanly, as an administrator would.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		err := s.proc.signalAndWait(ctx, s.program.stop)
		s.proc = nil
		return err
	})
}

// Restart starts the server again, with the same port and folder, and waits until it answers. One that still runs is
// stopped cleanly before.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc != nil {
			if err := s.proc.signalAndWait(ctx, s.program.stop); err != nil {
				return err
			}
			s.proc = nil
		}
		return s.begin(ctx)
	})
}

// Pause makes the server stand still (SIGSTOP), all its processes and threads: connections stay open, and nothing
// answers. It returns when nothing moves any more.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		return s.proc.pause(ctx)
	})
}

// Resume lets a paused server go on, with what clients have sent meanwhile.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		return s.proc.resume()
	})
}

var errNotRunning = errors.New("the server is not running")

// fault does something to a server that is this test's own.
func (s *Server) fault(tb testing.TB, do func(context.Context) error) {
	tb.Helper()
	if s.external {
		skip(tb, s.source.name, errors.New(s.source.name+": "+s.source.address+" names a server that is not ours to break"))
	}
	if s.host.shared {
		tb.Fatal("a shared server is not to be broken: other tests use it; get one by Start, or use a Proxy")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), stopWait)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := do(ctx); err != nil {
		tb.Fatalf("%s at %s: %v", s.program.name, s.addr, err)
	}
}

// close ends the server for good.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.end()
	}
	for _, p := range []*port{s.port, s.bus} {
		if p != nil {
			p.release()
		}
	}
	removeSegment(filepath.Join(s.program.dir, "data", "postmaster.pid"))
}

// end stops the process: cleanly where it matters, at once where it does not.
func (s *Server) end() {
	ctx, cancel := context.WithTimeout(context.Background(), faultWait)
	defer cancel()
	if s.program.clean {
		_ = s.proc.signalAndWait(ctx, s.program.stop) // Kills what does not stop.
	} else {
		_ = s.proc.kill()
	}
	s.proc = nil
}
