package tests_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestWebsocket upgrades with a websocket library, for a new session and for a known one.
func TestWebsocket(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r)
		n := increment(r)
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		err = errors.Join(visits.Set(s, n+10), s.Save(r.Context()),
			conn.Write(r.Context(), websocket.MessageText, []byte("saved")))
		if err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/read", read)
	url := serve(t, sessions.Middleware(newManager(t, nil))(mux))
	cookie := dial(t, url, "")
	if a := get(t, url+"/read", cookie); a.body != "11" {
		t.Errorf("the new session holds %q, want 11", a.body)
	}
	if again := dial(t, url, cookie); again != "" {
		t.Errorf("the known session gets a cookie again: %q", again)
	}
	if a := get(t, url+"/read", cookie); a.body != "22" {
		t.Errorf("the known session holds %q, want 22", a.body)
	}
}

// dial opens a websocket, waits for its message and returns the cookie that the upgrade set.
func dial(t *testing.T, url, cookie string) string {
	t.Helper()
	header := http.Header{}
	if cookie != "" {
		header.Set("Cookie", cookie)
	}
	conn, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // an upgrade has no body
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "saved" {
		t.Fatalf("message is %q, error %v", text, err)
	}
	return (&answer{header: res.Header}).cookie()
}
