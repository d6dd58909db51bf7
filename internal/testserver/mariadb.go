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
	Sync   bool   // wait for the disk at each commit; otherwise a crash of the machine loses data
	Config string // an additional option of mariadbd, for example "--max-connections=10"
}

// start implements Spec.
func (m MariaDB) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := mariadbSource()
	if address := src.externalAddr(); address != "" {
		return externalSQLServer(src, address, m != MariaDB{})
	}
	path, err := src.find()
	if err != nil {
		return nil, err
	}
	dir, err := g.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	if err := initMariaDB(ctx, path, dir); err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, program{
		name: src.name, path: "/bin/sh", dir: dir, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) {
			return append(ignoringLimitSignal(path), m.args(dir, port)...), nil
		},
		ping: func(ctx context.Context, addr string) error {
			return mariadbQuery(ctx, addr, "DO 1")
		},
	})
	if err != nil {
		return nil, err
	}
	s.source = src
	err = s.createMariaDBUser(ctx)
	return s, err
}

// initMariaDB creates the data folder. Its administrator has no password.
func initMariaDB(ctx context.Context, path, dir string) error {
	install, err := programBeside(path, "mariadb-install-db")
	if err != nil {
		return err
	}
	args := append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
	}, rootOption()...)
	return command{install, args, dir, nil}.run(ctx)
}

// rootOption returns the option without which MariaDB refuses to run as root.
func rootOption() []string {
	if os.Getuid() != 0 {
		return nil
	}
	return []string{"--user=root"}
}

// ignoringLimitSignal returns the arguments of a shell that ignores SIGXFSZ and then executes
// the program at path. The signal is sent for writes beyond the limit of [Server.LimitFiles].
// PostgreSQL ignores it by itself; it would end MariaDB.
func ignoringLimitSignal(path string) []string {
	return []string{"-c", `trap '' XFSZ; exec "$@"`, "sh", path}
}

func (m MariaDB) args(dir string, port int) []string {
	args := append([]string{
		"--no-defaults", "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--skip-log-bin", "--skip-name-resolve", "--max-connections=200",
		"--datadir=" + filepath.Join(dir, "data"), "--socket=" + filepath.Join(dir, "socket"),
		"--pid-file=" + filepath.Join(dir, "own.pid"),
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M",
	}, rootOption()...)
	if !m.Sync {
		// Commits are written to the operating system, so they survive the server's process.
		args = append(args,
			"--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync")
	}
	if m.Config != "" {
		args = append(args, m.Config)
	}
	return args
}

// createMariaDBUser creates the user that clients connect as.
func (s *Server) createMariaDBUser(ctx context.Context) error {
	addr := s.addr
	s.password = randomSecret()
	s.executeSQL = func(ctx context.Context, statement string) error {
		return mariadbQuery(ctx, addr, statement)
	}
	s.url = fmt.Sprintf("%s:%s@tcp(%s)/mysql", databaseUser, s.password, addr)
	for _, statement := range []string{
		fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s'", databaseUser, s.password),
		fmt.Sprintf("GRANT ALL PRIVILEGES ON *.* TO %s@'127.0.0.1'", databaseUser),
	} {
		if err := s.executeSQL(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// mariadbQuery executes a statement that returns no rows, as the administrator.
func mariadbQuery(ctx context.Context, addr, statement string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := mariadbReadPacket(conn); err != nil {
		return err
	}
	const (
		longPassword, protocol41, secureConnection, pluginAuth = 1 << 0, 1 << 9, 1 << 15, 1 << 19
		maxPacket, utf8                                        = 1 << 24, 45
	)
	const capabilities = longPassword | protocol41 | secureConnection | pluginAuth
	login := binary.LittleEndian.AppendUint32(nil, capabilities)
	login = append(binary.LittleEndian.AppendUint32(login, maxPacket), utf8)
	login = append(login, make([]byte, 23)...)
	login = append(login, "root\x00\x00mysql_native_password\x00"...)
	if err := mariadbWritePacket(conn, 1, login); err != nil {
		return err
	}
	if err := mariadbReadPacket(conn); err != nil {
		return err
	}
	if err := mariadbWritePacket(conn, 0, append([]byte{3}, statement...)); err != nil {
		return err
	}
	return mariadbReadPacket(conn)
}

func mariadbWritePacket(conn net.Conn, sequence byte, body []byte) error {
	header := uint32(len(body)) | uint32(sequence)<<24 //nolint:gosec // small
	_, err := conn.Write(append(binary.LittleEndian.AppendUint32(nil, header), body...))
	return err
}

// mariadbReadPacket reads a packet and returns the error in it, if there is one.
func mariadbReadPacket(conn net.Conn) error {
	var header [4]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	const errorPacket = 0xff
	body := make([]byte, binary.LittleEndian.Uint32(header[:])&0xffffff)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	if len(body) > 3 && body[0] == errorPacket {
		return errors.New(string(body[3:]))
	}
	return nil
}
