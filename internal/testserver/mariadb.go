package testserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// MariaDB is the [Spec] of a MariaDB. Clients sign in as an ordinary user with a password.
type MariaDB struct {
	Sync   bool   // Wait for the disk at each commit. Off, only a crash of the machine would lose something.
	Config string // One more option for mariadbd, for example "--max-connections=10".
}

// start implements Spec.
func (m MariaDB) start(ctx context.Context, h *host) (*Server, error) {
	src := mariadbSource()
	if address := src.external(); address != "" {
		return outsideSQL(src, address, m != MariaDB{})
	}
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	dir, err := h.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	if err := initMariaDB(ctx, path, dir); err != nil {
		return nil, err
	}
	s, err := launch(ctx, h, program{
		name: src.name, path: "/bin/sh", dir: dir, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) { return append(withoutLimitSignal(path), m.args(dir, port)...), nil },
		ping: func(ctx context.Context, addr string) error { return mariadbQuery(ctx, addr, "DO 1") },
	})
	if err != nil {
		return nil, err
	}
	s.source = src
	err = s.mariadbUser(ctx)
	return s, err
}

// initMariaDB makes the data folder, with an administrator who needs no password.
func initMariaDB(ctx context.Context, path, dir string) error {
	install, err := sibling(path, "mariadb-install-db")
	if err != nil {
		return err
	}
	args := append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
	}, asRoot()...)
	return command{install, args, dir, nil}.run(ctx)
}

// asRoot returns the option without which MariaDB refuses to run as root.
func asRoot() []string {
	if os.Getuid() != 0 {
		return nil
	}
	return []string{"--user=root"}
}

// withoutLimitSignal returns the arguments for a shell that becomes the program at path. Writing beyond the limit of
// [Server.LimitFiles] would end it otherwise: unlike PostgreSQL it does not ignore that signal by itself.
func withoutLimitSignal(path string) []string {
	return []string{"-c", `trap '' XFSZ; exec "$@"`, "sh", path}
}

func (m MariaDB) args(dir string, port int) []string {
	args := append([]string{
		"--no-defaults", "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port), "--skip-log-bin", "--skip-name-resolve",
		"--datadir=" + filepath.Join(dir, "data"), "--socket=" + filepath.Join(dir, "socket"), "--pid-file=" + filepath.Join(dir, "own.pid"),
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M", "--max-connections=200",
	}, asRoot()...)
	if !m.Sync {
		// Commits go to the system, not to the disk: what the server acknowledged outlives its process.
		args = append(args, "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync")
	}
	if m.Config != "" {
		args = append(args, m.Config)
	}
	return args
}

// mariadbUser makes the user that clients sign in as.
func (s *Server) mariadbUser(ctx context.Context) error {
	addr := s.addr
	s.password = randomSecret()
	s.execute = func(ctx context.Context, statement string) error { return mariadbQuery(ctx, addr, statement) }
	s.url = fmt.Sprintf("%s:%s@tcp(%s)/mysql", databaseUser, s.password, addr)
	err := s.execute(ctx, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s'", databaseUser, s.password))
	if err != nil {
		return err
	}
	return s.execute(ctx, fmt.Sprintf("GRANT ALL PRIVILEGES ON *.* TO %s@'127.0.0.1'", databaseUser))
}

// mariadbQuery runs one statement that returns no rows, as the administrator, who needs no password.
func mariadbQuery(ctx context.Context, addr, statement string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := mariadbRead(conn); err != nil {
		return err
	}
	const (
		longPassword, protocol41, secureConnection, pluginAuth = 1 << 0, 1 << 9, 1 << 15, 1 << 19
		maxPacket, utf8                                        = 1 << 24, 45
	)
	hello := binary.LittleEndian.AppendUint32(nil, longPassword|protocol41|secureConnection|pluginAuth)
	hello = append(binary.LittleEndian.AppendUint32(hello, maxPacket), utf8)
	hello = append(hello, make([]byte, 23)...)
	hello = append(hello, "root\x00\x00mysql_native_password\x00"...)
	if err := mariadbWrite(conn, 1, hello); err != nil {
		return err
	}
	if err := mariadbRead(conn); err != nil {
		return err
	}
	if err := mariadbWrite(conn, 0, append([]byte{3}, statement...)); err != nil {
		return err
	}
	return mariadbRead(conn)
}

func mariadbWrite(conn net.Conn, sequence byte, body []byte) error {
	packet := binary.LittleEndian.AppendUint32(nil, uint32(len(body))|uint32(sequence)<<24) //nolint:gosec // Small.
	_, err := conn.Write(append(packet, body...))
	return err
}

// mariadbRead reads a packet. One that says error is an error; nothing else matters here.
func mariadbRead(conn net.Conn) error {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	const errorPacket = 0xff
	body := make([]byte, binary.LittleEndian.Uint32(head[:])&0xffffff)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	if len(body) > 3 && body[0] == errorPacket {
		return errors.New(string(body[3:]))
	}
	return nil
}
