package testserver

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// databaseUser is who clients of SQL servers sign in as. It may create databases and owns those of Server.Database.
const databaseUser = "app"

// Postgres is the [Spec] of a PostgreSQL. Clients sign in as an ordinary user with a password.
type Postgres struct {
	Sync   bool   // Wait for the disk at each commit. Off, only a crash of the machine would lose something.
	Config string // More lines for postgresql.conf.
}

// start implements Spec.
func (p Postgres) start(ctx context.Context, h *host) (*Server, error) {
	src := postgresSource()
	if address := src.external(); address != "" {
		return outsideSQL(src, address, p != Postgres{})
	}
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	dir, err := h.folder(src.name, account)
	if err != nil {
		return nil, err
	}
	if err := p.init(ctx, path, dir, account); err != nil {
		return nil, err
	}
	s, err := launch(ctx, h, program{
		name: src.name, path: path, dir: dir, user: account, stop: syscall.SIGINT, clean: true,
		args: func(port int) ([]string, error) {
			return []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port)}, nil
		},
		ping: func(ctx context.Context, addr string) error { return postgresQuery(ctx, addr, "SELECT 1") },
	})
	if err != nil {
		return nil, err
	}
	s.source = src
	err = s.postgresUser(ctx)
	return s, err
}

// init makes the data folder. The administrator needs no password, everybody else does.
func (p Postgres) init(ctx context.Context, path, dir string, account *account) error {
	initdb, err := sibling(path, "initdb")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	cmd := command{initdb, []string{"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"}, dir, account}
	if err := cmd.run(ctx); err != nil {
		return err
	}
	hba := "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // A folder that we made.
	if err != nil {
		return err
	}
	_, err = f.WriteString(p.config())
	return errors.Join(err, f.Close())
}

// config returns the settings that differ from initdb's. Shared memory is kept in the data folder as far as possible, so
// that it goes with it.
func (p Postgres) config() string {
	sync := "off"
	if p.Sync {
		sync = "on"
	}
	return strings.Join([]string{
		"", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "max_connections = 200",
		"dynamic_shared_memory_type = mmap", "fsync = " + sync, "logging_collector = off", p.Config, "",
	}, "\n")
}

// postgresUser makes the user that clients sign in as.
func (s *Server) postgresUser(ctx context.Context) error {
	addr := s.addr
	s.password = randomSecret()
	s.execute = func(ctx context.Context, statement string) error { return postgresQuery(ctx, addr, statement) }
	u := url.URL{
		Scheme: "postgres", Host: addr, Path: "/postgres", RawQuery: "sslmode=disable",
		User: url.UserPassword(databaseUser, s.password),
	}
	s.url = u.String()
	// A superuser: databases are created by the administrator, and what is in them shall be the client's.
	return s.execute(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN SUPERUSER PASSWORD '%s'", databaseUser, s.password))
}

// outsideSQL stands for an SQL server that somebody else runs.
func outsideSQL(src source, address string, configured bool) (*Server, error) {
	if configured {
		return nil, &missingError{src, "an external server cannot be configured"}
	}
	_, addr, _ := strings.Cut(address, "@")
	addr = strings.TrimPrefix(addr, "tcp(")
	if end := strings.IndexAny(addr, "/)?"); end >= 0 {
		addr = addr[:end]
	}
	return outside(src, addr, address), nil
}

// unprivileged returns the account to run a server as that refuses to run as root; nil when we are not root.
func unprivileged(names ...string) (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // The comment above says what nil means.
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(found.Uid)
		gid, err2 := strconv.Atoi(found.Gid)
		return &account{uid, gid}, errors.Join(err1, err2)
	}
	return nil, fmt.Errorf("found none of the accounts %q to run the server as", names)
}

// postgresQuery runs one statement as the administrator, who needs no password.
func postgresQuery(ctx context.Context, addr, statement string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const version3 = 3 << 16
	hello := binary.BigEndian.AppendUint32(nil, version3)
	hello = append(hello, "user\x00postgres\x00database\x00postgres\x00\x00"...)
	hello = append(binary.BigEndian.AppendUint32(nil, uint32(len(hello)+4)), hello...) //nolint:gosec // Small.
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	if err := postgresReplies(r); err != nil {
		return err
	}
	query := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(statement)+5)) //nolint:gosec // Small.
	if _, err := conn.Write(append(append(query, statement...), 0)); err != nil {
		return err
	}
	if err := postgresReplies(r); err != nil {
		return err
	}
	return postgresBye(conn)
}

// postgresReplies reads until the server is ready for the next query, and returns the error it met on the way.
func postgresReplies(r io.Reader) error {
	var failure error
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return errors.Join(failure, err)
		}
		body := make([]byte, int(binary.BigEndian.Uint32(head[1:]))-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		switch head[0] {
		case 'Z':
			return failure
		case 'E':
			failure = errors.New(strings.ReplaceAll(string(body), "\x00", " "))
		}
	}
}

// postgresBye ends the connection and waits until the server has done so too: DROP DATABASE would meet it.
func postgresBye(conn net.Conn) error {
	if _, err := conn.Write([]byte{'X', 0, 0, 0, 4}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}
