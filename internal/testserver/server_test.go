package testserver

import (
	"context"
	"testing"
	"time"
)

// pingFor pings until d is over.
func pingFor(t *testing.T, s *Server, addr string, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return s.program.ping(ctx, addr)
}

// mustPing fails the test unless the server answers.
func mustPing(t *testing.T, s *Server) {
	t.Helper()
	if err := pingFor(t, s, s.Addr(), 10*time.Second); err != nil {
		t.Fatalf("ping: %v\n%s", err, s.Log())
	}
}
