package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// ticks is how many pieces a stream has.
const ticks = 10

func (a *App) live(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "live", tally{watched.Get(s)})
}

// events streams to scripts, as server-sent events.
func (a *App) events(s *core.Session, _ Request) Response {
	return a.stream(s, "text/event-stream", format{
		tick: func(n int, now string) string {
			return fmt.Sprintf("id: %d\ndata: {\"n\": %d, \"of\": %d, \"time\": %q}\n\n", n, n, ticks, now)
		},
		end: func(total int) string { return fmt.Sprintf("event: end\ndata: {\"watched\": %d}\n\n", total) },
	})
}

// lines streams to browsers without scripts, which show a text as it comes in.
func (a *App) lines(s *core.Session, _ Request) Response {
	return a.stream(s, "text/plain; charset=utf-8", format{
		tick: func(n int, now string) string { return fmt.Sprintf("%2d of %d   %s\n", n, ticks, now) },
		end:  func(total int) string { return fmt.Sprintf("\nThe end. Streams you have watched: %d\n", total) },
	})
}

// format says how a stream is written.
type format struct {
	tick func(n int, now string) string
	end  func(total int) string
}

// stream sends the ticks and counts the stream in the session when it has been watched to its end. By then the response
// has long begun, so the session has to exist before: a cookie can only travel ahead of the first byte.
func (a *App) stream(s *core.Session, mediaType string, f format) Response {
	watched.Update(s, func(n int) int { return n })
	res := content(http.StatusOK, mediaType, nil)
	res.Header["X-Accel-Buffering"] = "no" // proxies of the nginx kind hold streams back otherwise
	res.Stream = func(ctx context.Context, send func(string) error) {
		if !a.run(ctx, send, f) {
			return
		}
		total := watched.Update(s, increment)
		if s.Save(ctx) == nil {
			_ = send(f.end(total)) // whoever has gone away by now has seen it all
		}
	}
	return res
}

// run sends the ticks and reports whether all of them went out.
func (a *App) run(ctx context.Context, send func(string) error, f format) bool {
	clock := time.NewTicker(a.tick)
	defer clock.Stop()
	for n := range ticks {
		if send(f.tick(n+1, time.Now().UTC().Format("15:04:05.000"))) != nil {
			return false
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return false
		case <-a.done:
			return false
		}
	}
	return true
}
