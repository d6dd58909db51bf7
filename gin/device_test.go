package sessions_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

// TestDevice signs in from behind a proxy: what the record says of the address is for the engine's trusted proxies to decide.
func TestDevice(t *testing.T) {
	t.Parallel()
	for address, trusted := range map[string][]string{"192.0.2.1": nil, "203.0.113.9": {"192.0.2.0/24"}} {
		m := newManager(t, "session")
		r := gin.New()
		if err := r.SetTrustedProxies(trusted); err != nil {
			t.Fatal(err)
		}
		r.Use(sessions.Middleware(m))
		r.POST("/login", func(c *gin.Context) { _ = sessions.Get(c).Login("ann") })
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", http.NoBody) // from 192.0.2.1
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		req.Header.Set("User-Agent", "browser")
		r.ServeHTTP(httptest.NewRecorder(), req)
		list, err := m.List(t.Context(), "ann")
		if err != nil || len(list) != 1 || list[0].IP != address || list[0].UserAgent != "browser" {
			t.Errorf("trusting %v: %+v, %v, want the address %s", trusted, list, err, address)
		}
	}
}
