// Package adaptertest is the conformance suite for adapters: it proves that the sessions of package core keep their rules
// under a web framework.
//
// The adapter's own test tells the suite how its framework starts a server ([Server]) and how a handler does with it
// what every framework can do ([Context]), in less than a hundred lines. The suite brings the routes, a store that
// counts and fails on demand, and a client that talks to the server over a real connection:
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Server{Start: start})
//	}
//
// Each case is a test of its own with a server of its own. A failure names the rule that is broken.
package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/cloakroom-go/sessions/core"
)

// Server tells the suite how to run the framework with the adapter under test.
type Server struct {
	// Start serves app on 127.0.0.1 until the test has ended, and returns the server's base URL. The framework's recover
	// middleware is mounted first, outside of the sessions.
	Start func(t *testing.T, app App) string

	// NoInformational says that the framework cannot send 1xx responses ahead of the response.
	NoInformational bool

	// idle reports that no request is being served, so that nothing that a request does is still to
	// come. It is nil except in tests of the suite itself, which need not wait for a broken adapter.
	idle func() bool
}

// App is an application that the suite wants served.
type App struct {
	// Engine holds the managers whose middleware is mounted on the whole application, outermost first. A manager may be
	// there twice.
	Engine []*core.Manager
	// Group holds the managers whose middleware is mounted on the group of routes under /group, outermost first.
	Group []*core.Manager
	// Routes are the routes of the application. Those whose path starts with /group/ are made through the group.
	Routes []Route
	// NotFound answers what no route matches. Nil: the framework's own answer.
	NotFound Handler
}

// Route is one route of an [App].
type Route struct {
	Method  string
	Path    string // without parameters
	Handler Handler
}

// Handler is a handler in terms that every framework has. An error that it returns goes the way of the framework's errors.
type Handler func(c Context) error

// Context is what a handler does with one request, through the framework and the adapter under test.
type Context interface {
	// Get, GetFrom, Load and Commit are the adapter's functions of those names.
	Get() *core.Session
	GetFrom(m *core.Manager) *core.Session
	Load() (*core.Session, error)
	Commit() error

	// Context returns the context of the request, as handlers of the framework pass it on.
	Context() context.Context
	// Query and Header read the request, in strings as the framework hands them out.
	Query(name string) string
	Header(name string) string

	// SetHeader sets a field of the response.
	SetHeader(name, value string)
	// Body sends a status and a body. Status sends a status and no body, Redirect a redirection.
	Body(status int, body string) error
	Status(status int) error
	Redirect(status int, target string) error
	// EarlyHints sends a 103 response ahead of the response. It is not called on a server with NoInformational.
	EarlyHints() error
	// Stream sends a 200 response whose body write produces. It may run after the handler has returned, but not after
	// the response.
	Stream(write func(w Flusher)) error
	// Upgrade answers 101 with the header set so far and leaves the connection to talk, which may run after the handler
	// has returned. The connection is closed afterwards.
	Upgrade(talk func(conn net.Conn)) error
	// Fail returns the framework's own error for a status, so that the framework's error handling answers it.
	Fail(status int) error
}

// Flusher writes a body in pieces that the client gets at once.
type Flusher interface {
	io.Writer
	// Flush sends what is written.
	Flush() error
}

// Upgrade is [Context].Upgrade for frameworks on top of net/http: it takes the connection over and answers itself.
func Upgrade(w http.ResponseWriter, talk func(conn net.Conn)) error {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := answerUpgrade(buffer.Writer, w.Header()); err != nil {
		return err
	}
	talk(conn)
	return nil
}

func answerUpgrade(w *bufio.Writer, header http.Header) error {
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n")
	_ = header.Write(w)
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}
