package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

// TestTemporaryFiles uploads files that are too large for memory: the server removes their temporary files, however the
// handler ends and whatever middleware replaces the request.
func TestTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, mounted := range map[string][]gin.HandlerFunc{
		"once":            {sessions.New(quiet(sessions.Options{}))},
		"twice":           {sessions.Middleware(newManager(t, "outer")), sessions.Middleware(newManager(t, "inner"))},
		"replaced inside": {sessions.New(quiet(sessions.Options{})), replaceRequest},
		"refused":         {sessions.New(quiet(sessions.Options{})), sessions.RequireCSRFToken()}, // which parses the form
	} {
		e := newEngine()
		e.MaxMultipartMemory = 1
		e.Use(mounted...)
		for path, end := range map[string]gin.HandlerFunc{
			"/answer": func(c *gin.Context) { c.Status(204) },
			"/error":  func(c *gin.Context) { _ = c.AbortWithError(500, errDown) },
			"/panic":  func(*gin.Context) { panic("handler") },
		} {
			e.POST(path, func(c *gin.Context) {
				increment(c)
				if err := wantUpload(c, dir); err != nil {
					t.Errorf("%s, %s: %v", name, path, err)
				}
				end(c)
			})
		}
		server := httptest.NewServer(e)
		for _, path := range []string{"/answer", "/error", "/panic"} {
			upload(t, server.URL+path)
		}
		server.Close() // which waits until all requests have ended
		if left := temporaryFiles(dir); len(left) > 0 {
			t.Errorf("%s: these files are left: %v", name, left)
		}
	}
}

// replaceRequest is middleware that gives the handlers another request, as a timeout does.
func replaceRequest(c *gin.Context) {
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// wantUpload reads the form and the file in it, which must be a temporary file.
func wantUpload(c *gin.Context, dir string) error {
	form, err := c.MultipartForm()
	if err != nil {
		return err
	}
	file, err := form.File["file"][0].Open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if text, err := io.ReadAll(file); err != nil || string(text) != said {
		return errors.Join(err, errors.New("the file does not hold what was sent"))
	}
	if len(temporaryFiles(dir)) == 0 {
		return errors.New("the upload is in memory")
	}
	return nil
}

// said is what is uploaded.
const said = "what the browser says"

func temporaryFiles(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "multipart-*"))
	return files
}

func upload(t *testing.T, url string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "said.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, said)
	_ = form.WriteField("name", "value")
	_ = form.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// TestFormOutside shows middleware outside of the sessions the form that the handler has parsed.
func TestFormOutside(t *testing.T) {
	t.Parallel()
	var seen, again string
	e := newEngine()
	e.Use(func(c *gin.Context) {
		r := c.Request
		c.Next()
		seen, again = r.Form.Get("name"), r.FormValue("name")
	}, sessions.New(quiet(sessions.Options{})))
	e.POST("/", func(c *gin.Context) { c.String(200, c.PostForm("name")) })
	upload(t, serve(t, e))
	if seen != "value" || again != "value" {
		t.Errorf("middleware outside sees %q, and then %q", seen, again)
	}
}
