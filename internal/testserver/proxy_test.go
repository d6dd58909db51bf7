package testserver

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// behind starts a Redis with a proxy before it and connects through it.
func behind(t *testing.T) (*Proxy, func() *redisConn) {
	t.Helper()
	p := Shared(t, Redis{}).Proxy(t)
	return p, func() *redisConn {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		c, err := dialRedis(ctx, p.Addr(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

func TestProxyPassesAndCounts(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	c := connect()
	key, value := Name(), strings.Repeat("x", 1<<20)
	mustDo(t, c, "SET", key, value)
	if got := mustDo(t, c, "GET", key); got != value {
		t.Errorf("%d bytes came back, want %d", len(got), len(value))
	}
	mustDo(t, connect(), "PING")
	if total, open := p.Connections(); total != 2 || open != 2 {
		t.Errorf("Connections = %d, %d, want 2, 2", total, open)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := poll(ctx, func() error {
		if _, open := p.Connections(); open != 1 {
			return errors.New("the closed connection still counts")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestProxyThrough(t *testing.T) {
	t.Parallel()
	s := Shared(t, Redis{})
	p := s.Proxy(t)
	if got, want := p.Through(s.URL()), "redis://"+p.Addr()+"/0"; got != want {
		t.Errorf("Through = %s, want %s", got, want)
	}
}

func TestProxySwallowsOneReply(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	key := Name()
	c := connect()
	done := p.SwallowReply(key)
	mustDo(t, c, "PING")
	if _, err := c.do("INCR", key); !errors.Is(err, io.EOF) {
		t.Fatalf("INCR whose reply is lost: %v", err)
	}
	<-done
	if got := mustDo(t, connect(), "INCR", key); got != "2" {
		t.Errorf("the server has counted to %s, want 2: once for the lost reply", got)
	}
}

func TestProxyCutsWithinAReply(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	key := Name()
	c := connect()
	mustDo(t, c, "SET", key, "0123456789")
	done := p.CutAfter(len("+PONG\r\n$10\r\n01234"))
	mustDo(t, c, "PING")
	if _, err := c.do("GET", key); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("GET that is cut: %v", err)
	}
	<-done
	mustDo(t, connect(), "GET", key)
}

func TestProxyBlackHole(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	key := Name()
	c := connect()
	mustDo(t, c, "PING")
	p.BlackHole()
	fresh := connect()
	for _, conn := range []*redisConn{c, fresh} {
		if err := conn.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.do("INCR", key); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("INCR into a black hole: %v", err)
		}
	}
	if got := mustDo(t, dialSpec(t, Redis{}, &Server{addr: p.target}), "EXISTS", key); got != "0" {
		t.Error("a request left the black hole")
	}
	p.Heal()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(); err != nil {
		t.Errorf("after Heal: %v", err)
	}
}

func TestProxyDelay(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	c := connect()
	mustDo(t, c, "PING")
	p.Delay(time.Hour)
	if err := c.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.do("PING"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("PING with a delay: %v", err)
	}
	p.Delay(time.Millisecond)
	mustDo(t, connect(), "PING")
}

func TestProxyResetAndDrop(t *testing.T) {
	t.Parallel()
	p, connect := behind(t)
	c := connect()
	mustDo(t, c, "PING")
	p.Reset()
	if _, err := c.do("PING"); err == nil {
		t.Error("a connection outlived Reset")
	}
	c = connect()
	mustDo(t, c, "PING")
	p.Drop()
	if _, err := c.do("PING"); err == nil {
		t.Error("a connection outlived Drop")
	}
	// The reset may arrive while the client still connects.
	if err := pingFor(t, Shared(t, Redis{}), p.Addr(), 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a new connection after Drop: %v, want an error at once", err)
	}
	p.Heal()
	mustDo(t, connect(), "PING")
}

func TestProxyOfADeadServer(t *testing.T) {
	t.Parallel()
	s := Start(t, Redis{})
	p := s.Proxy(t)
	s.Kill(t)
	if err := pingFor(t, s, p.Addr(), 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ping through the proxy: %v, want an error at once", err)
	}
	s.Restart(t)
	if err := pingFor(t, s, p.Addr(), 10*time.Second); err != nil {
		t.Error(err)
	}
}
