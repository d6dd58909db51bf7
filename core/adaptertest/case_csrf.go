package adaptertest

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// csrfCases returns the cases G3, about the token that a request needs.
func csrfCases() []testCase {
	return []testCase{
		{"G3/Token", ruleToken, csrfToken},
		{"G3/Forms", ruleToken, csrfForms},
		{"G3/Others", ruleToken, csrfOthers},
		{"G3/Overtaken", ruleOvertaken, csrfOvertaken},
		{"G3/Outage", ruleOutage, csrfOutage},
	}
}

// wrote answers with what the form has under "text".
func wrote(c Context) error { return c.Body(http.StatusOK, "wrote "+c.Form("text")) }

// serveToken serves a handler behind RequireCSRFToken, at /write, and one that answers with a
// token, at /token.
func (e *env) serveToken(o core.Options) {
	e.Helper()
	e.guard(Guard{CSRFToken: true}, "/write", wrote,
		"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
	e.handleGet("/token", func(c Context) error {
		token, err := c.Get().CSRFToken()
		if err != nil {
			return err
		}
		return c.Body(http.StatusOK, token)
	})
	e.handleGet("/step-up", stepUp)
	e.handleGet("/renew", func(c Context) error {
		if err := c.Get().Renew(); err != nil {
			return err
		}
		return c.Body(http.StatusOK, "renewed")
	})
	e.serve(o)
}

// csrfToken returns a token for the browser's session.
func (b *browser) csrfToken() string {
	b.env.Helper()
	a := b.get("/token")
	b.env.wantStatus(a, http.StatusOK)
	return a.body
}

// write sends a request to /write with the body and pairs of fields.
func (b *browser) write(method, kind, body string, fields ...string) *answer {
	b.env.Helper()
	r := b.request(b.env.Context(), method, "/write", fields...)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", kind)
	return b.do(r)
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// multipartForm returns the type and the body of a form with a file.
func multipartForm(token string) (kind, body string) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	_ = w.WriteField("text", "hello")
	if token != "" {
		_ = w.WriteField(core.CSRFField, token)
	}
	file, _ := w.CreateFormFile("file", "a.txt")
	_, _ = file.Write(bytes.Repeat([]byte("x"), 1000))
	_ = w.Close()
	return w.FormDataContentType(), out.String()
}

func csrfToken(e *env) {
	e.serveToken(core.Options{})
	b := e.newVisitor()
	token := b.csrfToken()
	if token == b.csrfToken() {
		e.Errorf("two tokens are the same")
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		e.wantBody(b.write(method, jsonType, "{}", core.CSRFHeader, token), "wrote ")
		e.wantRefused(b.write(method, jsonType, "{}"), http.StatusForbidden)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		e.wantStatus(b.do(b.request(e.Context(), method, "/write")), http.StatusOK)
	}
	e.wantBody(b.get("/renew"), "renewed")
	e.wantBody(b.write("POST", jsonType, "{}", core.CSRFHeader, token), "wrote ")
	for _, target := range []string{"/login", "/step-up"} {
		before := b.csrfToken()
		e.wantStatus(b.get(target), http.StatusOK)
		a := b.write("POST", jsonType, "{}", core.CSRFHeader, before)
		e.wantRefused(a, http.StatusForbidden)
		e.wantBody(b.write("POST", jsonType, "{}", core.CSRFHeader, b.csrfToken()), "wrote ")
	}
}

func csrfForms(e *env) {
	e.serveToken(core.Options{Lazy: true})
	b := e.newBrowser()
	form := url.Values{"text": {"hello"}, core.CSRFField: {b.csrfToken()}}.Encode()
	e.wantBody(b.write("POST", formType, form), "wrote hello")
	e.wantBody(b.write("POST", formType+"; charset=UTF-8", form), "wrote hello")
	e.wantRefused(b.write("POST", jsonType, form), http.StatusForbidden)
	e.wantRefused(b.write("POST", formType, "text=hello"), http.StatusForbidden)
	kind, body := multipartForm(b.csrfToken())
	e.wantBody(b.write("POST", kind, body), "wrote hello")
	kind, body = multipartForm("")
	e.wantRefused(b.write("POST", kind, body), http.StatusForbidden)
	e.wantBody(b.write("POST", kind, body, core.CSRFHeader, b.csrfToken()), "wrote hello")
}

func csrfOthers(e *env) {
	e.serveToken(core.Options{})
	b, other := e.newVisitor(), e.newVisitor()
	token := b.csrfToken()
	for _, fields := range [][]string{
		{core.CSRFHeader, other.csrfToken()},
		{core.CSRFHeader, b.token()},
		{core.CSRFHeader, strings.Repeat("A", len(token))},
		{"Cookie", core.CSRFField + "=" + token},
		{"X-CSRF", token},
	} {
		e.wantRefused(b.write("POST", jsonType, "{}", fields...), http.StatusForbidden)
	}
	r := b.request(e.Context(), "POST", "/write?"+core.CSRFField+"="+token+"&X-CSRF-Token="+token)
	r.Header.Set("Content-Type", formType)
	e.wantRefused(b.do(r), http.StatusForbidden)
	visitor := e.newBrowser()
	a := visitor.write("POST", jsonType, "{}", core.CSRFHeader, token)
	e.wantRefused(a, http.StatusForbidden)
}

// csrfOvertaken sends a form that was under way when the user signed in.
func csrfOvertaken(e *env) {
	e.serveToken(core.Options{})
	b := e.newVisitor()
	old, token := b.clone(), b.csrfToken()
	e.wantStatus(b.get("/login"), http.StatusOK)
	a := old.write("POST", jsonType, "{}", core.CSRFHeader, token)
	e.wantBody(a, "wrote ")
	e.wantNoCookie(a)
	e.wantRefused(old.write("POST", jsonType, "{}", core.CSRFHeader, b.csrfToken()),
		http.StatusForbidden)
}

func csrfOutage(e *env) {
	e.serveToken(core.Options{Lazy: true})
	b := e.newVisitor()
	token := b.csrfToken()
	e.store.fail("load", errDown)
	a := b.write("POST", jsonType, "{}", core.CSRFHeader, token)
	e.wantRefused(a, http.StatusServiceUnavailable)
	e.store.fail("load", nil)
	e.wantBody(b.write("POST", jsonType, "{}", core.CSRFHeader, token), "wrote ")
}
