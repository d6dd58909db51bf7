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

// databaseUser is the user that clients of SQL servers connect as. It may create databases and
// owns those of Server.Database.
const databaseUser = "app"

// Postgres is the [Spec] of a PostgreSQL. Clients sign in as an ordinary user with a password.
type Postgres struct {
	Sync   bool   // wait for the disk at each commit; otherwise a crash of the machine loses data
	Config string // additional lines for postgresql.conf
}

// start implements Spec.
func (p Postgres) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := postgresSource()
	if address := src.externalAddr(); address != "" {
		return externalSQLServer(src, address, p != Postgres{})
	}
	path, err := src.find()
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
	if err := p.init(ctx, path, dir, account); err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, program{
		name: src.name, path: path, dir: dir, user: account,
		stop: syscall.SIGINT, needsCleanStop: true,
		args: func(port int) ([]string, error) {
			return []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port)}, nil
		},
		ping: func(ctx context.Context, addr string) error {
			return postgresQuery(ctx, addr, "SELECT 1")
		},
	})
	if err != nil {
		return nil, err
	}
	s.source = src
	err = s.createPostgresUser(ctx)
	return s, err
}

// init creates the data folder. The administrator needs no password, all other users do.
func (p Postgres) init(ctx context.Context, path, dir string, account *account) error {
	initdb, err := programBeside(path, "initdb")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	args := []string{
		"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
	}
	if err := (command{initdb, args, dir, account}).run(ctx); err != nil {
		return err
	}
	hba := "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	file := filepath.Join(data, "postgresql.conf")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	_, err = f.WriteString(p.configText())
	return errors.Join(err, f.Close())
}

// configText returns the settings that differ from initdb's. Shared memory is kept in the data
// folder as far as possible, so that it is removed together with the folder.
func (p Postgres) configText() string {
	sync := "off"
	if p.Sync {
		sync = "on"
	}
	return strings.Join([]string{
		"", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''",
		"max_connections = 200", "dynamic_shared_memory_type = mmap", "fsync = " + sync,
		"logging_collector = off", p.Config, "",
	}, "\n")
}

// createPostgresUser creates the user that clients connect as.
func (s *Server) createPostgresUser(ctx context.Context) error {
	addr := s.addr
	s.password = randomSecret()
	s.executeSQL = func(ctx context.Context, statement string) error {
		return postgresQuery(ctx, addr, statement)
	}
	u := url.URL{
		Scheme: "postgres", Host: addr, Path: "/postgres", RawQuery: "sslmode=disable",
		User: url.UserPassword(databaseUser, s.password),
	}
	s.url = u.String()
	// The user is a superuser so that it can use databases that the administrator creates.
	return s.executeSQL(ctx, fmt.Sprintf(
		"CREATE ROLE %s LOGIN SUPERUSER PASSWORD '%s'", databaseUser, s.password))
}

// externalSQLServer returns a Server for an SQL server that is already running.
func externalSQLServer(src source, address string, configured bool) (*Server, error) {
	if configured {
		return nil, &missingError{src, "an external server cannot be configured"}
	}
	_, addr, _ := strings.Cut(address, "@")
	addr = strings.TrimPrefix(addr, "tcp(")
	if end := strings.IndexAny(addr, "/)?"); end >= 0 {
		addr = addr[:end]
	}
	return externalServer(src, addr, address), nil
}

// unprivileged returns the account for a server that refuses to run as root, or nil if this
// process does not run as root.
func unprivileged(names ...string) (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // see the comment above
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

// postgresQuery executes a statement as the administrator.
func postgresQuery(ctx context.Context, addr, statement string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const version3 = 3 << 16
	startup := binary.BigEndian.AppendUint32(nil, version3)
	startup = append(startup, "user\x00postgres\x00database\x00postgres\x00\x00"...)
	length := uint32(len(startup) + 4) //nolint:gosec // small
	startup = append(binary.BigEndian.AppendUint32(nil, length), startup...)
	if _, err := conn.Write(startup); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	if err := postgresReadReplies(r); err != nil {
		return err
	}
	length = uint32(len(statement) + 5) //nolint:gosec // small
	query := binary.BigEndian.AppendUint32([]byte{'Q'}, length)
	if _, err := conn.Write(append(append(query, statement...), 0)); err != nil {
		return err
	}
	if err := postgresReadReplies(r); err != nil {
		return err
	}
	return postgresTerminate(conn)
}

// postgresReadReplies reads until the server is ready for the next query. It returns the error
// that the server sent, if any.
func postgresReadReplies(r io.Reader) error {
	var failure error
	for {
		var header [5]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return errors.Join(failure, err)
		}
		body := make([]byte, int(binary.BigEndian.Uint32(header[1:]))-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		switch header[0] {
		case 'Z':
			return failure
		case 'E':
			failure = errors.New(strings.ReplaceAll(string(body), "\x00", " "))
		}
	}
}

// postgresTerminate closes the connection and waits until the server has closed it too.
// Otherwise a DROP DATABASE could fail because of it.
func postgresTerminate(conn net.Conn) error {
	if _, err := conn.Write([]byte{'X', 0, 0, 0, 4}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}
