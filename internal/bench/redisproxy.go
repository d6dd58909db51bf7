package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// redisProxy forwards the connections of clients to Redis and records what they send: each
// command, and each round trip, which is when a client waits for a reply before it goes on.
type redisProxy struct {
	listener  net.Listener
	redisAddr string

	mu       sync.Mutex
	commands [][]string
	trips    int
}

// newRedisProxy starts a proxy in front of the Redis at an address.
func newRedisProxy(ctx context.Context, redisAddr string) (*redisProxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &redisProxy{listener: l, redisAddr: redisAddr}
	go p.accept(ctx)
	return p, nil
}

func (p *redisProxy) addr() string { return p.listener.Addr().String() }

func (p *redisProxy) close() { _ = p.listener.Close() }

func (p *redisProxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.redisAddr)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		go func() { _ = p.forward(server, client); _ = server.Close() }()
	}
}

// forward forwards what a client sends, all commands that have arrived at a time.
func (p *redisProxy) forward(server io.Writer, client io.Reader) error {
	var raw strings.Builder
	in := bufio.NewReaderSize(client, 1<<20)
	for {
		raw.Reset()
		var batch [][]string
		for len(batch) == 0 || in.Buffered() > 0 {
			command, err := readCommand(in, &raw)
			if err != nil {
				return err
			}
			batch = append(batch, command)
		}
		p.mu.Lock()
		p.commands, p.trips = append(p.commands, batch...), p.trips+1
		p.mu.Unlock()
		if _, err := io.WriteString(server, raw.String()); err != nil {
			return err
		}
	}
}

// take returns what was recorded since the last call.
func (p *redisProxy) take() (commands [][]string, trips int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	commands, trips = p.commands, p.trips
	p.commands, p.trips = nil, 0
	return commands, trips
}

var errProtocol = errors.New("not a command of the Redis protocol")

// readCommand reads an array of bulk strings and appends its bytes to raw.
func readCommand(in *bufio.Reader, raw *strings.Builder) ([]string, error) {
	n, err := readLength(in, raw, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, 0, n)
	for range n {
		length, err := readLength(in, raw, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, length+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		raw.Write(text)
		command = append(command, string(text[:length]))
	}
	return command, nil
}

func readLength(in *bufio.Reader, raw *strings.Builder, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	raw.WriteString(line)
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if line[0] != kind || err != nil || n < 0 || n > 1<<29 {
		return 0, fmt.Errorf("%w: %q", errProtocol, line)
	}
	return n, nil
}

// traffic is what one request sends to Redis.
type traffic struct {
	commands, trips float64
	names           []string // of the last request's commands
}

// countTraffic returns the average traffic of a subject's requests.
func countTraffic(
	ctx context.Context, s *subject, u *useCase, env environment,
) (traffic, error) {
	proxy, err := newRedisProxy(ctx, env.redis)
	if err != nil {
		return traffic{}, err
	}
	defer proxy.close()
	env.redis = proxy.addr()
	b, err := newBenchmark(ctx, s, *u, env)
	if err != nil {
		return traffic{}, err
	}
	defer b.close()
	const requests = 50
	proxy.take()
	if err := b.send(requests - 1); err != nil {
		return traffic{}, err
	}
	before, tripsBefore := proxy.take()
	if err := b.send(1); err != nil {
		return traffic{}, err
	}
	last, lastTrips := proxy.take()
	out := traffic{
		commands: float64(len(before)+len(last)) / requests,
		trips:    float64(tripsBefore+lastTrips) / requests,
	}
	for _, command := range last {
		out.names = append(out.names, strings.ToUpper(command[0]))
	}
	return out, nil
}
