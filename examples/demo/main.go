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

// Server serves the application on a framework. [http.Server] implements it.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// NewServer returns a server for frameworks that implement [http.Handler].
func NewServer(h http.Handler) *http.Server {
	const formLimit = 64 << 10
	return &http.Server{
		Handler:           http.MaxBytesHandler(h, formLimit),
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
	}
}

// Mount makes the manager of the visitors' sessions and returns it with a server that has all
// routes. The manager is closed after the server.
type Mount func(*App) (Server, *core.Manager, error)

// Main is the main function of the example programs. It runs the application on a framework
// until the process is interrupted.
func Main(framework string, mount Mount) {
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

// config is the configuration from the command line.
type config struct {
	addr, store, storeAddr string
	storeTimeout           time.Duration
	token                  string // what is printed about the operator's token
}

// banner is what the program prints when it can be opened. The link does not hold the token, which
// the history of the browser would keep.
const banner = `Cloakroom demo on %s, sessions in %s

    open      %[3]s
    operator  %[3]s/operator
    token     %[4]s
    stop      Ctrl+C

`

func (c *config) define(flags *flag.FlagSet) {
	flags.StringVar(&c.addr, "addr", "localhost:8080", "`address` to listen on")
	flags.StringVar(&c.store, "store", "memory",
		"`name` of the store that keeps the sessions: "+storeNames())
	flags.Func("store-addr",
		"`address` of the store: a URL, DSN, file or host:port; "+
			"the default is for"+storeAddresses(),
		c.setStoreAddr)
	flags.DurationVar(&c.storeTimeout, "store-timeout", core.DefaultStoreTimeout,
		"`time` that a request waits for the store at most, each time that it needs it")
}

// setStoreAddr sets the store's address. An empty one is refused, since it may come from a
// shell variable that is not set.
func (c *config) setStoreAddr(addr string) error {
	if addr == "" {
		return errors.New("the address is missing; leave out the flag for the default")
	}
	c.storeAddr = addr
	return nil
}

// run opens the store, serves the application, and closes the store when all requests have
// ended.
func (c *config) run(
	ctx context.Context, out io.Writer, framework string, mount Mount,
) error {
	if c.storeTimeout < time.Millisecond {
		const text = "no store answers within %v; choose a longer time with -store-timeout"
		return fmt.Errorf(text, c.storeTimeout)
	}
	token, shown, err := operatorToken()
	if err != nil {
		return err
	}
	c.token = shown
	sessions, closeStore, err := openStore(ctx, c.store, c.storeAddr)
	if err != nil {
		return err
	}
	app, err := New(Config{ //nolint:contextcheck // a manager outlives ctx
		Framework: framework, Store: sessions, StoreTimeout: c.storeTimeout,
		OperatorToken: token, Done: ctx.Done(),
	})
	if err == nil {
		err = errors.Join(c.runApp(ctx, out, app, mount), app.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, closeStore())
}

// runApp serves the application, and then closes the manager, which delivers the last events. The
// store is closed after that.
func (c *config) runApp(ctx context.Context, out io.Writer, app *App, mount Mount) error {
	server, manager, err := mount(app)
	if err != nil {
		return err
	}
	err = c.serve(ctx, out, app.framework, server)
	return errors.Join(err, manager.Close(context.WithoutCancel(ctx)))
}

// serve serves until ctx is done, and then waits for the current requests to end.
func (c *config) serve(
	ctx context.Context, out io.Writer, framework string, server Server,
) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(out, banner, framework, c.store, address(c.addr, listener), c.token)
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err = server.Shutdown(shutdownCtx); errors.Is(err, context.DeadlineExceeded) {
		err = nil // browsers keep connections open that they may never use
	}
	if served := <-ended; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}

// address returns the URL of the demo: the host of the -addr flag with the port of the
// listener.
func address(addr string, l net.Listener) string {
	host, _, err := net.SplitHostPort(addr)
	_, port, err2 := net.SplitHostPort(l.Addr().String())
	if err != nil || err2 != nil || host == "" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
