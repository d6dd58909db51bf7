// Command deploys contains the recipe of docs/recipes/deploys.md: several processes on one Redis,
// on net/http, that are replaced one after the other by those of the next release. All three
// releases are in this one program, which a real one would not do. Every name is a user's.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/cborcodec"
	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	url := flag.String("redis", "redis://localhost:6379/0", "`URL` of the Redis")
	release := flag.Int("release", 1, "`number` of the release: 1, 2 or 3")
	drain := flag.Duration("drain", 5*time.Second, "`time` that the load balancer needs")
	flag.Parse()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := run(*addr, *url, &shop{release: *release, drain: *drain}, signals); err != nil {
		log.Fatal(err)
	}
}

// options returns those of a release.
func options(release int) sessions.Options {
	o := sessions.Options{
		Expiry: time.Hour,
		// DisableSecure is for plain HTTP on localhost only.
		Cookie: sessions.Cookie{DisableSecure: true},
	}
	if release >= 2 {
		o.Expiry = 2 * time.Hour         // Each session follows at its next request.
		o.RenewEvery = 15 * time.Minute  // Release 1 accepts secrets that release 2 has renewed.
		o.Codec = newCodec(release == 2) // Release 1 cannot read what the new codec writes.
	}
	return o
}

// newCodec reads what the codec of release 1 has written as well.
func newCodec(stillWritesFormer bool) sessions.Codec {
	return cborcodec.New(cborcodec.Options{
		Former:       core.JSON{},
		EncodeFormer: stillWritesFormer, // until no server of release 1 is left
	})
}

// cart has the same type in all releases. Release 2 has something to add to each item, and puts
// it under a key of its own: what release 1 does not know, it leaves as it is.
const (
	cart  = sessions.Key[[]string]("cart")
	gifts = sessions.Key[map[string]bool]("gifts") // from release 2 on
)

// shop is the application.
type shop struct {
	release int
	drain   time.Duration
	leaving atomic.Bool // the load balancer is to send nobody here
}

func (a *shop) handler(m *sessions.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", login)
	mux.HandleFunc("POST /add", add)
	mux.HandleFunc("GET /cart", a.show)
	if a.release >= 2 {
		mux.HandleFunc("POST /gift", gift)
	}
	outside := http.NewServeMux()
	outside.HandleFunc("GET /ready", a.ready)
	outside.Handle("/", sessions.Middleware(m)(mux))
	return outside
}

// ready is what the load balancer asks: may it send requests here?
func (a *shop) ready(w http.ResponseWriter, _ *http.Request) {
	if a.leaving.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user") // Check a password here.
	err := sessions.Get(r).SignIn(r.Context(), user, sessions.SignIn{})
	if err != nil {
		http.Error(w, "please try again", core.StatusCode(err))
		return
	}
	_, _ = io.WriteString(w, "welcome")
}

// add puts an item into the cart. Update loses none, whichever processes get a user's requests at
// the same time.
func add(_ http.ResponseWriter, r *http.Request) {
	item := r.FormValue("item")
	cart.Update(sessions.Get(r), func(items []string) []string { return append(items, item) })
}

// gift has an item wrapped.
func gift(_ http.ResponseWriter, r *http.Request) {
	item := r.FormValue("item")
	gifts.Update(sessions.Get(r), func(wrapped map[string]bool) map[string]bool {
		if wrapped == nil {
			wrapped = map[string]bool{}
		}
		wrapped[item] = true
		return wrapped
	})
}

// contents is what a cart holds.
type contents struct {
	Release int
	User    string
	Items   []string
	Gifts   map[string]bool
}

func (a *shop) show(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(contents{a.release, s.Subject(), cart.Get(s), gifts.Get(s)})
}

// run serves until a signal comes, and stops in the order of docs/recipes/shutdown.md.
func run(addr, url string, a *shop, signals <-chan os.Signal) error {
	client, err := connect(url)
	if err != nil {
		return err
	}
	o := options(a.release)
	if o.Store, err = redisstore.New(client, redisstore.Options{}); err != nil {
		return err
	}
	m, err := sessions.NewManager(o)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: a.handler(m), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	log.Print("listening on ", listener.Addr())
	<-signals
	a.leaving.Store(true)
	log.Print("leaving")
	select {
	case <-time.After(a.drain):
	case <-signals: // whoever sends a second one does not want to wait
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), m.Close(ctx), client.Close())
}

func connect(url string) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true // otherwise a deadline of the manager's is not kept
	return redis.NewClient(o), nil
}
