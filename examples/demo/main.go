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

	"github.com/cloakroom-go/sessions/core"
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
	var c config
	c.define(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.run(ctx, os.Stdout, framework, mount)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// config is what the command line says.
type config struct {
	addr, store, storeAddr string
	storeTimeout           time.Duration
}

func (c *config) define(flags *flag.FlagSet) {
	flags.StringVar(&c.addr, "addr", "localhost:8080", "`address` to listen on")
	flags.StringVar(&c.store, "store", "memory", "`name` of the store that keeps the sessions: "+kindNames())
	flags.Func("store-addr", "`address` of the store: a URL, DSN, file or host:port; the default is for"+kindAddresses(), func(addr string) error {
		if addr == "" { // as from a shell variable that is not set
			return errors.New("the address is missing; leave out the flag for the default")
		}
		c.storeAddr = addr
		return nil
	})
	flags.DurationVar(&c.storeTimeout, "store-timeout", core.DefaultStoreTimeout, "`time` that a request waits for the store at most, each time that it needs it")
}

// run opens the store, serves, and closes the store when no request can need it any more.
func (c *config) run(ctx context.Context, out io.Writer, framework string, mount func(*App) Server) error {
	if c.storeTimeout < time.Millisecond {
		return fmt.Errorf("no store answers within %v; choose a longer time with -store-timeout", c.storeTimeout)
	}
	sessions, closeStore, err := openStore(ctx, c.store, c.storeAddr)
	if err != nil {
		return err
	}
	app, err := New(framework, core.Options{Store: sessions, StoreTimeout: c.storeTimeout}, ctx.Done()) //nolint:contextcheck // a manager is made once, and outlives the start
	if err == nil {
		err = errors.Join(c.serve(ctx, out, app, mount), app.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, closeStore())
}

// serve serves until the context is done, and then lets the requests under way come to their end.
func (c *config) serve(ctx context.Context, out io.Writer, app *App, mount func(*App) Server) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr", err)
	}
	server := mount(app)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(out, "Cloakroom demo on %s, sessions in %s\n\n    open  %s\n    stop  Ctrl+C\n\n", app.framework, c.store, address(c.addr, listener))
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
