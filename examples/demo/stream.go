package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// tickCount is the number of pieces of a stream.
const tickCount = 10

func (a *App) live(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "live", clickCount{watched.Get(s)})
}

// events streams server-sent events to scripts.
func (a *App) events(s *core.Session, _ Request) Response {
	return a.stream(s, "text/event-stream", format{
		tick: func(n int, now string) string {
			const text = "id: %d\ndata: {\"n\": %d, \"of\": %d, \"time\": %q}\n\n"
			return fmt.Sprintf(text, n, n, tickCount, now)
		},
		end: func(total int) string {
			return fmt.Sprintf("event: end\ndata: {\"watched\": %d}\n\n", total)
		},
	})
}

// plainEvents streams text to browsers without scripts, which show it as it arrives.
func (a *App) plainEvents(s *core.Session, _ Request) Response {
	return a.stream(s, "text/plain; charset=utf-8", format{
		tick: func(n int, now string) string {
			return fmt.Sprintf("%2d of %d   %s\n", n, tickCount, now)
		},
		end: func(total int) string {
			return fmt.Sprintf("\nThe end. Streams you have watched: %d\n", total)
		},
	})
}

// format is the text format of a stream.
type format struct {
	tick func(n int, now string) string
	end  func(total int) string
}

// stream sends the ticks, and increments a counter in the session when all have been sent. The
// session must exist before the response begins, since a cookie can only be sent before the
// first byte.
func (a *App) stream(s *core.Session, mediaType string, f format) Response {
	watched.Update(s, func(n int) int { return n })
	res := newResponse(http.StatusOK, mediaType, nil)
	res.Header["X-Accel-Buffering"] = "no" // keeps nginx from buffering the stream
	res.Stream = func(ctx context.Context, send func(string) error) {
		if !a.sendTicks(ctx, s, send, f) {
			return
		}
		total := watched.Update(s, increment)
		if s.Save(ctx) == nil {
			_ = send(f.end(total)) // a client that is gone by now has seen all ticks
		}
	}
	return res
}

// sendTicks sends the ticks and reports whether all of them were sent. Each counts as a use of
// the session, as long as somebody watches. If the session ends meanwhile, so does the stream.
func (a *App) sendTicks(
	ctx context.Context, s *core.Session, send func(string) error, f format,
) bool {
	clock := time.NewTicker(a.tickInterval)
	defer clock.Stop()
	for n := range tickCount {
		if send(f.tick(n+1, time.Now().UTC().Format("15:04:05.000"))) != nil {
			return false
		}
		select {
		case <-clock.C:
			if errors.Is(s.KeepAlive(ctx), core.ErrGone) {
				return false
			}
		case <-ctx.Done():
			return false
		case <-a.done:
			return false
		}
	}
	return true
}
