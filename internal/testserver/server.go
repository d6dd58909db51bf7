package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	operationTimeout = 20 * time.Second // for faults and SQL statements
	closeTimeout     = 10 * time.Second // for closing a server, and for connecting a proxy to it
	portTries        = 5                // how many ports launch tries
)

// program describes how to run a server and how to check that it is ready.
type program struct {
	name string
	path string
	dir  string
	user *account
	// args returns the arguments for a port. It may write configuration files.
	args func(port int) ([]string, error)
	// ping returns nil if the server is ready.
	ping func(ctx context.Context, addr string) error
	// stop is the signal for a clean stop.
	stop syscall.Signal
	// needsCleanStop is true if the server leaves something outside dir when it is killed.
	needsCleanStop bool
}

// Server is a running server. Its methods are safe for concurrent use. Its fault methods are
// Kill, Stop, Restart, Pause, Resume and LimitFiles. They fail the test if there is an error,
// so they must be called from the test's goroutine, and they skip the test if the server is
// external.
type Server struct {
	program  program
	source   source
	group    *serverGroup
	external bool
	addr     string
	url      string
	password string
	tls      *tls.Config
	// executeSQL executes a statement as the administrator. It is nil unless this is an SQL
	// server that this process has started.
	executeSQL func(ctx context.Context, statement string) error

	mu   sync.Mutex
	port *port
	bus  *port // of a node of a cluster
	args []string
	proc *process // nil while stopped
}

// launch starts a program on a free port.
func launch(ctx context.Context, g *serverGroup, p program) (*Server, error) {
	var err error
	for range portTries {
		var s *Server
		if s, err = launchOnce(ctx, g, p); err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
	return nil, err
}

func launchOnce(ctx context.Context, g *serverGroup, p program) (*Server, error) {
	number, err := reservePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{program: p, group: g, addr: number.addr(), port: number}
	if s.args, err = p.args(number.number); err == nil {
		err = s.startProcess(ctx)
	}
	if err != nil {
		s.close() //nolint:contextcheck // closes even if ctx is done
		return nil, err
	}
	g.add(s)
	return s, nil
}

// startProcess starts the process and waits until it is ready.
func (s *Server) startProcess(ctx context.Context) error {
	p := &s.program
	cmd := command{p.path, s.args, p.dir, p.user}
	proc, err := cmd.start() //nolint:contextcheck // the process outlives ctx
	if err != nil {
		return err
	}
	s.proc = proc
	return proc.waitReady(ctx, func(ctx context.Context) error { return p.ping(ctx, s.addr) })
}

// externalServer returns a Server for a server that is already running.
func externalServer(src source, addr, url string) *Server {
	return &Server{
		source: src, program: program{name: src.name}, external: true, addr: addr, url: url,
	}
}

// Addr returns the address as host:port. It stays the same after a restart.
func (s *Server) Addr() string { return s.addr }

// URL returns the address, including credentials, in the form that clients of this server
// take: a redis, rediss, postgres or mongodb URL, or a DSN of go-sql-driver/mysql. For
// memcached it is the same as Addr.
func (s *Server) URL() string { return s.url }

// Password returns the password that URL contains, or "" if there is none. Tests can replace
// it with a wrong one.
func (s *Server) Password() string { return s.password }

// TLS returns the configuration of a client that trusts the server, or nil if the server does
// not use TLS. Each call returns a copy.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// External reports whether the server was not started by this process. Then it refuses faults
// and may hold data of others.
func (s *Server) External() bool { return s.external }

// Log returns the end of the output of the server.
func (s *Server) Log() string {
	if s.external {
		return "(the log of an external server is not ours)"
	}
	return readLog(s.program.dir)
}

// Database creates a database for one test and returns its URL. On an external SQL server, all
// tests share the database in the server's address.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := Name()
	if s.executeSQL == nil {
		return s.databaseURL(name)
	}
	s.mustExecute(tb, "CREATE DATABASE "+name)
	tb.Cleanup(func() {
		// This may fail, since the server may be dead by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Second)
		defer cancel()
		_ = s.executeSQL(ctx, s.dropStatement(name))
	})
	return s.databaseURL(name)
}

// dropStatement returns a statement that drops a database even if clients are connected to it.
func (s *Server) dropStatement(name string) string {
	if s.program.name == postgresSource().name {
		return "DROP DATABASE " + name + " WITH (FORCE)"
	}
	return "DROP DATABASE " + name
}

// databaseURL returns the URL of a database.
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

// mustExecute executes a statement as the administrator.
func (s *Server) mustExecute(tb testing.TB, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), operationTimeout)
	defer cancel()
	if err := s.executeSQL(ctx, statement); err != nil {
		tb.Fatalf("%s: %s: %v", s.program.name, statement, err)
	}
}

// Proxy returns a new proxy in front of the server. It works with shared and external servers,
// too.
func (s *Server) Proxy(tb testing.TB) *Proxy {
	tb.Helper()
	return NewProxy(tb, s.addr)
}

// Kill kills the server with SIGKILL, like a crash.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		err := s.proc.kill() //nolint:contextcheck // closes even if ctx is done
		s.proc = nil
		return err
	})
}

// Stop stops the server cleanly.
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

// Restart starts the server again with the same port and folder, and waits until it is ready.
// If the server is running, Restart first stops it cleanly.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc != nil {
			if err := s.proc.signalAndWait(ctx, s.program.stop); err != nil {
				return err
			}
			s.proc = nil
		}
		return s.startProcess(ctx)
	})
}

// Pause stops all processes and threads of the server with SIGSTOP. Connections stay open, but
// the server does not reply. Pause returns when all of them have stopped.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		return s.proc.pause(ctx)
	})
}

// Resume resumes a paused server, which then handles what clients have sent in the meantime.
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

// fault calls do with the server locked. It refuses external and shared servers.
func (s *Server) fault(tb testing.TB, do func(context.Context) error) {
	tb.Helper()
	if s.external {
		const text = "%s: %s names a server that is not ours to break"
		skipOrFail(tb, s.source.name, fmt.Errorf(text, s.source.name, s.source.addressVar))
	}
	if s.group.shared {
		tb.Fatal("a shared server is not to be broken: other tests use it; " +
			"get one by Start, or use a Proxy")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), operationTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := do(ctx); err != nil {
		tb.Fatalf("%s at %s: %v", s.program.name, s.addr, err)
	}
}

// close stops the server and releases its ports.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.stopProcess()
	}
	for _, p := range []*port{s.port, s.bus} {
		if p != nil {
			p.release()
		}
	}
	removeSegment(filepath.Join(s.program.dir, "data", "postmaster.pid"))
}

// stopProcess kills the process, or stops it cleanly if it needs that.
func (s *Server) stopProcess() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.program.needsCleanStop {
		_ = s.proc.signalAndWait(ctx, s.program.stop) // kills the process if it does not stop
	} else {
		_ = s.proc.kill()
	}
	s.proc = nil
}
