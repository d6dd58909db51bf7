package compare

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// handlerSession is what a handler does with a session of any library.
type handlerSession interface {
	get(key string) any
	set(key string, value any) error
	destroy() error
	save() error
}

// responseWriter is what a handler does with its response on any framework.
type responseWriter interface {
	write(text string)
	flush()
}

// handler is a handler for all libraries.
type handler func(handlerSession, responseWriter)

// faults makes the store of a library fail. It also records the keys that the store was given.
type faults struct {
	load, save atomic.Bool
	key        atomic.Value
}

var errDown = errors.New("the store is down")

func (f *faults) onLoad() error { return f.fail(&f.load) }

func (f *faults) onSave() error { return f.fail(&f.save) }

func (f *faults) fail(when *atomic.Bool) error {
	if when.Load() {
		return errDown
	}
	return nil
}

// library is a session library on one framework, with its memory store and its defaults.
type library struct {
	framework string
	start     func(t *testing.T, f *faults, p handler) (url string)
}

// errorHeader is set in the response if the library returns an error instead of a session.
const errorHeader = "X-Library-Error"

// column is a column of the table: a library on each of its frameworks.
type column struct {
	title     string
	libraries []library
}

func columns() []column {
	return []column{
		{"Cloakroom", []library{
			{"Gin", startCloakroomGin},
			{"Echo v4", startCloakroomEcho},
			{"Echo v5", startCloakroomEchoV5},
			{"Fiber v2", startCloakroomFiber},
			{"Fiber v3", startCloakroomFiberV3},
			{"net/http", startCloakroomHTTP},
		}},
		{"gin-contrib/sessions", []library{{"Gin", startContribGin}}},
		{"echo-contrib/session", []library{{"Echo v4", startContribEcho}, {"Echo v5", startContribEchoV5}}},
		{"Fiber v2 session", []library{{"Fiber v2", startFiberSession}}},
		{"Fiber v3 session", []library{{"Fiber v3", startFiberV3Session}}},
		{"scs", []library{{"net/http", startSCS}}},
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// serveFiber serves an application of Fiber v2 or v3, given two of its methods.
func serveFiber(t *testing.T, listen func(net.Listener) error, shutdown func(time.Duration) error) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = listen(listener) }()
	t.Cleanup(func() { _ = shutdown(time.Second) })
	return "http://" + listener.Addr().String()
}

// Responses.

type httpResponse struct{ http.ResponseWriter }

func (r httpResponse) write(text string) { _, _ = r.Write([]byte(text)) }

func (r httpResponse) flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

type ginResponse struct{ c *gin.Context }

func (r ginResponse) write(text string) { _, _ = r.c.Writer.WriteString(text) }

func (r ginResponse) flush() { r.c.Writer.Flush() }

// fiberResponse cannot flush: Fiber sends a handler's response when the handler has returned.
type fiberResponse struct{ c io.StringWriter }

func (r fiberResponse) write(text string) { _, _ = r.c.WriteString(text) }

func (r fiberResponse) flush() {}
