package memcachedstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// The defaults of [Options].
const (
	DefaultMaxItem     = 1 << 20
	DefaultTimeout     = 5 * time.Second
	DefaultMaxConns    = 128
	DefaultMaxIdle     = 16
	DefaultIdleTimeout = time.Minute
)

// Options configures a [Store]. Only Servers is required.
type Options struct {
	// Servers lists the addresses of the servers: host:port, or the path of a Unix socket. All
	// processes must list the same addresses, spelled the same way, because a server's share
	// of the keys is computed from its address. The order does not matter.
	Servers []string

	// MaxItem is the maximum size of an item in bytes: the key, the record and 128 bytes
	// around them. It must not exceed the servers' own maximum, which is their option -I:
	// memcached deletes an item when it refuses to replace it by one that is too large. Saving
	// a larger record returns [store.ErrTooLarge] and sends nothing. The default is 1 MiB,
	// like that of the servers.
	MaxItem int

	// Timeout is the maximum duration of a call, including the wait for a connection. A call
	// also ends with its context. The default is 5 seconds.
	Timeout time.Duration

	// MaxConns is the maximum number of connections to one server. Further calls wait. A
	// server accepts 1024 connections from all its clients together, unless its option -c says
	// otherwise. The default is 128.
	MaxConns int

	// MaxIdle is the maximum number of idle connections to one server. The default is 16.
	MaxIdle int

	// IdleTimeout is how long a connection may be idle before it is closed instead of used
	// again. It must be shorter than the limits of firewalls, and of the servers with option
	// idle_timeout. The default is one minute.
	IdleTimeout time.Duration

	// Username and Password are the credentials for servers that run with -Y. They are not
	// encrypted; see Dial for TLS. Set both or neither. By default the store does not log in.
	Username, Password string

	// Dial connects to a server, for example over TLS. The network is "tcp" or "unix". Dial
	// must return when the context ends. The default is the DialContext method of a zero
	// [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// validate returns an error that says how to correct the options if they are invalid.
func (o Options) validate() error {
	switch {
	case len(o.Servers) == 0:
		return errors.New("sessions: memcachedstore: Options.Servers is empty: " +
			"list at least one address, as in \"127.0.0.1:11211\"")
	case o.MaxItem < 0 || o.MaxItem > 0 && o.MaxItem < leastMaxItem:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxItem is %d: "+
			"set what the servers' option -I says, at least %d, or 0 for %d",
			o.MaxItem, leastMaxItem, DefaultMaxItem)
	case o.Timeout < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.Timeout is %v: "+
			"set a duration, or 0 for %v", o.Timeout, DefaultTimeout)
	case o.MaxConns < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxConns is %d: "+
			"set a number of connections, or 0 for %d", o.MaxConns, DefaultMaxConns)
	case o.MaxIdle < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.MaxIdle is %d: "+
			"set a number of connections, or 0 for %d", o.MaxIdle, DefaultMaxIdle)
	case o.IdleTimeout < 0:
		return fmt.Errorf("sessions: memcachedstore: Options.IdleTimeout is %v: "+
			"set a duration, or 0 for %v", o.IdleTimeout, DefaultIdleTimeout)
	case (o.Username == "") != (o.Password == ""):
		return errors.New("sessions: memcachedstore: " +
			"Options.Username and Options.Password go together: set both or none")
	case strings.ContainsAny(o.Username+o.Password, "\r\n") || strings.Contains(o.Username, " "):
		return errors.New("sessions: memcachedstore: Options.Username and Options.Password " +
			"cannot have line ends, nor the name a space: the protocol has no way to send them")
	}
	return validateServers(o.Servers)
}

func validateServers(servers []string) error {
	for i, address := range servers {
		if slices.Contains(servers[:i], address) {
			return fmt.Errorf("sessions: memcachedstore: Options.Servers has %q twice: "+
				"list each server once", address)
		}
		if networkOf(address) == networkUnix {
			continue
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("sessions: memcachedstore: Options.Servers has %q: "+
				"write host:port, or the path of a Unix socket that begins with a slash", address)
		}
	}
	return nil
}

const networkUnix = "unix"

// networkOf returns the network of an address, for Dial.
func networkOf(address string) string {
	if strings.HasPrefix(address, "/") {
		return networkUnix
	}
	return "tcp"
}

// withDefaults returns a copy of the options with each zero value replaced by its default.
func (o Options) withDefaults() Options {
	o.Servers = slices.Clone(o.Servers)
	o.MaxItem = cmp.Or(o.MaxItem, DefaultMaxItem)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.MaxConns = cmp.Or(o.MaxConns, DefaultMaxConns)
	o.MaxIdle = cmp.Or(o.MaxIdle, DefaultMaxIdle)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}
