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

// wire stands between clients and Redis and notes what is sent: each command, and each time that a client waits for an
// answer before it goes on, which is a round trip.
type wire struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	commands [][]string
	trips    int
}

// newWire listens in front of a Redis.
func newWire(ctx context.Context, target string) (*wire, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: l, target: target}
	go w.accept(ctx)
	return w, nil
}

func (w *wire) addr() string { return w.listener.Addr().String() }

func (w *wire) close() { _ = w.listener.Close() }

func (w *wire) accept(ctx context.Context) {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		go func() { _ = w.forward(server, client); _ = server.Close() }()
	}
}

// forward hands on what a client sends, all that is there at a time.
func (w *wire) forward(server io.Writer, client io.Reader) error {
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
		w.mu.Lock()
		w.commands, w.trips = append(w.commands, batch...), w.trips+1
		w.mu.Unlock()
		if _, err := io.WriteString(server, raw.String()); err != nil {
			return err
		}
	}
}

// take returns what was sent since it was last called.
func (w *wire) take() (commands [][]string, trips int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	commands, trips = w.commands, w.trips
	w.commands, w.trips = nil, 0
	return commands, trips
}

var errProtocol = errors.New("not a command of the Redis protocol")

// readCommand reads an array of bulk strings, and copies it to raw as it is.
func readCommand(in *bufio.Reader, raw *strings.Builder) ([]string, error) {
	n, err := readLength(in, raw, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, 0, n)
	for range n {
		size, err := readLength(in, raw, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		raw.Write(text)
		command = append(command, string(text[:size]))
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

// traffic is what a request sends to Redis.
type traffic struct {
	commands, trips float64
	names           []string // of the last request's commands
}

// countTraffic sends some requests of a contender through a wire.
func countTraffic(ctx context.Context, c *contender, u *useCase, w world) (traffic, error) {
	wire, err := newWire(ctx, w.redis)
	if err != nil {
		return traffic{}, err
	}
	defer wire.close()
	w.redis = wire.addr()
	t, err := newTrial(ctx, c, *u, w)
	if err != nil {
		return traffic{}, err
	}
	defer t.close()
	const requests = 50
	wire.take()
	if err := t.send(requests - 1); err != nil {
		return traffic{}, err
	}
	before, beforeTrips := wire.take()
	if err := t.send(1); err != nil {
		return traffic{}, err
	}
	last, lastTrips := wire.take()
	out := traffic{float64(len(before)+len(last)) / requests, float64(beforeTrips+lastTrips) / requests, nil}
	for _, command := range last {
		out.names = append(out.names, strings.ToUpper(command[0]))
	}
	return out, nil
}
