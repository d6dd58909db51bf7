package adaptertest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

const (
	visits = core.Key[int]("visits")
	note   = core.Key[string]("note")
)

// patience is how long the suite waits for what must happen. Nothing is concluded from anything taking less.
const patience = 10 * time.Second

// trial is one case under way: a server, a store and what they are asked.
type trial struct {
	*testing.T
	rule   string
	server Server
	store  *spy
	app    App
	url    string
	log    *buffer

	mu     sync.Mutex
	events []core.Event
}

func newTrial(t *testing.T, s Server, rule string) *trial {
	t.Helper()
	return &trial{T: t, rule: rule, server: s, store: newSpy(), log: new(buffer)}
}

// broken reports that the rule of the case is broken.
func (x *trial) broken(format string, args ...any) {
	x.Helper()
	x.Errorf("rule: "+x.rule+"\n"+format, args...)
}

// manager returns a manager on the case's store, or on the store of the options.
func (x *trial) manager(o core.Options) *core.Manager {
	x.Helper()
	if o.Store == nil {
		o.Store = x.store
	}
	o.Logger = slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.OnEvent = x.note
	m, err := core.NewManager(o)
	if err != nil {
		x.Fatalf("NewManager: %v", err)
	}
	x.Cleanup(func() { _ = m.Close(context.WithoutCancel(x.Context())) })
	return m
}

func (x *trial) note(e core.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, e)
}

// saw reports whether there was an event of the kind.
func (x *trial) saw(kind core.EventKind) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.events {
		if x.events[i].Kind == kind {
			return true
		}
	}
	return false
}

// get adds a route.
func (x *trial) get(path string, h Handler) { x.route(http.MethodGet, path, h) }

func (x *trial) route(method, path string, h Handler) {
	x.app.Routes = append(x.app.Routes, Route{method, path, h})
}

// serve starts the server with a manager of these options on the engine.
func (x *trial) serve(o core.Options) *core.Manager {
	x.Helper()
	m := x.manager(o)
	x.app.Engine = []*core.Manager{m}
	x.start()
	return m
}

// start starts the server, with routes that each case may use.
func (x *trial) start() {
	x.Helper()
	x.get("/count", count)
	x.get("/read", read)
	x.get("/logout", logout)
	x.get("/login", login)
	x.url = x.server.Start(x.T, x.app)
}

// eventually waits for what must become true.
func (x *trial) eventually(what string, ok func() bool) {
	x.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		over := time.Now().After(deadline) || x.server.idle != nil && x.server.idle()
		if over && !ok() { // It may have become true just before.
			x.broken("%s: it did not happen", what)
			return
		}
	}
}

// await waits for a channel to deliver or to close.
func await[T any](x *trial, what string, ch <-chan T) (v T) {
	x.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		x.Fatalf("rule: %s\n%s: it did not happen", x.rule, what)
	}
	return v
}

// count increments the counter of the session and answers its value.
func count(c Context) error {
	return c.Body(http.StatusOK, strconv.Itoa(visits.Update(c.Get(), increment)))
}

func increment(n int) int { return n + 1 }

// read answers the value of the counter.
func read(c Context) error { return c.Body(http.StatusOK, strconv.Itoa(visits.Get(c.Get()))) }

func logout(c Context) error {
	c.Get().Destroy()
	return c.Body(http.StatusOK, "signed out")
}

func login(c Context) error {
	if err := c.Get().Login("alice"); err != nil {
		return err
	}
	return c.Body(http.StatusOK, "signed in")
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.buf.String(), text)
}
