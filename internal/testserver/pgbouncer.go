package testserver

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// PgBouncer is the [Spec] of a PgBouncer in front of a PostgreSQL. Its URL is that of Database
// with another address: clients need no password.
type PgBouncer struct {
	Database string // the URL of the database on the server
	Mode     string // when a connection serves another client: session, transaction or statement
	Conns    int    // connections to the server
}

// start implements Spec.
func (p PgBouncer) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := pgBouncerSource()
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	database, err := url.Parse(p.Database)
	if err != nil {
		return nil, err
	}
	account, err := unprivileged("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	dir, err := g.folder(src.name, account)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, program{
		name: src.name, path: path, dir: dir, user: account, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) {
			file := filepath.Join(dir, "pgbouncer.ini")
			return []string{file}, os.WriteFile(file, []byte(p.config(database, port)), 0o644) //nolint:gosec // Another account reads it.
		},
		ping: func(ctx context.Context, addr string) error {
			conn, err := dial(ctx, addr)
			if err == nil {
				err = conn.Close()
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	front := *database
	front.Host, front.User = s.addr, url.User(database.User.Username())
	s.source, s.url = src, front.String()
	return s, nil
}

func (p PgBouncer) config(database *url.URL, port int) string {
	host, serverPort, err := net.SplitHostPort(database.Host)
	if err != nil {
		host, serverPort = database.Host, "5432"
	}
	password, _ := database.User.Password()
	return strings.Join([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s user=%s password=%s",
			host, serverPort, database.User.Username(), password),
		"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + strconv.Itoa(port),
		"unix_socket_dir =", "auth_type = any", "pool_mode = " + p.Mode,
		"default_pool_size = " + strconv.Itoa(p.Conns), "max_client_conn = 200",
		"ignore_startup_parameters = extra_float_digits", "",
	}, "\n")
}
