package sessions_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestDevice signs in from various addresses: the record says what RemoteAddr says, whoever has set it.
func TestDevice(t *testing.T) {
	t.Parallel()
	for remote, address := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"192.0.2.1":               "192.0.2.1",
		"[2001:db8::1]:1234":      "2001:db8::1",
		"2001:DB8:0::1":           "2001:db8::1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"@":                       "", // a Unix socket
		"":                        "",
		"<b>":                     "",
	} {
		for name, middleware := range map[string]func(http.Handler) http.Handler{"outside": fromProxy(remote), "inside": nil} {
			m := newManager(t, "session")
			var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if middleware == nil {
					r.RemoteAddr = remote
				}
				_ = sessions.Get(r).Login("ann")
			})
			h = sessions.Middleware(m)(h)
			if middleware != nil {
				h = middleware(h)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", http.NoBody)
			r.RemoteAddr = "198.51.100.1:1234"
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			r.Header.Set("User-Agent", "browser")
			h.ServeHTTP(httptest.NewRecorder(), r)
			list, err := m.List(t.Context(), "ann")
			if err != nil || len(list) != 1 || list[0].IP != address || list[0].UserAgent != "browser" {
				t.Errorf("%q, set %s: %+v, %v, want the address %q", remote, name, list, err, address)
			}
		}
	}
}

// fromProxy returns middleware that trusts a proxy with the client's address.
func fromProxy(remote string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = remote
			next.ServeHTTP(w, r)
		})
	}
}
