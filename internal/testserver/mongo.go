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

// Mongo is the [Spec] of FerretDB with its SQLite backend, in the place of MongoDB: single commands are as atomic as
// MongoDB's; TTL indexes, transactions and replica sets are missing. TEST_MONGO_URL names a real MongoDB.
type Mongo struct{}

// start implements Spec.
func (m Mongo) start(ctx context.Context, h *host) (*Server, error) {
	src := mongoSource()
	if address := src.external(); address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.address, err)
		}
		if u.Path == "" {
			u.Path = "/"
		}
		return outside(src, u.Host, u.String()), nil
	}
	path, err := ferretdbPath(ctx, src)
	if err != nil {
		return nil, err
	}
	// The time for starting a server was not meant for building it.
	ctx, cancel := withStartWait(context.WithoutCancel(ctx))
	defer cancel()
	dir, err := h.folder(src.name, nil)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, h, program{
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

// ferretdbPath returns the program, built if it was not yet.
func ferretdbPath(ctx context.Context, src source) (string, error) {
	if os.Getenv(src.binary) != "" {
		return src.find()
	}
	// The first build takes a minute or two.
	path, err := buildFerretDB(context.WithoutCancel(ctx))
	if err != nil {
		return "", &missingError{src, "cannot build FerretDB: " + err.Error()}
	}
	return path, nil
}

// buildFerretDB builds the program in the folder ferretdb into the cache, under a name made from its sources.
func buildFerretDB(ctx context.Context) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "ferretdb")
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go", "serializer.go"} {
		text, err := os.ReadFile(filepath.Join(folder, name)) //nolint:gosec // Our own sources.
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

// goBuild builds the program in folder, outside of any workspace.
func goBuild(ctx context.Context, folder, target string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", target+".new", ".") //nolint:gosec // A name made above.
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(target+".new", target)
}

// pingMongo sends the ping command: an operation message with one section, a BSON document.
func pingMongo(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const opMsg = 2013
	fields := "\x10ping\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"
	document := append(binary.LittleEndian.AppendUint32(nil, uint32(len(fields)+4)), fields...) //nolint:gosec // Small.
	message := make([]byte, 16, 64)
	message = append(append(message, 0, 0, 0, 0, 0), document...)
	binary.LittleEndian.PutUint32(message, uint32(len(message))) //nolint:gosec // Small.
	binary.LittleEndian.PutUint32(message[12:], opMsg)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	return mongoOK(conn)
}

// mongoOK reads a reply and fails unless it begins with the field that says all is well.
func mongoOK(r io.Reader) error {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	const maxReply = 1 << 20
	size := binary.LittleEndian.Uint32(head)
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
