package sessions_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"

	sessions "github.com/cloakroom-go/sessions/echov5"
)

// TestDevice signs in from behind a proxy: what the record says of the address is for the IPExtractor to decide.
func TestDevice(t *testing.T) {
	t.Parallel()
	_, proxies, err := net.ParseCIDR("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		address   string
		extractor echo.IPExtractor
	}{
		{"192.0.2.1", nil},
		{"192.0.2.1", echo.ExtractIPDirect()},
		{"192.0.2.1", echo.ExtractIPFromXFFHeader()}, // the proxy is none of those that are trusted
		{"203.0.113.9", echo.ExtractIPFromXFFHeader(echo.TrustIPRange(proxies))},
		{"203.0.113.7", echo.ExtractIPFromRealIPHeader(echo.TrustIPRange(proxies))},
		{"203.0.113.9", echo.LegacyIPExtractor()},
	} {
		m := newManager(t, "session")
		e := echo.New()
		e.IPExtractor = test.extractor
		e.Use(sessions.Middleware(m))
		e.POST("/login", func(c *echo.Context) error { return sessions.Get(c).Login("ann") })
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", http.NoBody) // from 192.0.2.1
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		req.Header.Set("X-Real-Ip", "203.0.113.7")
		req.Header.Set("User-Agent", "browser")
		e.ServeHTTP(httptest.NewRecorder(), req)
		list, err := m.List(t.Context(), "ann")
		if err != nil || len(list) != 1 || list[0].IP != test.address || list[0].UserAgent != "browser" {
			t.Errorf("%+v, %v, want the address %s", list, err, test.address)
		}
	}
}
