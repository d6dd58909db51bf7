package bench

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// requester sends one request to an app again and again and holds the last response. It
// allocates nothing by itself, and what a library has attached to the request is gone before
// the next one.
type requester interface {
	send() (status int)
	setCookie(cookie string) // sent from now on; "" sends none
	responseCookie() string  // set by the last response, as name=value; "" if there is none
	responseBody() string    // of the last response
}

// httpRequester sends a request to a handler of net/http.
type httpRequester struct {
	handler     http.Handler
	request     *http.Request
	original    http.Request // request is reset to it: libraries replace its context in place
	writer      responseRecorder
	cookieField []string
}

func newHTTPRequester(ctx context.Context, h http.Handler, do action) *httpRequester {
	r := &httpRequester{
		handler: h, cookieField: make([]string, 1),
		writer: responseRecorder{header: http.Header{}},
	}
	request := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: do.path()}, RequestURI: do.path(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Host: "localhost", RemoteAddr: "127.0.0.1:1",
	}
	r.request = request.WithContext(ctx)
	r.original = *r.request
	return r
}

func (r *httpRequester) send() int {
	*r.request = r.original
	r.writer.reset()
	r.handler.ServeHTTP(&r.writer, r.request)
	return r.writer.status
}

func (r *httpRequester) setCookie(cookie string) {
	if r.cookieField[0] = cookie; cookie == "" {
		delete(r.original.Header, "Cookie")
		return
	}
	r.original.Header["Cookie"] = r.cookieField
}

func (r *httpRequester) responseCookie() string {
	return cookiePair(r.writer.header.Get("Set-Cookie"))
}

func (r *httpRequester) responseBody() string { return string(r.writer.body) }

// cookiePair returns a Set-Cookie field without its attributes.
func cookiePair(field string) string {
	out, _, _ := strings.Cut(field, ";")
	return out
}

// responseRecorder is an http.ResponseWriter that reuses its memory for each response.
type responseRecorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *responseRecorder) reset() {
	clear(w.header)
	w.status, w.body = http.StatusOK, w.body[:0]
}

// Header implements http.ResponseWriter.
func (w *responseRecorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *responseRecorder) WriteHeader(code int) { w.status = code }

// Write implements http.ResponseWriter.
func (w *responseRecorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// WriteString implements io.StringWriter.
func (w *responseRecorder) WriteString(s string) (int, error) {
	w.body = append(w.body, s...)
	return len(s), nil
}

// fasthttpRequester sends a request to a handler of fasthttp. It reuses one RequestCtx, as a
// connection of fasthttp's server does.
type fasthttpRequester struct {
	handler fasthttp.RequestHandler
	ctx     *fasthttp.RequestCtx
	path    string
	text    string // the request as it is sent
	in      strings.Reader
	reader  *bufio.Reader
}

func newFasthttpRequester(h fasthttp.RequestHandler, do action) *fasthttpRequester {
	r := &fasthttpRequester{handler: h, ctx: &fasthttp.RequestCtx{}, path: do.path()}
	r.reader = bufio.NewReader(&r.in)
	r.ctx.Init(&fasthttp.Request{}, nil, nil)
	r.setCookie("")
	return r
}

// connect makes the requests arrive on a connection.
func (r *fasthttpRequester) connect(conn net.Conn) { r.ctx.Init2(conn, nil, true) }

func (r *fasthttpRequester) send() int {
	r.ctx.ResetUserValues()
	r.ctx.Request.Reset()
	r.ctx.Response.Reset()
	r.in.Reset(r.text)
	r.reader.Reset(&r.in)
	if err := r.ctx.Request.Header.Read(r.reader); err != nil {
		panic(err)
	}
	r.handler(r.ctx)
	return r.ctx.Response.StatusCode()
}

func (r *fasthttpRequester) setCookie(cookie string) {
	r.text = "GET " + r.path + " HTTP/1.1\r\nHost: test\r\n"
	if cookie != "" {
		r.text += "Cookie: " + cookie + "\r\n"
	}
	r.text += "\r\n"
}

func (r *fasthttpRequester) responseCookie() string {
	return cookiePair(string(r.ctx.Response.Header.Peek("Set-Cookie")))
}

func (r *fasthttpRequester) responseBody() string { return string(r.ctx.Response.Body()) }
