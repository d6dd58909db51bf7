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

// loadConnections is how many connections the load generator keeps busy, each with a session
// of its own.
const loadConnections = 16

// loadResult is how fast a subject responds over HTTP: medians over the rounds.
type loadResult struct {
	subject *subject
	action  action
	rate    float64       // requests per second
	p99     time.Duration // 99th percentile of the latency
}

// loadServer is an app that listens on a local port, with its clients.
type loadServer struct {
	subject *subject
	action  action
	app     *app
	stop    func()
	clients []*loadClient
	rates   []float64 // requests per second, one value for each round
	p99s    []float64 // nanoseconds, one value for each round
}

// newLoadServer starts a subject and connects its clients. The caller must close the server,
// even if there is an error.
func newLoadServer(
	ctx context.Context, sub *subject, do action, env environment,
) (*loadServer, error) {
	s := &loadServer{subject: sub, action: do, stop: func() {}}
	var err error
	if s.app, err = sub.build(env); err != nil {
		return s, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.listen(l)
	for range loadConnections {
		cookie, err := s.app.startSession(ctx)
		if err != nil {
			return s, err
		}
		client, err := dialLoadClient(ctx, l.Addr().String(), do, cookie)
		if err != nil {
			return s, err
		}
		s.clients = append(s.clients, client)
	}
	return s, nil
}

func (s *loadServer) listen(l net.Listener) {
	if s.app.fast != nil {
		f := &fasthttp.Server{Handler: s.app.fast, Logger: discardLogger{}}
		go func() { _ = f.Serve(l) }()
		s.stop = func() { _ = f.Shutdown() }
		return
	}
	h := &http.Server{Handler: s.app.http, ReadHeaderTimeout: time.Minute}
	go func() { _ = h.Serve(l) }()
	s.stop = func() { _ = h.Close() }
}

// discardLogger keeps fasthttp from logging connections that clients close.
type discardLogger struct{}

// Printf implements fasthttp.Logger.
func (discardLogger) Printf(string, ...any) {}

func (s *loadServer) close() {
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
	s.stop()
	if s.app != nil {
		s.app.close()
	}
}

// run lets all clients send requests for the duration of a slot.
func (s *loadServer) run(slot time.Duration) error {
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
			return fmt.Errorf("%v: %w", s.subject, c.err)
		}
		all = append(all, c.latencies...)
	}
	s.rates = append(s.rates, perSecond(len(all), took))
	s.p99s = append(s.p99s, float64(percentile(all, 99)))
	return nil
}

// check verifies that each change was stored.
func (s *loadServer) check(ctx context.Context) error {
	if s.action != actionChange || s.subject.isBare() {
		return nil
	}
	for _, c := range s.clients {
		if err := s.app.expect(ctx, c.cookie, 1+c.requests); err != nil {
			return fmt.Errorf("%v: %w", s.subject, err)
		}
	}
	return nil
}

// loadClient is a connection that sends one request again and again.
type loadClient struct {
	conn      net.Conn
	in        *bufio.Reader
	request   []byte
	cookie    string
	requests  int // sent so far
	latencies []time.Duration
	err       error
}

func dialLoadClient(
	ctx context.Context, addr string, do action, cookie string,
) (*loadClient, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	text := "GET " + do.path() + " HTTP/1.1\r\nHost: localhost\r\n"
	if cookie != "" {
		text += "Cookie: " + cookie + "\r\n"
	}
	return &loadClient{
		conn: conn, in: bufio.NewReader(conn), request: []byte(text + "\r\n"), cookie: cookie,
	}, nil
}

// run sends requests until the given time or the first error.
func (c *loadClient) run(until time.Time) {
	c.latencies = c.latencies[:0]
	for now := time.Now(); c.err == nil && now.Before(until); {
		c.err = c.roundTrip()
		c.requests++
		after := time.Now()
		c.latencies = append(c.latencies, after.Sub(now))
		now = after
	}
}

var errResponse = errors.New("not the response of a request that succeeded")

// roundTrip sends one request and reads its response.
func (c *loadClient) roundTrip() error {
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
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
}

// measureLoad measures the subjects in turn.
func measureLoad(
	ctx context.Context, sched *schedule, env environment, all []*subject, do []action,
) (out []loadResult, err error) {
	var servers []*loadServer
	defer func() {
		for _, s := range servers {
			s.close()
		}
	}()
	for _, sub := range all {
		for _, a := range do {
			s, err := newLoadServer(ctx, sub, a, env)
			servers = append(servers, s)
			if err != nil {
				return nil, err
			}
		}
	}
	err = sched.inTurn(len(servers), func(i int) error { return servers[i].run(sched.slot) })
	for _, s := range servers {
		err = errors.Join(err, s.check(ctx))
		out = append(out, loadResult{
			s.subject, s.action, median(s.rates), time.Duration(median(s.p99s)),
		})
	}
	return out, err
}
