package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
)

// user is a user with three requests under way.
type user struct {
	t      *testing.T
	p      *recipe.Program
	name   string
	cookie *http.Cookie

	body     *io.PipeWriter // of the upload
	uploaded chan error
	stream   *bufio.Reader
	socket   *websocket.Conn
}

func (u *user) request(method, path string, body io.Reader) *http.Request {
	u.t.Helper()
	r, err := http.NewRequestWithContext(u.t.Context(), method, u.p.URL+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	if u.cookie != nil {
		r.AddCookie(u.cookie)
	}
	return r
}

func (u *user) signIn() {
	u.t.Helper()
	r := u.request(http.MethodPost, "/login", strings.NewReader(url.Values{"user": {u.name}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		u.t.Fatalf("login: %s with %d cookies", res.Status, len(res.Cookies()))
	}
	u.cookie = res.Cookies()[0]
}

// startUpload sends the first half of a body.
func (u *user) startUpload() {
	u.t.Helper()
	body, w := io.Pipe()
	r := u.request(http.MethodPost, "/upload", body)
	u.body, u.uploaded = w, make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			var text []byte
			text, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
			if string(text) != "10 bytes" || res.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s %q, %w", res.Status, text, err)
			}
		}
		u.uploaded <- err
	}()
	if _, err := io.WriteString(w, "01234"); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) startStream() {
	u.t.Helper()
	res, err := http.DefaultClient.Do(u.request(http.MethodGet, "/news", http.NoBody))
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = res.Body.Close() })
	u.stream = bufio.NewReader(res.Body)
	if line, err := u.stream.ReadString('\n'); line != ": welcome\n" {
		u.t.Fatalf("the stream begins with %q, error %v", line, err)
	}
}

func (u *user) startSocket() {
	u.t.Helper()
	header := u.request(http.MethodGet, "/", http.NoBody).Header
	//nolint:bodyclose // an upgrade has no body
	conn, _, err := websocket.Dial(u.t.Context(), u.p.URL+"/socket", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = conn.CloseNow() })
	u.socket = conn
	if _, text, err := conn.Read(u.t.Context()); string(text) != "welcome" {
		u.t.Fatalf("the websocket begins with %q, error %v", text, err)
	}
}

// finishRequests sends the second half of the upload, and waits for the end of the stream.
func (u *user) finishRequests() {
	if _, err := io.WriteString(u.body, "56789"); err != nil {
		u.t.Errorf("%s: upload: %v", u.name, err)
	}
	_ = u.body.Close()
	if err := <-u.uploaded; err != nil {
		u.t.Errorf("%s: upload: %v", u.name, err)
	}
	if _, err := io.ReadAll(u.stream); err != nil {
		u.t.Errorf("%s: the stream ends with %v", u.name, err)
	}
}

// finishSocket waits for the end of the websocket, and answers it.
func (u *user) finishSocket() {
	if _, _, err := u.socket.Read(u.t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		u.t.Errorf("%s: the websocket ends with %v", u.name, err)
	}
}
