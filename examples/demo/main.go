package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Server is a framework with the application mounted. [http.Server] is one.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// NewServer returns the server for frameworks that are an [http.Handler].
func NewServer(h http.Handler) *http.Server {
	const formLimit = 64 << 10
	return &http.Server{Handler: http.MaxBytesHandler(h, formLimit), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
}

// Main is the main function of the example programs: it runs the application on a framework until the process is told
// to stop.
func Main(framework string, mount func(*App) Server) {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *addr, framework, mount)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run serves until the context is done, and then lets the requests under way come to their end.
func run(ctx context.Context, out io.Writer, addr, framework string, mount func(*App) Server) error {
	app, err := New(framework, ctx.Done())
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr", err)
	}
	server := mount(app)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(out, "Cloakroom demo on %s\n\n    open  %s\n    stop  Ctrl+C\n\n", framework, address(addr, listener))
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err = server.Shutdown(patience); errors.Is(err, context.DeadlineExceeded) {
		err = nil // a browser keeps connections open that it may never use
	}
	if served := <-ended; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}

// address returns where a browser finds the demo: the host as it was asked for, with the port that it got.
func address(addr string, l net.Listener) string {
	host, _, err := net.SplitHostPort(addr)
	_, port, err2 := net.SplitHostPort(l.Addr().String())
	if err != nil || err2 != nil || host == "" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
