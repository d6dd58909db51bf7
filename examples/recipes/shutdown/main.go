// Command shutdown contains the recipe of docs/recipes/shutdown.md: it stops in an order that
// loses no save and no event. It runs on net/http, and with -fiber on Fiber v3. Every name is a
// user's.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// config is the configuration from the command line.
type config struct {
	addr, redis string
	fiber       bool
	drain       time.Duration // from the signal until no connection is accepted any more
	patience    time.Duration // how long requests may then take
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "localhost:8080", "`address` to listen on")
	flag.StringVar(&c.redis, "redis", "redis://localhost:6379/0", "`URL` of the Redis")
	flag.BoolVar(&c.fiber, "fiber", false, "run on Fiber v3 in place of net/http")
	flag.DurationVar(&c.drain, "drain", 5*time.Second, "`time` that the load balancer needs")
	flag.DurationVar(&c.patience, "patience", 20*time.Second, "`time` that a request may need")
	flag.Parse()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	p, err := c.open()
	if err == nil {
		err = p.run(&c, signals)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// program is what has to be closed, from the inside out.
type program struct {
	app      *app
	server   server
	sessions *sessions.Manager
	client   *redis.Client
}

// server is an [http.Server], or an application of Fiber.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

func (c *config) open() (*program, error) {
	o, err := redis.ParseURL(c.redis)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true // otherwise a deadline of the manager's is not kept
	client := redis.NewClient(o)
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		return nil, err
	}
	options := sessions.Options{
		Store: store, OnEvent: activity(client),
		// DisableSecure is for plain HTTP on localhost only.
		Cookie: sessions.Cookie{DisableSecure: true},
	}
	a := &app{}
	a.stopping, a.stop = context.WithCancel(context.Background())
	if c.fiber {
		m, s, err := a.onFiber(options)
		return &program{a, s, m, client}, err
	}
	m, s, err := a.onNetHTTP(options)
	return &program{a, s, m, client}, err
}

// activity writes what happens to a list in the same Redis.
func activity(client *redis.Client) func(sessions.Event) {
	return func(e sessions.Event) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		entry := e.Kind.String() + " " + e.Subject
		if err := client.RPush(ctx, "activity", entry).Err(); err != nil {
			log.Print("lost an event: ", err)
		}
	}
}

// run serves until a signal comes, and then stops.
func (p *program) run(c *config, signals <-chan os.Signal) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", c.addr)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- p.server.Serve(listener) }()
	log.Print("listening on ", listener.Addr())
	select {
	case err = <-failed:
		return errors.Join(err, p.stop(c.patience))
	case <-signals:
	}
	p.app.leaving.Store(true) // From now on /ready answers 503.
	log.Print("leaving")
	select {
	case <-time.After(c.drain):
	case <-signals: // whoever sends a second one does not want to wait
	}
	return p.stop(c.patience)
}

// stop ends the program in the only order that loses nothing.
func (p *program) stop(patience time.Duration) error {
	// Shutdown waits for streams and does not tell them, so they have to be told first.
	p.app.stop()

	// No connection is accepted any more. Requests that are being handled are answered, which
	// saves their sessions.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if err != nil { // Some took too long. Cut them off, so that they fail while there is a store.
		err = errors.Join(err, p.server.Close())
	}

	// Shutdown does not know the connections that websockets have taken over.
	log.Print("waiting for websockets")
	err = errors.Join(err, p.app.waitForSockets(ctx))

	// No request is left that raises events: deliver those that wait for OnEvent. The time that
	// requests have used up is not taken from it.
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(err, p.sessions.Close(ctx))

	// OnEvent has returned for the last time, and needs its client no more. A store that has a
	// Close of its own, such as that of sqlstore, is closed before its pool.
	return errors.Join(err, p.client.Close())
}

// app is the application, whatever it runs on.
type app struct {
	leaving  atomic.Bool        // the load balancer is to send nobody here
	stopping context.Context    //nolint:containedctx // ends when streams have to end
	stop     context.CancelFunc // of stopping
	sockets  sync.WaitGroup     // the websockets
}

const (
	uploads = sessions.Key[int]("uploads")
	streams = sessions.Key[int]("streams")
	sockets = sessions.Key[int]("sockets")
)

func increment(n int) int { return n + 1 }

// ready is what the load balancer asks.
func (a *app) ready() int {
	if a.leaving.Load() {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// waitForSockets waits until all websockets have ended.
func (a *app) waitForSockets(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { a.sockets.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
