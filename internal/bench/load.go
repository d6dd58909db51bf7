package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// clients is how many connections the load generator keeps busy, each with a session of its own.
const clients = 16

// served is what a contender answers over HTTP.
type served struct {
	contender *contender
	action    action
	rate      float64 // requests per second
	tail      time.Duration
}

// server is a site on a port of this machine, with its clients.
type server struct {
	contender *contender
	action    action
	site      *site
	stop      func()
	clients   []*client
	rates     []float64
	tails     []float64
}

// serve starts a contender and connects its clients.
func serve(ctx context.Context, c *contender, a action, w world) (*server, error) {
	s := &server{contender: c, action: a, stop: func() {}}
	var err error
	if s.site, err = c.build(w); err != nil {
		return s, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.listen(l)
	for range clients {
		cookie, err := s.site.open(ctx)
		if err != nil {
			return s, err
		}
		client, err := dial(ctx, l.Addr().String(), a, cookie)
		if err != nil {
			return s, err
		}
		s.clients = append(s.clients, client)
	}
	return s, nil
}

func (s *server) listen(l net.Listener) {
	if s.site.fast != nil {
		f := &fasthttp.Server{Handler: s.site.fast, Logger: silent{}}
		go func() { _ = f.Serve(l) }()
		s.stop = func() { _ = f.Shutdown() }
		return
	}
	h := &http.Server{Handler: s.site.http, ReadHeaderTimeout: time.Minute}
	go func() { _ = h.Serve(l) }()
	s.stop = func() { _ = h.Close() }
}

// silent keeps fasthttp from reporting connections that are closed.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(string, ...any) {}

func (s *server) close() {
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
	s.stop()
	if s.site != nil {
		s.site.close()
	}
}

// run has all clients send requests for a while.
func (s *server) run(slot time.Duration) error {
	var group sync.WaitGroup
	began := time.Now()
	for _, c := range s.clients {
		group.Go(func() { c.run(began.Add(slot)) })
	}
	group.Wait()
	took := time.Since(began)
	var all []time.Duration
	for _, c := range s.clients {
		if c.err != nil {
			return fmt.Errorf("%v: %w", s.contender, c.err)
		}
		all = append(all, c.latencies...)
	}
	s.rates = append(s.rates, perSecond(len(all), took))
	s.tails = append(s.tails, float64(percentile(all, 99)))
	return nil
}

// check proves that each change was stored.
func (s *server) check(ctx context.Context) error {
	if s.action != change || s.contender.isBare() {
		return nil
	}
	for _, c := range s.clients {
		if err := s.site.expect(ctx, c.cookie, 1+c.asked); err != nil {
			return fmt.Errorf("%v: %w", s.contender, err)
		}
	}
	return nil
}

// client is a connection that sends one request again and again.
type client struct {
	conn      net.Conn
	in        *bufio.Reader
	request   []byte
	cookie    string
	asked     int
	latencies []time.Duration
	err       error
}

func dial(ctx context.Context, addr string, a action, cookie string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	text := "GET " + a.path() + " HTTP/1.1\r\nHost: localhost\r\n"
	if cookie != "" {
		text += "Cookie: " + cookie + "\r\n"
	}
	return &client{conn: conn, in: bufio.NewReader(conn), request: []byte(text + "\r\n"), cookie: cookie}, nil
}

// run sends requests until the time has come or one fails.
func (c *client) run(until time.Time) {
	c.latencies = c.latencies[:0]
	for now := time.Now(); c.err == nil && now.Before(until); {
		c.err = c.ask()
		c.asked++
		after := time.Now()
		c.latencies = append(c.latencies, after.Sub(now))
		now = after
	}
}

var errResponse = errors.New("not the response of a request that succeeded")

// ask sends one request and reads its response.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return fmt.Errorf("%w: %q", errResponse, line)
		case len(line) <= 2 && length < 0:
			return fmt.Errorf("%w: it has no length", errResponse)
		case len(line) <= 2:
			_, err = io.CopyN(io.Discard, c.in, int64(length))
			return err
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
}

// compareLoad measures the contenders in turn.
func compareLoad(ctx context.Context, p *pace, w world, all []*contender, do []action) (out []served, err error) {
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.close()
		}
	}()
	for _, c := range all {
		for _, a := range do {
			s, err := serve(ctx, c, a, w)
			servers = append(servers, s)
			if err != nil {
				return nil, err
			}
		}
	}
	err = p.shuffled(len(servers), func(i int) error { return servers[i].run(p.slot) })
	for _, s := range servers {
		err = errors.Join(err, s.check(ctx))
		out = append(out, served{s.contender, s.action, median(s.rates), time.Duration(median(s.tails))})
	}
	return out, err
}
