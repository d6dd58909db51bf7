package compare

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// lockedMap is a map that is safe for concurrent use.
type lockedMap struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (m *lockedMap) load(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[key]
}

func (m *lockedMap) store(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		m.data = make(map[string][]byte)
	}
	m.data[key] = value
}

func (m *lockedMap) remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.data, key)
}

// response is the response to a request.
type response struct {
	status    int
	body      string
	cookie    string // name=value of the cookie that it sets, or "" if there is none
	setCookie string // the whole field
	err       string // the error that the library returned to the handler instead of a session
}

// request sends a request with the cookie of an earlier response.
func request(t *testing.T, url, cookie string) response {
	t.Helper()
	a, err := tryRequest(t, url, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tryRequest is request for goroutines, which must not end the test.
func tryRequest(t *testing.T, url, cookie string) (response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return response{}, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close() //nolint:errcheck // a test has read it
	body, err := io.ReadAll(res.Body)
	set := res.Header.Get("Set-Cookie")
	pair, _, _ := strings.Cut(set, ";")
	return response{res.StatusCode, string(body), pair, set, res.Header.Get(errorHeader)}, err
}
