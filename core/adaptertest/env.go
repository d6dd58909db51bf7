package adaptertest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// timeout is how long the suite waits for something that must happen. No case depends on
// something being faster.
const timeout = 10 * time.Second

// env is the environment of one case: its test, its server and its store.
type env struct {
	*testing.T
	rule   string
	server Server
	store  *spyStore
	app    App
	url    string // base URL of the running server
	log    *logBuffer

	mu     sync.Mutex
	events []core.Event
}

func newEnv(t *testing.T, s Server, rule string) *env {
	t.Helper()
	return &env{T: t, rule: rule, server: s, store: newSpyStore(), log: new(logBuffer)}
}

// Errorf reports a failure together with the rule that the adapter breaks.
func (e *env) Errorf(format string, args ...any) {
	e.Helper()
	e.T.Errorf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// Fatalf is like Errorf but ends the case.
func (e *env) Fatalf(format string, args ...any) {
	e.Helper()
	e.T.Fatalf("%s\n\trule: %s", fmt.Sprintf(format, args...), e.rule)
}

// manager returns a new manager. If o has no store, it uses the store of the case.
func (e *env) manager(o core.Options) *core.Manager {
	e.Helper()
	if o.Store == nil {
		o.Store = e.store
	}
	o.Logger = slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.OnEvent = e.addEvent
	m, err := core.NewManager(o)
	if err != nil {
		e.Fatalf("NewManager: %v", err)
	}
	e.Cleanup(func() { _ = m.Close(context.WithoutCancel(e.Context())) })
	return m
}

func (e *env) addEvent(event core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, event)
}

// sawEvent reports whether there was an event of the kind.
func (e *env) sawEvent(kind core.EventKind) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.events {
		if e.events[i].Kind == kind {
			return true
		}
	}
	return false
}

// handle adds a route.
func (e *env) handle(method, path string, h Handler) {
	e.app.Routes = append(e.app.Routes, Route{Method: method, Path: path, Handler: h})
}

// guard adds routes for the methods, behind what guards them.
func (e *env) guard(g Guard, path string, h Handler, methods ...string) {
	for _, method := range methods {
		e.app.Routes = append(e.app.Routes, Route{method, path, h, g})
	}
}

// handleGet adds a route for GET requests.
func (e *env) handleGet(path string, h Handler) { e.handle(http.MethodGet, path, h) }

// serve starts the server with a new manager on the whole application.
func (e *env) serve(o core.Options) *core.Manager {
	e.Helper()
	m := e.manager(o)
	e.app.Engine = []*core.Manager{m}
	e.start()
	return m
}

// start starts the server. It adds routes that any case may use.
func (e *env) start() {
	e.Helper()
	e.handleGet("/count", countVisit)
	e.handleGet("/read", readVisits)
	e.handleGet("/logout", logOut)
	e.handleGet("/login", logIn)
	e.url = e.server.Start(e.T, e.app)
}

// waitUntil waits until ok returns true. It reports a failure if that takes too long.
func (e *env) waitUntil(what string, ok func() bool) {
	e.Helper()
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			e.Errorf("%s did not happen within %v", what, timeout)
			return
		}
	}
}

// receive returns the next value of ch, or the zero value when ch is closed. It ends the case
// if that takes too long.
func receive[T any](e *env, what string, ch <-chan T) (v T) {
	e.Helper()
	select {
	case v = <-ch:
	case <-time.After(timeout):
		e.Fatalf("%s did not happen within %v", what, timeout)
	}
	return v
}

// indexed returns the store of the case with the index that a limit of sessions needs.
func (e *env) indexed() core.Store { return indexedStore{e.store} }
