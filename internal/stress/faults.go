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

// faultInjector injects faults into a backend. It must run in the goroutine that started the
// servers.
type faultInjector struct {
	stress  *stress
	backend *backend
	tb      testingTB
	random  *rand.Rand
}

// fault is a fault that lasts for a while.
type fault struct {
	name string
	do   func(ctx context.Context, d time.Duration)
}

// run injects one fault after another until ctx is done. Then no fault is left.
func (i *faultInjector) run(ctx context.Context) {
	faults := i.faults()
	for len(faults) > 0 && wait(ctx, time.Duration(200+i.random.IntN(1300))*time.Millisecond) {
		f := faults[i.random.IntN(len(faults))]
		d := time.Duration(100+i.random.IntN(2400)) * time.Millisecond
		i.stress.recordFault(f.name, fmt.Sprint("for ", d))
		f.do(ctx, d)
		i.stress.recordFault("healed", "after "+f.name)
	}
	<-ctx.Done()
}

// wait waits for d. It returns false if ctx is done first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// faults returns the faults that the backend supports.
func (i *faultInjector) faults() []fault {
	switch {
	case i.backend.server != nil && i.backend.durable:
		return append(i.networkFaults(), fault{"pause", i.pause}, fault{"kill", i.kill})
	case i.backend.server != nil:
		return append(i.networkFaults(), fault{"pause", i.pause})
	case i.backend.file != "":
		return []fault{{"lock", i.lock}}
	}
	return nil
}

// pause pauses the server.
func (i *faultInjector) pause(ctx context.Context, d time.Duration) {
	i.backend.server.Pause(i.tb) //nolint:contextcheck // uses the context of tb
	wait(ctx, d)
	i.backend.server.Resume(i.tb) //nolint:contextcheck // uses the context of tb
}

// kill kills the server and restarts it.
func (i *faultInjector) kill(ctx context.Context, d time.Duration) {
	i.backend.server.Kill(i.tb) //nolint:contextcheck // uses the context of tb
	wait(ctx, d/2)
	i.backend.server.Restart(i.tb) //nolint:contextcheck // uses the context of tb
}

// networkFaults returns the faults of the proxies of one instance or both.
func (i *faultInjector) networkFaults() []fault {
	broken := func(f func(*testserver.Proxy)) func(context.Context, time.Duration) {
		return func(ctx context.Context, d time.Duration) {
			which := i.random.IntN(len(i.backend.proxies) + 1)
			for n, p := range i.backend.proxies {
				if n == which || which == len(i.backend.proxies) {
					f(p)
				}
			}
			wait(ctx, d)
			for _, p := range i.backend.proxies {
				p.Heal()
			}
		}
	}
	times := 1 + i.random.IntN(5)
	return []fault{
		{"delay", broken(func(p *testserver.Proxy) {
			p.Delay(time.Duration(i.random.IntN(300)) * time.Millisecond)
		})},
		{"reset", broken(func(p *testserver.Proxy) { p.Reset() })},
		{"drop", broken(func(p *testserver.Proxy) { p.Drop() })},
		{"black hole", broken(func(p *testserver.Proxy) { p.BlackHole() })},
		{"cut", i.repeat(times, func(p *testserver.Proxy) <-chan struct{} {
			return p.CutAfter(1 + i.random.IntN(2000))
		})},
		{"swallowed reply", i.repeat(times, func(p *testserver.Proxy) <-chan struct{} {
			return p.SwallowReply("")
		})},
	}
}

// repeat returns a fault that breaks several replies, one after another, at each proxy.
func (i *faultInjector) repeat(
	times int, f func(*testserver.Proxy) <-chan struct{},
) func(context.Context, time.Duration) {
	return func(ctx context.Context, d time.Duration) {
		for range times {
			for _, p := range i.backend.proxies {
				select {
				case <-f(p):
				case <-time.After(d):
				case <-ctx.Done():
				}
			}
			wait(ctx, 20*time.Millisecond)
		}
		for _, p := range i.backend.proxies {
			p.Heal()
		}
	}
}

// lock holds the write lock of SQLite's file, as another program may do.
func (i *faultInjector) lock(ctx context.Context, d time.Duration) {
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(i.backend.file))
	if err != nil {
		i.tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		i.stress.recordFault("lock refused", err.Error())
		return
	}
	wait(ctx, d)
	_ = tx.Rollback()
}
