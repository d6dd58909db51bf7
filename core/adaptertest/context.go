package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// Context is what a handler does with one request, through the framework and the adapter under
// test.
type Context interface {
	// Get, GetFrom, Load, Lookup and Commit call the adapter's functions of these names.
	Get() *core.Session
	GetFrom(m *core.Manager) *core.Session
	Load() (*core.Session, error)
	Lookup() (*core.Session, bool)
	Commit() error

	// Context returns the context of the request that handlers of the framework pass on.
	Context() context.Context
	// Query and Header return values of the request. They return the strings of the framework,
	// not copies.
	Query(name string) string
	Header(name string) string
	// Form returns the first value of a field of the form in the body, as the framework has
	// parsed it.
	Form(name string) string
	// ReturnPath calls the adapter's function of this name.
	ReturnPath(otherwise string) string

	// SetHeader sets a header field of the response. AddHeader adds a line to one.
	SetHeader(name, value string)
	AddHeader(name, value string)
	// Body sends a status and a body.
	Body(status int, body string) error
	// Status sends a status without a body.
	Status(status int) error
	// Redirect sends a redirect to target.
	Redirect(status int, target string) error
	// EarlyHints sends a 103 response before the response. The suite does not call it on a
	// server with NoInformational.
	EarlyHints() error
	// Stream sends a 200 response with the body that write produces. It may call write after
	// the handler has returned, but not after the response has been sent.
	Stream(write func(w Flusher)) error
	// Upgrade answers 101 with the header set so far and passes the connection to talk. It may
	// call talk after the handler has returned. It closes the connection afterwards.
	Upgrade(talk func(conn net.Conn)) error
	// Fail returns the framework's own error for a status, so that the framework's error
	// handling answers the request.
	Fail(status int) error
}

// Flusher writes a body in parts that the client receives at once.
type Flusher interface {
	io.Writer
	// Flush sends what has been written.
	Flush() error
}

// Upgrade implements [Context].Upgrade for frameworks built on net/http. It hijacks the
// connection and writes the response itself.
func Upgrade(w http.ResponseWriter, talk func(conn net.Conn)) error {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := writeUpgrade(buffer.Writer, w.Header()); err != nil {
		return err
	}
	talk(conn)
	return nil
}

func writeUpgrade(w *bufio.Writer, header http.Header) error {
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_, _ = w.WriteString("Connection: Upgrade\r\nUpgrade: echo\r\n")
	_ = header.Write(w)
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}
