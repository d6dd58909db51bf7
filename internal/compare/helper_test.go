package peers

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// plainMap is a map with a lock.
type plainMap struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (m *plainMap) load(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[key]
}

func (m *plainMap) store(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		m.data = make(map[string][]byte)
	}
	m.data[key] = value
}

func (m *plainMap) remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.data, key)
}

// answer is what came back.
type answer struct {
	status    int
	body      string
	cookie    string // name=value of the cookie set, "" for none
	setCookie string // the whole field
	err       string // what the library told the handler instead of giving a session
}

// request asks for the page with the cookie of an earlier answer.
func request(t *testing.T, url, cookie string) answer {
	t.Helper()
	a, err := try(t, url, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is request for goroutines, which may not end the test.
func try(t *testing.T, url, cookie string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close() //nolint:errcheck // a test has read it
	body, err := io.ReadAll(res.Body)
	set := res.Header.Get("Set-Cookie")
	pair, _, _ := strings.Cut(set, ";")
	return answer{res.StatusCode, string(body), pair, set, res.Header.Get(errorHeader)}, err
}
