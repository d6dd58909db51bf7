package tests_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
)

// record returns a record to create.
func record(key string) store.Record {
	return store.Record{Key: key, Subject: "somebody", Data: []byte("data of " + key), Expires: time.Now().Add(time.Hour)}
}

func mustSave(t *testing.T, s store.Store, rec store.Record) store.Record {
	t.Helper()
	saved, err := s.Save(t.Context(), rec)
	if err != nil {
		t.Fatalf("Save(version %d) = %v", rec.Version, err)
	}
	return saved
}

// wants checks that the store has exactly this record.
func wants(t *testing.T, s store.Store, want store.Record) {
	t.Helper()
	got, err := s.Load(t.Context(), want.Key)
	if err != nil {
		t.Fatalf("Load = %v, want the record", err)
	}
	if got.Version != want.Version || !bytes.Equal(got.Data, want.Data) || got.Subject != want.Subject || !got.Expires.Equal(want.Expires) {
		t.Errorf("Load = version %d, %d bytes, want version %d, %d bytes, and subject and expiry as saved", got.Version, len(got.Data), want.Version, len(want.Data))
	}
}

func wantsNone(t *testing.T, s store.Store, key string) {
	t.Helper()
	if _, err := s.Load(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
}

// failure reports whether err says that something is broken, and does not pretend to know about the record.
func failure(err error) bool {
	for _, answer := range []error{store.ErrNotFound, store.ErrConflict, store.ErrTooLarge, store.ErrFull} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return err != nil
}

// raw speaks to a server without the store.
type raw struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newRaw(t *testing.T, address string) *raw {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{t, conn, bufio.NewReader(conn)}
}

// ask sends a command, with a value if there is one, and returns the first line of the answer.
func (r *raw) ask(command string, value []byte) string {
	r.t.Helper()
	request := []byte(command + "\r\n")
	if value != nil {
		request = append(append(request, value...), "\r\n"...)
	}
	if _, err := r.conn.Write(request); err != nil {
		r.t.Fatal(err)
	}
	line, err := r.in.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	return line[:len(line)-2]
}

// number asks for a number about the item under key, by its flag: t for the seconds to live, c for the token.
func (r *raw) number(key string, flag byte) (n int64) {
	r.t.Helper()
	line := r.ask(fmt.Sprintf("mg %s %c", key, flag), nil)
	if _, err := fmt.Sscanf(line, "HD "+string(flag)+"%d", &n); err != nil {
		r.t.Fatalf("mg %s %c answers %q", key, flag, line)
	}
	return n
}

// value asks for the value of the item under key.
func (r *raw) value(key string) []byte {
	r.t.Helper()
	var size int
	line := r.ask("mg "+key+" v", nil)
	if _, err := fmt.Sscanf(line, "VA %d", &size); err != nil {
		r.t.Fatalf("mg %s v answers %q", key, line)
	}
	value := make([]byte, size+2) // by its length, for random bytes may be a line end
	if _, err := io.ReadFull(r.in, value); err != nil {
		r.t.Fatal(err)
	}
	return value[:size]
}

// hooked is a network on which a test can step in.
type hooked struct {
	dials  atomic.Int32
	writes atomic.Int32 // of values
	asked  atomic.Int32 // requests of any kind
	onDial func(n int32)
	// onWrite is called before each request that writes a value. An error is the result of that, and the connection ends.
	onWrite func(n int32) error
}

func (h *hooked) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n := h.dials.Add(1); h.onDial != nil {
		h.onDial(n)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &hookedConn{conn, h}, nil
}

type hookedConn struct {
	net.Conn
	hooks *hooked
}

func (c *hookedConn) Write(b []byte) (int, error) {
	c.hooks.asked.Add(1)
	if bytes.HasPrefix(b, []byte("ms ")) {
		n := c.hooks.writes.Add(1)
		if c.hooks.onWrite != nil {
			if err := c.hooks.onWrite(n); err != nil {
				return 0, err
			}
		}
	}
	return c.Conn.Write(b)
}

// open returns a store over h.
func (h *hooked) open(t *testing.T, address string) *memcachedstore.Store {
	t.Helper()
	return open(t, memcachedstore.Options{Servers: []string{address}, Dial: h.dial})
}

// within makes a call with a deadline.
func within(t *testing.T, d time.Duration, call func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return call(ctx)
}

func promptly(t *testing.T, f func()) {
	t.Helper()
	faulttest.Promptly(t, f)
}

func eventually(t *testing.T, failure string, ok func() bool) {
	t.Helper()
	faulttest.Eventually(t, failure, ok)
}

var errCut = io.ErrClosedPipe
