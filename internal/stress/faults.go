package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// harm is what breaks a place, again and again. It belongs to the goroutine that started the servers.
type harm struct {
	stress *stress
	place  *place
	tb     host
	random *rand.Rand
}

// fault breaks something for a while.
type fault struct {
	name string
	do   func(ctx context.Context, d time.Duration)
}

// run does one fault after the other until ctx is over, and leaves everything whole.
func (h *harm) run(ctx context.Context) {
	faults := h.faults()
	for len(faults) > 0 && pause(ctx, time.Duration(200+h.random.IntN(1300))*time.Millisecond) {
		f := faults[h.random.IntN(len(faults))]
		d := time.Duration(100+h.random.IntN(2400)) * time.Millisecond
		h.stress.fault(f.name, fmt.Sprint("for ", d))
		f.do(ctx, d)
		h.stress.fault("healed", "after "+f.name)
	}
	<-ctx.Done()
}

// pause waits, and reports false if ctx is over first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (h *harm) faults() []fault {
	switch {
	case h.place.server != nil:
		faults := append(h.network(), fault{"pause", func(ctx context.Context, d time.Duration) {
			h.place.server.Pause(h.tb) //nolint:contextcheck // The server takes the context of tb.
			pause(ctx, d)
			h.place.server.Resume(h.tb) //nolint:contextcheck // The server takes the context of tb.
		}})
		if h.place.keeps {
			faults = append(faults, fault{"kill", func(ctx context.Context, d time.Duration) {
				h.place.server.Kill(h.tb) //nolint:contextcheck // The server takes the context of tb.
				pause(ctx, d/2)
				h.place.server.Restart(h.tb) //nolint:contextcheck // The server takes the context of tb.
			}})
		}
		return faults
	case h.place.file != "":
		return []fault{{"lock", h.lock}}
	}
	return nil
}

// network is what a proxy does, to one instance or to both.
func (h *harm) network() []fault {
	broken := func(f func(*testserver.Proxy)) func(context.Context, time.Duration) {
		return func(ctx context.Context, d time.Duration) {
			which := h.random.IntN(len(h.place.proxies) + 1)
			for n, p := range h.place.proxies {
				if n == which || which == len(h.place.proxies) {
					f(p)
				}
			}
			pause(ctx, d)
			for _, p := range h.place.proxies {
				p.Heal()
			}
		}
	}
	times := 1 + h.random.IntN(5)
	return []fault{
		{"delay", broken(func(p *testserver.Proxy) { p.Delay(time.Duration(h.random.IntN(300)) * time.Millisecond) })},
		{"reset", broken(func(p *testserver.Proxy) { p.Reset() })},
		{"drop", broken(func(p *testserver.Proxy) { p.Drop() })},
		{"black hole", broken(func(p *testserver.Proxy) { p.BlackHole() })},
		{"cut", h.repeated(times, func(p *testserver.Proxy) <-chan struct{} { return p.CutAfter(1 + h.random.IntN(2000)) })},
		{"swallowed reply", h.repeated(times, func(p *testserver.Proxy) <-chan struct{} { return p.SwallowReply("") })},
	}
}

// repeated does what happens to one reply several times, at each proxy.
func (h *harm) repeated(times int, f func(*testserver.Proxy) <-chan struct{}) func(context.Context, time.Duration) {
	return func(ctx context.Context, d time.Duration) {
		for range times {
			for _, p := range h.place.proxies {
				select {
				case <-f(p):
				case <-time.After(d):
				case <-ctx.Done():
				}
			}
			pause(ctx, 20*time.Millisecond)
		}
		for _, p := range h.place.proxies {
			p.Heal()
		}
	}
}

// lock holds the write lock of SQLite's file, as another program may.
func (h *harm) lock(ctx context.Context, d time.Duration) {
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(h.place.file))
	if err != nil {
		h.tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		h.stress.fault("lock refused", err.Error())
		return
	}
	pause(ctx, d)
	_ = tx.Rollback()
}
