package memcachedstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
)

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	good := []string{"127.0.0.1:11211"}
	for _, c := range []struct {
		options memcachedstore.Options
		fix     string
	}{
		{memcachedstore.Options{}, "list at least one"},
		{memcachedstore.Options{Servers: []string{""}}, "write host:port"},
		{memcachedstore.Options{Servers: []string{"localhost"}}, "write host:port"},
		{memcachedstore.Options{Servers: []string{":11211"}}, "write host:port"},
		{memcachedstore.Options{Servers: []string{"localhost:"}}, "write host:port"},
		{memcachedstore.Options{Servers: []string{"a:1", "b:1", "a:1"}}, "once"},
		{memcachedstore.Options{Servers: good, MaxItem: -1}, "option -I"},
		{memcachedstore.Options{Servers: good, MaxItem: 1023}, "at least 1024"},
		{memcachedstore.Options{Servers: good, Timeout: -1}, "Options.Timeout"},
		{memcachedstore.Options{Servers: good, MaxConns: -1}, "Options.MaxConns"},
		{memcachedstore.Options{Servers: good, MaxIdle: -1}, "Options.MaxIdle"},
		{memcachedstore.Options{Servers: good, IdleTimeout: -time.Second}, "Options.IdleTimeout"},
		{memcachedstore.Options{Servers: good, Username: "a"}, "both or none"},
		{memcachedstore.Options{Servers: good, Password: "secret"}, "both or none"},
		{memcachedstore.Options{Servers: good, Username: "a b", Password: "secret"}, "space"},
		{memcachedstore.Options{Servers: good, Username: "a", Password: "secret\r\nflush_all"}, "line ends"},
	} {
		_, err := memcachedstore.New(c.options)
		if err == nil || !strings.Contains(err.Error(), c.fix) {
			t.Errorf("New(%+v) = %v, want an error with %q", c.options, err, c.fix)
		} else if !strings.HasPrefix(err.Error(), "sessions: memcachedstore: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("New = %v: it should say where it comes from and no password", err)
		}
	}
}

func TestOptionsAccepted(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"127.0.0.1:11211", "[::1]:11211", "cache.internal:11211", "/run/memcached.sock"} {
		if _, err := memcachedstore.New(memcachedstore.Options{Servers: []string{server}, MaxItem: 1024}); err != nil {
			t.Errorf("New with server %q = %v, want success", server, err)
		}
	}
}

// TestOptionsAreCopied changes the list after New.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	servers := []string{"127.0.0.1:1"}
	s, err := memcachedstore.New(memcachedstore.Options{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	servers[0] = "changed"
	if _, err = s.Load(t.Context(), "k"); err == nil || strings.Contains(err.Error(), "changed") {
		t.Errorf("Load = %v, want a failure to connect to the address of before", err)
	}
}
