package bench

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// exchange is a request to a site and its response, over and over. It allocates nothing of its own, and whatever libraries
// leave in the request is gone before the next.
type exchange interface {
	send() (status int)
	carry(cookie string) // from now on; "" for none
	cookie() string      // that the last response has set, as name=value; "" for none
	body() string        // of the last response
}

// httpExchange is an exchange with a handler of net/http.
type httpExchange struct {
	handler http.Handler
	request *http.Request
	blank   http.Request // what request is reset to: libraries replace its context in place
	writer  recorder
	field   []string
}

func newHTTPExchange(ctx context.Context, h http.Handler, a action) *httpExchange {
	x := &httpExchange{handler: h, writer: recorder{header: http.Header{}}, field: make([]string, 1)}
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: a.path()}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Host: "localhost", RemoteAddr: "127.0.0.1:1", RequestURI: a.path(),
	}
	x.request = r.WithContext(ctx)
	x.blank = *x.request
	return x
}

func (x *httpExchange) send() int {
	*x.request = x.blank
	x.writer.reset()
	x.handler.ServeHTTP(&x.writer, x.request)
	return x.writer.status
}

func (x *httpExchange) carry(cookie string) {
	if x.field[0] = cookie; cookie == "" {
		delete(x.blank.Header, "Cookie")
		return
	}
	x.blank.Header["Cookie"] = x.field
}

func (x *httpExchange) cookie() string { return pair(x.writer.header.Get("Set-Cookie")) }

func (x *httpExchange) body() string { return string(x.writer.body) }

// pair cuts the attributes off a Set-Cookie field.
func pair(field string) string {
	out, _, _ := strings.Cut(field, ";")
	return out
}

// recorder is a response writer that allocates once.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) reset() {
	clear(w.header)
	w.status, w.body = http.StatusOK, w.body[:0]
}

// Header returns the header.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader notes the status.
func (w *recorder) WriteHeader(code int) { w.status = code }

// Write keeps the body.
func (w *recorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// WriteString keeps the body.
func (w *recorder) WriteString(s string) (int, error) {
	w.body = append(w.body, s...)
	return len(s), nil
}

// fastExchange is an exchange with a handler of fasthttp, on one context, as a connection of its server has.
type fastExchange struct {
	handler fasthttp.RequestHandler
	ctx     *fasthttp.RequestCtx
	path    string
	field   string
}

func newFastExchange(h fasthttp.RequestHandler, a action) *fastExchange {
	x := &fastExchange{handler: h, ctx: &fasthttp.RequestCtx{}, path: a.path()}
	x.ctx.Init(&fasthttp.Request{}, nil, nil)
	return x
}

func (x *fastExchange) send() int {
	x.ctx.ResetUserValues()
	x.ctx.Request.Reset()
	x.ctx.Response.Reset()
	h := &x.ctx.Request.Header
	h.SetMethod(http.MethodGet)
	h.SetRequestURI(x.path)
	if x.field != "" {
		h.DisableSpecialHeader() // as its server does, which leaves cookies for later
		h.Add("Cookie", x.field)
		h.EnableSpecialHeader()
	}
	x.handler(x.ctx)
	return x.ctx.Response.StatusCode()
}

func (x *fastExchange) carry(cookie string) { x.field = cookie }

func (x *fastExchange) cookie() string {
	return pair(string(x.ctx.Response.Header.Peek("Set-Cookie")))
}

func (x *fastExchange) body() string { return string(x.ctx.Response.Body()) }
