package sessions_test

import (
	"bytes"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestUploadRemoved uploads a file above the limit for memory: when the request is over, the server has removed the temporary
// file, although it was the handler's copy of the request that has parsed the form.
func TestUploadRemoved(t *testing.T) {
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	for name, wrap := range map[string]func(h http.Handler) http.Handler{
		"one manager":  sessions.Middleware(outer),
		"two managers": func(h http.Handler) http.Handler { return mount(h, outer, inner) },
		"mounted twice": func(h http.Handler) http.Handler {
			return mount(h, outer, inner, outer, inner)
		},
		"recovered": func(h http.Handler) http.Handler {
			return recovery(mount(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r)
				panic("handler")
			}), outer, inner))
		},
		"failed commit": func(h http.Handler) http.Handler {
			m, _, _ := newDown(t, sessions.Options{})
			return sessions.Middleware(m)(h)
		},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " HTTP/2"}[http2], func(t *testing.T) {
				folder := t.TempDir()
				t.Setenv("TMPDIR", folder)
				server := httptest.NewUnstartedServer(wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := r.ParseMultipartForm(1); err != nil {
						t.Error(err)
					}
					if n := len(files(t, folder)); n != 1 {
						t.Errorf("the upload is in %d temporary files, want 1", n)
					}
					count(w, r)
				})))
				server.EnableHTTP2 = http2
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				if http2 {
					server.StartTLS()
				} else {
					server.Start()
				}
				defer server.Close()
				upload(t, server)
				wantEmpty(t, folder)
			})
		}
	}
}

// TestFormOutside shows that middleware outside the sessions sees the form that the handler has parsed.
func TestFormOutside(t *testing.T) {
	t.Parallel()
	h := mount(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("name") != "ann" {
			t.Error("the handler gets no form")
		}
	}), newManager(t, "outer"), newManager(t, "inner"))
	for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		body := "name=ann"
		if kind[0] == 'm' {
			body = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nann\r\n--x--\r\n"
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if r.PostFormValue("name") != "ann" || r.FormValue("name") != "ann" {
			t.Errorf("%s: the form outside is %v, %v", kind, r.Form, r.MultipartForm)
		}
	}
}

// files returns the names of the files in a folder.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wantEmpty waits until the folder is empty, because the server removes files after the response has arrived.
func wantEmpty(t *testing.T, folder string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		left := files(t, folder)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", left)
		}
	}
}

// upload sends a file of 64 KiB.
func upload(t *testing.T, server *httptest.Server) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "large.bin")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 64<<10))
	_ = form.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}
