// Command metrics contains the recipe of docs/recipes/metrics.md: it exports the metrics of the
// sessions of an application on Gin for Prometheus. Every name is a user's.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	metrics := flag.String("metrics-addr", "localhost:9464", "`address` for Prometheus")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	p, err := newProgram(sessions.Options{
		// DisableSecure is for plain HTTP on localhost only.
		Cookie: sessions.Cookie{DisableSecure: true},
	})
	if err == nil {
		err = p.run(ctx, *metrics, *addr)
	}
	if err != nil {
		log.Fatal(err) //nolint:gocritic // nothing is left to do for stop
	}
}

// program is the application and what measures it.
type program struct {
	app      http.Handler
	metrics  http.Handler
	sessions *sessions.Manager
	provider *metric.MeterProvider
}

func newProgram(o sessions.Options) (*program, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	telemetry, err := otelsessions.New(otelsessions.Options{MeterProvider: provider})
	if err != nil {
		return nil, err
	}
	m, err := sessions.NewManager(telemetry.Instrument(o))
	if err != nil {
		return nil, err
	}
	// The gauge session.live asks the store while Prometheus collects, at most every 30 seconds.
	if _, err := telemetry.Observe(context.Background(), m, 0); err != nil {
		return nil, err
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return &program{app(m), metrics, m, provider}, nil
}

// run serves the application and, on an address that the world does not reach, the metrics.
func (p *program) run(ctx context.Context, metricsAddr, addr string) error {
	inside, err := serve(ctx, metricsAddr, "metrics", p.metrics)
	if err != nil {
		return err
	}
	public, err := serve(ctx, addr, "listening", p.app)
	if err != nil {
		return errors.Join(err, inside.Close())
	}
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return errors.Join(
		public.Shutdown(ctx),
		p.sessions.Close(ctx),    // The last events become metrics,
		p.provider.Shutdown(ctx), // and a reader that pushes sends them.
		inside.Shutdown(ctx),
	)
}

func serve(ctx context.Context, addr, what string, h http.Handler) (*http.Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	log.Print(what, " on ", listener.Addr())
	return server, nil
}

const visits = sessions.Key[int]("visits")

// app is an application with something to measure.
func app(m *sessions.Manager) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery(), sessions.Middleware(m))
	r.GET("/", func(c *gin.Context) {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		c.String(http.StatusOK, "visit "+strconv.Itoa(n))
	})
	r.POST("/login", func(c *gin.Context) {
		user := c.PostForm("user") // Check a password here.
		err := sessions.Get(c).SignIn(c.Request.Context(), user, sessions.SignIn{})
		if err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err)
		}
	})
	r.POST("/logout", func(c *gin.Context) { sessions.Get(c).Destroy() })
	return r
}
