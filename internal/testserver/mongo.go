package testserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Mongo is the [Spec] of FerretDB with its SQLite backend, in place of MongoDB. Single
// commands are as atomic as MongoDB's; there are no TTL indexes, transactions or replica sets.
// TEST_MONGO_URL names a real MongoDB.
type Mongo struct{}

// start implements Spec.
func (m Mongo) start(ctx context.Context, g *serverGroup) (*Server, error) {
	src := mongoSource()
	if address := src.externalAddr(); address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.addressVar, err)
		}
		if u.Path == "" {
			u.Path = "/"
		}
		return externalServer(src, u.Host, u.String()), nil
	}
	path, err := ferretdbPath(ctx, src)
	if err != nil {
		return nil, err
	}
	// The timeout for starting a server does not include building it.
	ctx, cancel := withStartTimeout(context.WithoutCancel(ctx))
	defer cancel()
	dir, err := g.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, g, program{
		name: src.name, path: path, dir: dir, ping: pingMongo, stop: syscall.SIGTERM,
		args: func(port int) ([]string, error) {
			return []string{"-dir", dir, "-listen", fmt.Sprintf("127.0.0.1:%d", port)}, nil
		},
	})
	if err != nil {
		return nil, err
	}
	s.source, s.url = src, "mongodb://"+s.addr+"/"
	return s, nil
}

// ferretdbPath returns the path of the program, which it builds if necessary.
func ferretdbPath(ctx context.Context, src source) (string, error) {
	if os.Getenv(src.binaryVar) != "" {
		return src.find()
	}
	// The first build takes a minute or two.
	path, err := buildFerretDB(context.WithoutCancel(ctx))
	if err != nil {
		return "", &missingError{src, "cannot build FerretDB: " + err.Error()}
	}
	return path, nil
}

// buildFerretDB builds the program in the folder ferretdb and puts it into the cache. Its name
// there contains a hash of its sources.
func buildFerretDB(ctx context.Context) (string, error) {
	_, thisFile, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(thisFile), "ferretdb")
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go", "serializer.go"} {
		text, err := os.ReadFile(filepath.Join(folder, name)) //nolint:gosec // our own sources
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, "ferretdb-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	unlock, err := lockCache(ctx, "ferretdb.lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	return target, goBuild(ctx, folder, target)
}

// goBuild builds the program in folder without a Go workspace.
func goBuild(ctx context.Context, folder, target string) error {
	temporary := target + ".new"
	args := []string{"build", "-trimpath", "-o", temporary, "."}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // a name made above
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(temporary, target)
}

// pingMongo sends the ping command as an OP_MSG with one section, which is a BSON document.
func pingMongo(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const opMsg = 2013
	fields := "\x10ping\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"
	length := uint32(len(fields) + 4) //nolint:gosec // small
	document := append(binary.LittleEndian.AppendUint32(nil, length), fields...)
	message := make([]byte, 16, 64)
	message = append(append(message, 0, 0, 0, 0, 0), document...)
	binary.LittleEndian.PutUint32(message, uint32(len(message))) //nolint:gosec // small
	binary.LittleEndian.PutUint32(message[12:], opMsg)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	return mongoOK(conn)
}

// mongoOK reads a reply and returns an error unless it contains the field ok with the value 1.
func mongoOK(r io.Reader) error {
	header := make([]byte, 16)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	const maxReply = 1 << 20
	size := binary.LittleEndian.Uint32(header)
	if size < 16 || size > maxReply {
		return fmt.Errorf("reply of %d bytes", size)
	}
	body := make([]byte, size-16)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	const ok = "\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f"
	if !bytes.Contains(body, []byte(ok)) {
		return errors.New("ping was answered with an error")
	}
	return nil
}
