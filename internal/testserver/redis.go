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
	Valkey    bool   // Valkey in place of Redis
	User      string // an ACL user, which replaces the default user
	Rules     string // ACL rules of User; "" allows everything
	Password  string // of User or the default user; "" means none, or a random one if User is set
	TLS       bool   // TLS only, with a certificate for 127.0.0.1
	MaxMemory string // for example "4mb"
	Policy    string // eviction policy; "" means noeviction
	Config    string // additional lines for redis.conf

	// AppendOnly makes every acknowledged write survive a kill and a restart. It does not work
	// together with User: Redis then refuses to load its log.
	AppendOnly bool
}

// start implements Spec.
func (r Redis) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := r.source()
	if addr := src.externalAddr(); addr != "" {
		if (r != Redis{Valkey: r.Valkey}) {
			return nil, &missingError{src, "an external server cannot be configured"}
		}
		return externalServer(src, addr, "redis://"+addr+"/0"), nil
	}
	if r.User != "" && r.Password == "" {
		r.Password = randomSecret()
	}
	n, err := newRedisNode(g, r)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, n.program())
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

// redisNode is one process of Redis: a single server, a replica, a sentinel, or a node of a
// cluster.
type redisNode struct {
	spec   Redis
	path   string
	dir    string
	client *tls.Config
	extra  string // additional configuration for its role
	flags  []string
}

func newRedisNode(g *serverGroup, spec Redis) (*redisNode, error) {
	path, err := spec.source().find()
	if err != nil {
		return nil, err
	}
	n := &redisNode{spec: spec, path: path}
	if n.dir, err = g.folder(spec.source().name, nil); err != nil {
		return nil, err
	}
	if spec.TLS {
		n.client, err = writeCertificate(n.dir)
	}
	return n, err
}

// program returns the program that runs the node.
func (n *redisNode) program() program {
	return program{
		name: n.spec.source().name, path: n.path, dir: n.dir, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) {
			file := filepath.Join(n.dir, "redis.conf")
			err := os.WriteFile(file, []byte(n.config(port)), 0o600)
			return append([]string{file}, n.flags...), err
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

// config returns the configuration file. It disables periodic snapshots, and a full sync
// starts at once instead of waiting for other replicas.
func (n *redisNode) config(port int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("bind 127.0.0.1\ndir %s\nsave \"\"\nrepl-diskless-sync-delay 0", n.dir)
	if n.spec.TLS {
		line("port 0\ntls-port %d\ntls-auth-clients no", port)
		line("tls-cert-file %s/cert.pem\ntls-key-file %s/key.pem", n.dir, n.dir)
		line("tls-ca-cert-file %s/cert.pem", n.dir)
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

// accessConfig writes the configuration of users and passwords.
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

// dial connects as the user of the spec.
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

// describe sets the fields of s that clients need.
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
