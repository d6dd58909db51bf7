package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// The defaults that zero values of [Options] stand for.
const (
	DefaultMaxItem     = 1 << 20
	DefaultTimeout     = 5 * time.Second
	DefaultMaxConns    = 128
	DefaultMaxIdle     = 16
	DefaultIdleTimeout = time.Minute
)

// Options configures a [Store]. Only Servers is needed.
type Options struct {
	// Servers lists the addresses: host:port, or the path of a Unix socket. It has to be the same in all processes, in any order, and
	// written the same way: the address is what a server's share of the keys is computed from.
	Servers []string

	// MaxItem is the largest item that the servers take, what their option -I says: key, record and a few dozen bytes around them.
	// A larger record is [store.ErrTooLarge] and nothing is sent. It must not be more than what the servers take, for
	// memcached deletes the item that it refuses to replace by one too large. Zero: 1 MiB, the servers' default.
	MaxItem int

	// Timeout bounds each call, waiting for a connection included, besides the deadline of its context. Zero: 5 seconds.
	Timeout time.Duration

	// MaxConns bounds the connections to one server; more calls than that wait. The servers' own bound is 1024 over all
	// clients, unless their option -c says otherwise. Zero: 128.
	MaxConns int

	// MaxIdle is how many connections to one server are kept while nobody needs them. Zero: 16.
	MaxIdle int

	// IdleTimeout is how long a connection may be idle and still be used again. It must be shorter than what firewalls, and
	// the servers with their option idle_timeout, put up with. Zero: one minute.
	IdleTimeout time.Duration

	// Username and Password are for servers that run with -Y. They are sent in the clear: see Dial for TLS.
	Username, Password string

	// Dial makes connections, over TLS for example; network is tcp or unix. It has to heed the context. Nil: a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// check says what is impossible about the options and what to do about it.
func (o Options) check() error {
	switch {
	case len(o.Servers) == 0:
		return errors.New("sessions: memcachedstore: Options.Servers is empty: list at least one address, as in \"127.0.0.1:11211\"")
	case o.MaxItem < 0 || o.MaxItem > 0 && o.MaxItem < smallestItem:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxItem is %d: set what the servers' option -I says, at least %d, or 0 for %d", o.MaxItem, smallestItem, DefaultMaxItem)
	case o.Timeout < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.Timeout is %v: set a duration, or 0 for %v", o.Timeout, DefaultTimeout)
	case o.MaxConns < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxConns is %d: set a number of connections, or 0 for %d", o.MaxConns, DefaultMaxConns)
	case o.MaxIdle < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxIdle is %d: set a number of connections, or 0 for %d", o.MaxIdle, DefaultMaxIdle)
	case o.IdleTimeout < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.IdleTimeout is %v: set a duration, or 0 for %v", o.IdleTimeout, DefaultIdleTimeout)
	case (o.Username == "") != (o.Password == ""):
		return errors.New("sessions: memcachedstore: Options.Username and Options.Password go together: set both or none")
	case strings.ContainsAny(o.Username+o.Password, "\r\n") || strings.Contains(o.Username, " "):
		return errors.New("sessions: memcachedstore: Options.Username and Options.Password cannot have line ends, nor the name a space: the protocol has no way to send them")
	}
	return checkServers(o.Servers)
}

func checkServers(servers []string) error {
	for i, address := range servers {
		if slices.Contains(servers[:i], address) {
			return fmt.Errorf("sessions: memcachedstore: Options.Servers has %q twice: list each server once", address)
		}
		if network(address) == networkUnix {
			continue
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return fmt.Errorf("sessions: memcachedstore: Options.Servers has %q: write host:port, or the path of a Unix socket that begins with a slash", address)
		}
	}
	return nil
}

const networkUnix = "unix"

// network returns what net.Dial calls the kind of address.
func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return networkUnix
	}
	return "tcp"
}

// withDefaults returns the options with each zero value replaced by what it stands for.
func (o Options) withDefaults() Options {
	o.Servers = slices.Clone(o.Servers)
	o.MaxItem = or(o.MaxItem, DefaultMaxItem)
	o.Timeout = or(o.Timeout, DefaultTimeout)
	o.MaxConns = or(o.MaxConns, DefaultMaxConns)
	o.MaxIdle = or(o.MaxIdle, DefaultMaxIdle)
	o.IdleTimeout = or(o.IdleTimeout, DefaultIdleTimeout)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
