package sessions

import (
	"io"
	"reflect"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
)

// behindNetHTTP reports whether the request was not read by fasthttp's server, but comes from a
// server of net/http through Fiber's adaptor. Nobody closes the user values of such a request when
// the response has been sent.
func behindNetHTTP(c fiber.Ctx) bool { return c.RequestCtx().ConnRequestNum() == 0 }

// scopedStream is a body stream that closes a scope when it is closed.
type scopedStream struct {
	io.Reader
	scope *core.Scope
}

// Close closes the stream, and then the scope, which saves what the stream has changed.
func (s *scopedStream) Close() (err error) {
	if c, ok := s.Reader.(io.Closer); ok {
		err = c.Close()
	}
	if c, ok := s.Reader.(fasthttp.ReadCloserWithError); ok {
		_ = c.CloseWithError(nil)
	}
	_ = s.scope.Close() // Failures have been logged, and nobody is left to answer.
	return err
}

// closeAfterStream makes the body stream of the response close the scope. fasthttp would close the
// stream if it were replaced by its own means, so the field is set directly.
func closeAfterStream(response *fasthttp.Response, scope *core.Scope) {
	stream := response.BodyStream()
	field := reflect.ValueOf(response).Elem().FieldByName("bodyStream")
	if stream == nil || !field.IsValid() || field.Type() != reflect.TypeFor[io.Reader]() {
		return
	}
	scoped := reflect.ValueOf(&scopedStream{stream, scope})
	reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Set(scoped)
}
