package main

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// pipes is a network in memory, as a bubble of synctest needs it.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error { return nil }

func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p <- server
	return client, nil
}

// TestTypingIsUse types every 20 minutes, which keeps the session, and then stops, which ends it after half an hour.
func TestTypingIsUse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *site) {
		t.Helper()
		network := make(pipes)
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Second}
		go func() { _ = server.Serve(network) }()
		defer func() { close(network); _ = server.Close() }()
		conn := s.dial(network)
		for range 6 {
			time.Sleep(20 * time.Minute)
			if answer := talkTo(t, conn); answer != "you said hello" {
				t.Fatalf("the answer is %q", answer)
			}
		}
		silent := time.Now()
		_, _, err := conn.Read(t.Context())
		idle := time.Since(silent).Round(time.Second)
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation || idle > options().Expiry+every {
			t.Errorf("closed with %v after %v of silence", err, idle)
		}
	})
}

func (s *site) dial(network pipes) *websocket.Conn {
	s.t.Helper()
	transport := &http.Transport{DialContext: network.dial}
	header := http.Header{"Cookie": {s.cookie.Name + "=" + s.cookie.Value}}
	//nolint:bodyclose // an upgrade has no body
	conn, _, err := websocket.Dial(s.t.Context(), "http://localhost/chat",
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func talkTo(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, text, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
