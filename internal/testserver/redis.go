package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Redis is the [Spec] of a single Redis.
type Redis struct {
	Valkey     bool   // Valkey in place of Redis.
	User       string // An ACL user; the default user is then switched off. Needs no Password: one is made.
	Rules      string // What User may do; "" means everything.
	Password   string // Of User, or of the default user.
	TLS        bool   // TLS only, with a certificate for 127.0.0.1.
	MaxMemory  string // For example "4mb".
	Policy     string // Of eviction; "" means noeviction.
	AppendOnly bool   // Every acknowledged write survives a kill and a restart, unless User is set: Redis refuses its log then.
	Config     string // More lines for redis.conf.
}

// start implements Spec.
func (r Redis) start(ctx context.Context, h *host) (*Server, error) {
	src := r.source()
	if addr := src.external(); addr != "" {
		if (r != Redis{Valkey: r.Valkey}) {
			return nil, &missingError{src, "an external server cannot be configured"}
		}
		return outside(src, addr, "redis://"+addr+"/0"), nil
	}
	if r.User != "" && r.Password == "" {
		r.Password = randomSecret()
	}
	n, err := newRedisNode(h, r)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, h, n.program())
	if err != nil {
		return nil, err
	}
	n.describe(s)
	return s, nil
}

func (r Redis) source() source {
	if r.Valkey {
		return valkeySource()
	}
	return redisSource()
}

// redisNode is one process of Redis: alone, a replica, a sentinel, or a member of a cluster.
type redisNode struct {
	spec   Redis
	path   string
	dir    string
	client *tls.Config
	extra  string // More configuration, by its role.
	flags  []string
}

func newRedisNode(h *host, spec Redis) (*redisNode, error) {
	path, err := spec.source().find()
	if err != nil {
		return nil, err
	}
	n := &redisNode{spec: spec, path: path}
	if n.dir, err = h.folder(spec.source().name, nil); err != nil {
		return nil, err
	}
	if spec.TLS {
		n.client, err = writeCertificate(n.dir)
	}
	return n, err
}

// program says how to run the node.
func (n *redisNode) program() program {
	return program{
		name: n.spec.source().name, path: n.path, dir: n.dir, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) {
			file := filepath.Join(n.dir, "redis.conf")
			return append([]string{file}, n.flags...), os.WriteFile(file, []byte(n.config(port)), 0o600)
		},
		ping: func(ctx context.Context, addr string) error {
			c, err := n.dial(ctx, addr)
			if err != nil {
				return err
			}
			return errors.Join(c.ping(), c.Close())
		},
	}
}

// config returns the configuration file. Nothing is saved but on demand, and replicas do not wait for each other.
func (n *redisNode) config(port int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("bind 127.0.0.1\ndir %s\nsave \"\"\nrepl-diskless-sync-delay 0", n.dir)
	if n.spec.TLS {
		line("port 0\ntls-port %d\ntls-auth-clients no\ntls-cert-file %s/cert.pem\ntls-key-file %s/key.pem\ntls-ca-cert-file %s/cert.pem",
			port, n.dir, n.dir, n.dir)
	} else {
		line("port %d", port)
	}
	n.accessConfig(line)
	if n.spec.MaxMemory != "" {
		line("maxmemory %s", n.spec.MaxMemory)
	}
	if n.spec.Policy != "" {
		line("maxmemory-policy %s", n.spec.Policy)
	}
	if n.spec.AppendOnly {
		line("appendonly yes\nappendfsync always")
	}
	line("%s\n%s", n.extra, n.spec.Config)
	return b.String()
}

// accessConfig says who may do what.
func (n *redisNode) accessConfig(line func(format string, args ...any)) {
	switch {
	case n.spec.User != "":
		rules := n.spec.Rules
		if rules == "" {
			rules = "~* &* +@all"
		}
		line("user default off\nuser %s on >%s %s", n.spec.User, n.spec.Password, rules)
	case n.spec.Password != "":
		line("requirepass %s\nmasterauth %s", n.spec.Password, n.spec.Password)
	}
}

// dial connects as the client that the spec describes.
func (n *redisNode) dial(ctx context.Context, addr string) (*redisConn, error) {
	c, err := dialRedis(ctx, addr, n.client)
	if err != nil || n.spec.Password == "" {
		return c, err
	}
	auth := []string{"AUTH", n.spec.Password}
	if n.spec.User != "" {
		auth = []string{"AUTH", n.spec.User, n.spec.Password}
	}
	if _, err := c.do(auth...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// describe completes what clients want to know.
func (n *redisNode) describe(s *Server) {
	u := url.URL{Scheme: "redis", Host: s.addr, Path: "/0"}
	if n.client != nil {
		u.Scheme = "rediss"
	}
	if n.spec.Password != "" {
		u.User = url.UserPassword(n.spec.User, n.spec.Password)
	}
	s.source, s.url, s.password, s.tls = n.spec.source(), u.String(), n.spec.Password, n.client
}
